"""Detects scopes with too few events or too many faulty records on a day, with the surprise of each."""

from collections.abc import Iterator
from dataclasses import dataclass

from data_quality.counts import FAULTS, ON_SCHEDULE, Scope, breadth
from data_quality.day import Day
from data_quality.history import FaultShare, History
from data_quality.memory import Memory
from data_quality.rhythm import WARM, share_surprise
from schemas.quality import Fault, Problem

OPENS, CLOSES = 8.0, 4.0
"""Surprise, in decimal places. On the Open University data, whose worst ordinary day of a course run
has 6.1 (Christmas), its two days without any event in September 2014 have 20 and more."""

LOSS_OPENS, LOSS_HELD = 5.0, 4.2
"""Evidence of a partial loss at which an alarm opens, and its maximum while the alarm is open. It takes
several days, each capped below it. In two simulated terms without a fault the maximum was 2.4."""

ACCEPTED_AFTER = 14
"""Days after which a changed level is accepted as normal."""

HABITUAL: frozenset[Fault] = frozenset({"behind", "without_object", "without_duration"})
"""Faults that a source may have permanently at any share; the share is learned before it is evaluated."""

MAX_INDEPENDENT = 300
"""Most records of a day that count as independent: faults are correlated."""

MIN_STRETCH = 3
"""Fewest consecutive empty hours that count: sessions cluster events, so two at night are no outage."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A scope's day: observed and expected events or share of faults, and the surprise of the difference."""

    observed: float
    expected: float
    surprise: float
    since: int
    opens: float = OPENS
    """Surprise at which an alarm opens."""


def find_quiet(memory: Memory, today: Day) -> Iterator[tuple[Scope, Problem, Finding]]:
    """Evaluate scopes for too few events, the widest first."""
    for scope in sorted(today.expected, key=breadth):
        if scope.kind and (scope.kind in ON_SCHEDULE or today.is_ending(scope)):
            continue
        history = memory.history(scope)
        if not history.noise.is_warm:
            continue
        yield scope, "quiet", _judge_volume(memory, today, scope, history)


def _judge_volume(memory: Memory, today: Day, scope: Scope, history: History) -> Finding:
    observed, expected = today.observed[scope], today.expected[scope] * today.movement[scope]
    surprise = history.noise.surprise(observed, expected)
    since = today.day
    if observed:
        history.silence = 0.0
    else:
        history.silent_since = history.silent_since if history.silence else today.day
        history.silence += surprise
        surprise, since = history.silence, history.silent_since
    if not scope.kind and observed:
        surprise = max(surprise, _stretch_surprise(memory, today, scope, history, expected) - history.stretch)
    if (
        surprise >= OPENS
    ):  # so clear a fall needs no further evidence, neither to open an alarm nor to close it
        history.share.evidence = history.companions.evidence = 0.0
        return Finding(observed, expected, surprise, since)
    partial_losses = [*_partial_losses(memory, today, scope, history)]
    return max(
        [finding for finding in partial_losses if finding.surprise >= min(surprise, LOSS_OPENS)],
        key=lambda finding: finding.surprise,
        default=Finding(observed, expected, surprise, since),
    )


def _partial_losses(memory: Memory, today: Day, scope: Scope, history: History) -> Iterator[Finding]:
    """Findings of a loss of a part of the events, by shares and by co-occurrence."""
    reported = memory.has_quiet_alarm_around(scope)
    maximum = LOSS_HELD if reported else LOSS_OPENS
    share, companions = history.share, history.companions
    for evidence in (share, companions):
        if not reported and today.day - evidence.since >= ACCEPTED_AFTER:
            evidence.evidence = 0.0  # a loss not confirmed in that time is the new normal
    comparison, loss = today.shares.get(scope), today.losses.get(scope)
    if comparison is not None and share.is_warm:
        share.add_evidence(
            today.day,
            comparison.events,
            comparison.others,
            comparison.level_drop,
            maximum,
            reported=reported,
        )
        usual = comparison.others * share.usual(today.day)
        yield Finding(comparison.events, usual, share.evidence, share.since, LOSS_OPENS)
    if loss is None:
        companions.evidence = companions.evidence if reported else 0.0
    else:
        companions.add_evidence(today.day, loss.ratio, maximum, reported=reported)
        yield Finding(loss.events, loss.usual, companions.evidence, companions.since, LOSS_OPENS)


def _stretch_surprise(memory: Memory, today: Day, scope: Scope, history: History, expected: float) -> float:
    """The surprise of the day's emptiest stretch of hours, if it is long enough.

    The day also stores the surprise of shorter stretches, as a measure of chance.
    """
    profile = memory.history(Scope(scope.source)).profile
    if not profile:
        return 0.0
    longest = {True: 0.0, False: 0.0}
    hours, empty = 0, 0.0
    for events, share in zip(today.by_hour(scope).tolist(), profile, strict=True):
        hours, empty = (0, 0.0) if events else (hours + 1, empty + share)
        is_long = hours >= MIN_STRETCH
        longest[is_long] = max(longest[is_long], empty)
    surprises = {is_long: history.noise.surprise(0.0, share * expected) for is_long, share in longest.items()}
    today.stretches[scope] = max(surprises.values())
    return surprises[True]


def find_faulty(memory: Memory, today: Day) -> Iterator[tuple[Scope, Problem, Finding]]:
    """Evaluate scopes for more faulty records than usual, the widest first."""
    for scope in sorted(today.totals, key=breadth):
        history, total = memory.history(scope), today.records(scope)
        for fault in FAULTS:
            share = history.shares.setdefault(fault, FaultShare())
            if total and not (fault in HABITUAL and share.days < WARM):
                count = today.totals[scope].faults.get(fault, 0)
                usual, trusted = share.usual, min(total, MAX_INDEPENDENT)
                surprise = share_surprise(round(count * trusted / total), trusted, usual)
                yield scope, fault, Finding(count / total, share.mean, surprise, today.day)
