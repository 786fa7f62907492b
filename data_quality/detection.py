"""Which scopes brought too little on a day, or records worse than usual, and how surprising that is."""

from collections.abc import Iterator
from dataclasses import dataclass

from data_quality.counts import FAULTS, ON_SCHEDULE, Scope, width
from data_quality.day import Day
from data_quality.history import FaultShare, History
from data_quality.memory import Memory
from data_quality.rhythm import WARM, share_surprise
from schemas.quality import Fault, Problem

OPENS, CLOSES = 8.0, 4.0
"""Surprise, in decimal places. On the Open University data, whose worst ordinary day of a course run
has 6.1 (Christmas), its two days without any event in September 2014 have 20 and more."""

LOSS_OPENS, LOSS_HELD = 5.0, 4.2
"""Evidence, of a source against the others, at which an alarm opens: it comes from several days, each held to
less than that. In two simulated terms that nothing broke the most was 2.4. While the alarm is open it is held
to less."""

ACCEPTED_AFTER = 14
"""Days."""

HABITUAL: frozenset[Fault] = frozenset({"behind", "without_object", "without_duration"})
"""Faults of which a source may have any share for good; it is learned before it is judged."""

BUNCHED = 300
"""Records of a day that count as independent at most: faults come in bunches."""

LEAST_STRETCH = 3
"""Hours without an event that are one: sessions bring their events in bunches, so two at night are nobody's
outage."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A scope's day."""

    observed: float
    expected: float
    surprise: float
    since: int
    opens: float = OPENS
    """Surprise at which an alarm opens."""


def quiet(memory: Memory, today: Day) -> Iterator[tuple[Scope, Problem, Finding]]:
    """Scopes that brought too little, the widest first."""
    for scope in sorted(today.expected, key=width):
        if scope.kind and (scope.kind in ON_SCHEDULE or today.is_ending(scope)):
            continue
        history = memory.history(scope)
        if not history.noise.warm:
            continue
        yield scope, "quiet", _look(memory, today, scope, history)


def _look(memory: Memory, today: Day, scope: Scope, history: History) -> Finding:
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
        surprise = max(surprise, _stretch(memory, today, scope, history, expected) - history.stretch)
    if surprise >= OPENS:  # so little needs nothing else to be told by, nor to be over
        history.share.evidence = history.companions.evidence = 0.0
        return Finding(observed, expected, surprise, since)
    losses = [*_losses(memory, today, scope, history)]
    return max(
        [one for one in losses if one.surprise >= min(surprise, LOSS_OPENS)],
        key=lambda one: one.surprise,
        default=Finding(observed, expected, surprise, since),
    )


def _losses(memory: Memory, today: Day, scope: Scope, history: History) -> Iterator[Finding]:
    """What speaks for the loss of a part."""
    told = memory.is_open_around(scope)
    most = LOSS_HELD if told else LOSS_OPENS
    share, companions = history.share, history.companions
    for evidence in (share, companions):
        if not told and today.day - evidence.since >= ACCEPTED_AFTER:
            evidence.evidence = 0.0  # what could not be shown in that time is the new rhythm
    beside, torn = today.shares.get(scope), today.torn.get(scope)
    if beside is not None and share.warm:
        share.weigh(today.day, beside.brought, beside.others, beside.own, most, told=told)
        usual = beside.others * share.usual(today.day)
        yield Finding(beside.brought, usual, share.evidence, share.since, LOSS_OPENS)
    if torn is None:
        companions.evidence = companions.evidence if told else 0.0
    else:
        companions.weigh(today.day, torn.ratio, most, told=told)
        yield Finding(torn.brought, torn.usual, companions.evidence, companions.since, LOSS_OPENS)


def _stretch(memory: Memory, today: Day, scope: Scope, history: History, expected: float) -> float:
    """The surprise of the day's emptiest stretch of hours, where it is long enough.

    Shorter ones are none, but tell how empty hours are by chance: all are noted for the day.
    """
    profile = memory.history(Scope(scope.source)).profile
    if not profile:
        return 0.0
    longest = {True: 0.0, False: 0.0}
    hours, empty = 0, 0.0
    for events, share in zip(today.by_hour(scope).tolist(), profile, strict=True):
        hours, empty = (0, 0.0) if events else (hours + 1, empty + share)
        long = hours >= LEAST_STRETCH
        longest[long] = max(longest[long], empty)
    surprises = {long: history.noise.surprise(0.0, share * expected) for long, share in longest.items()}
    today.stretches[scope] = max(surprises.values())
    return surprises[True]


def faulty(memory: Memory, today: Day) -> Iterator[tuple[Scope, Problem, Finding]]:
    """Scopes whose records are worse than usual, the widest first."""
    for scope in sorted(today.totals, key=width):
        history, total = memory.history(scope), today.records(scope)
        for fault in FAULTS:
            share = history.shares.setdefault(fault, FaultShare())
            if total and not (fault in HABITUAL and share.days < WARM):
                count = today.totals[scope].faults.get(fault, 0)
                usual, trusted = share.usual, min(total, BUNCHED)
                surprise = share_surprise(round(count * trusted / total), trusted, usual)
                yield scope, fault, Finding(count / total, share.mean, surprise, today.day)
