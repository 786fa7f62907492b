"""The quality watch: tells a broken tracker from learners who fall silent, from counts alone.

Counts come per source, course run, kind and hour. Four *scopes* are watched: a whole source, a kind
of a source, a source's part of a course run, and a kind in that. Each has its own rhythm
(``rhythm``); what moves the others too is not held against it: the other sources for a whole source,
the other runs for a run, the run for its kinds. So Christmas is no outage, and an outage of one
course is not explained by the others.

A scope is *quiet* when so few events were less likely than 1 in 10⁸ by its rhythm, or when a stretch
of hours was so empty. Days without a single event add up, so that a course of a few learners is told too,
later. A source that loses a part of its events falls behind the others of the same runs; where it stands
alone, or all lose alike, what learners do together on a day is torn apart (``companions``). Evidence of
either is summed over days, until it is strong enough. Records have *faults* (repeats, a wrong clock, kinds
that nobody knows, empty fields): a scope is as faulty as its share of them is above its usual one, by the
same measure.

One cause is told once: what a wider scope's alarm explains is not said again of the narrower ones.
While an alarm is open its rhythm learns nothing. It closes on the first day that is ordinary again;
what stays changed for ``ACCEPTED_AFTER`` days is taken for the new rhythm, but never the silence of a
whole run, of which nobody can know anything.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from math import fsum, inf, log
from typing import Any, NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, TypeAdapter

from online_models.arrays import unpack
from online_models.companions import Companions, restored, stored
from online_models.rhythm import WARM, Level, Noise, Share, share_surprise
from schemas.activity import ACTIVITY_KINDS, ActivityKind
from schemas.fields import DAY_S
from schemas.packed import PackedArray
from schemas.quality import Alarm, DataQualityEvent, DayQuality, Fault, Problem, QualityVerdict, SourceCounts

HOURS = 24
KINDS = len(ACTIVITY_KINDS)
FAULTS: tuple[Fault, ...] = get_args(Fault)

OPENS, CLOSES = 8.0, 4.0
"""Surprise, in decimal places. On the Open University data, whose worst ordinary day of a course run
has 6.1 (Christmas), its two days without any event in September 2014 have 20 and more."""

LOSS_OPENS, LOSS_HELD = 5.0, 4.2
"""Evidence, of a source against the others, at which an alarm opens: it comes from several days, each held to
less than that. In two simulated terms that nothing broke the most was 2.4. While the alarm is open it is held
to less."""

LEAST_PART = 0.1
"""Share of a run's events that a source brings at least, to be one of those that it rests on."""

LEAST_MOVEMENT = 0.25
"""What moves the others explains no greater fall than to this share."""

LAST_PHASE = 0.9
"""Share of a run after which its kinds end one by one, as their deadlines pass: they are not watched."""

ON_SCHEDULE: frozenset[ActivityKind] = frozenset({"submission"})
"""Kinds that come when the calendar asks for them, and not in between: neither their days nor their hours are
a rhythm. They count in what a source brings, and in its faults."""

WITH_RHYTHM = np.array([kind not in ON_SCHEDULE for kind in ACTIVITY_KINDS])

ACCEPTED_AFTER = 14
"""Days."""

LOSSES: frozenset[Problem] = frozenset({"quiet", "unknown_kind", "invalid", "future", "without_object"})
"""Problems by which activity goes unseen; without its object nobody knows which work was handed in. Of the
others nothing is lost: repeats are dropped by their ids, late events count in their right day. They are told,
and no learner's estimate depends on them."""

HABITUAL: frozenset[Fault] = frozenset({"behind", "without_object", "without_duration"})
"""Faults of which a source may have any share for good; it is learned before it is judged."""

SHARE_WEIGHT = 0.05
USUAL_FROM = 0.02
"""A share of faults below this is nobody's concern."""

BUNCHED = 300
"""Records of a day that count as independent at most: faults come in bunches."""

LEAST_STRETCH = 3
"""Hours without an event that are one: sessions bring their events in bunches, so two at night are nobody's
outage."""

STRETCH_FADES = 0.98
PROFILE_WEIGHT = 0.1


class Scope(NamedTuple):
    """What is watched. Empty: all of them."""

    source: str
    run: str = ""
    kind: str = ""

    def within(self, wider: "Scope") -> bool:
        """Whether this is the other or a part of it."""
        return all(not theirs or mine == theirs for mine, theirs in zip(self, wider, strict=True))


@dataclass(frozen=True, slots=True)
class Counts:
    """A day of a source in a run: events int64 [kinds, hours], and how many records had each fault."""

    hours: NDArray[np.int64]
    faults: dict[Fault, int]

    @classmethod
    def none(cls) -> "Counts":
        return cls(np.zeros((KINDS, HOURS), np.int64), dict.fromkeys(FAULTS, 0))


@dataclass(slots=True)
class _Share:
    """The usual share of a fault."""

    mean: float = 0.0
    variance: float = 0.0
    days: int = 0

    @property
    def usual(self) -> float:
        usual: float = self.mean + 3 * self.variance**0.5
        return min(max(usual, USUAL_FROM), 0.999)

    def learn(self, share: float) -> None:
        weight = max(SHARE_WEIGHT, 1 / (self.days + 1))
        apart = share - self.mean
        self.mean += weight * apart
        self.variance = (1 - weight) * (self.variance + weight * apart * apart)
        self.days += 1


@dataclass(slots=True)
class _Stream:
    """The memory of a scope. ``level`` is None where the expectation is the sum of narrower scopes'."""

    level: Level | None = None
    noise: Noise = field(default_factory=Noise)
    silence: float = 0.0
    """Surprise of the days without any event, up to now."""
    silent_since: int = 0
    stretch: float = 0.0
    """The emptiest stretch of hours on ordinary days, as surprise."""
    shares: dict[str, _Share] = field(default_factory=dict)
    profile: list[float] = field(default_factory=list)
    """Share of a day's events by hour; of whole sources."""
    share: Share = field(default_factory=Share)
    """Against the other sources; of whole sources and their parts of runs."""
    companions: Companions = field(default_factory=Companions)
    """Of a source's parts of runs; of a whole source their evidence together."""

    @property
    def doubted(self) -> bool:
        return self.share.doubted or self.companions.doubted


@dataclass(frozen=True, slots=True)
class _Seen:
    """A scope's day."""

    observed: float
    expected: float
    surprise: float
    since: int
    opens: float = OPENS
    """Surprise at which an alarm opens."""


class QualityWatch:
    """Give it every day once, in order. Same counts, same verdicts."""

    def __init__(self) -> None:
        self._streams: dict[Scope, _Stream] = {}
        self._open: dict[tuple[Scope, Problem], int] = {}
        """Alarm → the day since when."""

    def close(
        self,
        day: int,
        counts: Mapping[tuple[str, str], Counts],
        phases: Mapping[str, float],
        together: Mapping[str, NDArray[np.int64]] | None = None,
    ) -> DayQuality:
        """The verdicts on a day.

        counts: by source and course run. phases: of the runs that are on, the share gone by; runs that
        are not are left alone, and forgotten. together: by course run, how many learners did what on the same
        day (``companions.Counts``).
        """
        self._forget(phases)
        counts = {key: one for key, one in counts.items() if key[1] in phases}
        today = _Today(day, counts, phases, together or {})
        self._expect(today)
        found = [*self._quiet(today), *self._faulty(today)]
        events = self._settle(today, found)
        self._learn(today)
        verdicts = [
            self._verdict(today, scope, problem, seen)
            for scope, problem, seen in found
            if (scope, problem) in self._open
        ]
        return DayQuality.model_construct(verdicts=verdicts, events=events, rhythm=self._state())

    # -- expecting ----------------------------------------------------------------------------------

    def _forget(self, phases: Mapping[str, float]) -> None:
        for scope in [scope for scope in self._streams if scope.run and scope.run not in phases]:
            del self._streams[scope]

    def _stream(self, scope: Scope) -> _Stream:
        return self._streams.setdefault(scope, _Stream())

    def _expect(self, today: "_Today") -> None:
        """What each scope brought, and what it should have, everybody's movement taken out."""
        self._expect_shares(today)
        self._expect_together(today)
        runs = {scope for scope in self._streams if scope.run and not scope.kind}
        for scope in sorted(runs | {Scope(*key) for key in today.counts}):
            self._expect_run(today, scope)
        for source in sorted({scope.source for scope in today.observed}):
            self._expect_source(today, source)
        whole = [scope for scope in today.expected if not scope.kind]
        for scope in whole:
            peers = [one for one in whole if bool(one.run) == bool(scope.run) and one != scope]
            if not scope.run:
                peers = [one for one in peers if one.source != scope.source]
            today.movement[scope] = _movement(today, peers)
        for scope in [scope for scope in today.expected if scope.kind]:
            today.movement[scope] = _movement(today, [scope._replace(kind="")])

    def _expect_shares(self, today: "_Today") -> None:
        """What the other sources of the same runs brought; for a whole source, where shares are known."""
        known = {scope for scope in self._streams if scope.run and not scope.kind}
        for scope in sorted(known | {Scope(*key) for key in today.counts}):
            others = sum(
                int(one.hours.sum())
                for (source, run), one in today.counts.items()
                if run == scope.run and source != scope.source
            )
            if others and not today.is_ending(scope):
                level, brought = self._stream(scope).level, float(today.hours(scope).sum())
                slow = brought if level is None else level.lasting(today.day)
                today.shares[scope] = _Beside(brought, float(others), slow)
        for source in sorted({scope.source for scope in today.shares}):
            parts = [
                scope
                for scope in today.shares
                if scope.source == source
                and self._stream(scope).share.warm
                and (scope, "quiet") not in self._open  # its own loss is not the whole source's
            ]
            if parts:
                found = [today.shares[part] for part in parts]
                today.shares[Scope(source)] = _Beside(
                    sum(one.brought for one in found),
                    sum(
                        one.others * self._stream(part).share.usual(today.day)
                        for part, one in zip(parts, found, strict=True)
                    ),
                    sum(one.slow for one in found),
                )

    def _expect_together(self, today: "_Today") -> None:
        """How far what learners do together was torn apart, of the sources that a run rests on.

        Nobody can say whose events are missing where several bring them, so it is looked for only where none
        of these sources is known to have fallen behind the others.
        """
        today.rests_on = self._rests_on()
        for run in sorted(today.together):
            rests_on = today.rests_on.get(run, [])
            if today.is_ending(Scope("", run)) or self._fell_behind(rests_on):
                continue
            for scope in rests_on:
                stream, brought = self._stream(scope), float(today.hours(scope).sum())
                slow = 0.0 if stream.level is None else stream.level.lasting(today.day)
                # A loss that is told is over when things go together again, not on a day that is busier.
                own = -inf if self._is_told(scope) else _Beside(brought, 0.0, slow).own
                found = stream.companions.look(today.together[run], own)
                if found is not None:
                    today.torn[scope] = _Torn(brought, brought / found.left, found.ratio)
        for source in sorted({scope.source for scope in today.torn}):
            parts = [torn for scope, torn in today.torn.items() if scope.source == source]
            today.torn[Scope(source)] = _Torn(*(sum(each) for each in zip(*parts, strict=True)))

    def _rests_on(self) -> dict[str, list[Scope]]:
        """By run: of the sources that brought events of it lately, the parts that matter."""
        levels: dict[str, dict[Scope, float]] = {}
        for scope, stream in self._streams.items():
            if scope.run and not scope.kind and stream.level is not None:
                levels.setdefault(scope.run, {})[scope] = stream.level.slow
        return {
            run: sorted(scope for scope, slow in parts.items() if slow >= LEAST_PART * fsum(parts.values()))
            for run, parts in levels.items()
        }

    def _fell_behind(self, scopes: list[Scope]) -> bool:
        """Whether one of a run's sources, but not all, or a kind of one, is quiet or doubted."""
        quiet = [any(scope.within(one) for one, of in self._open if of == "quiet") for scope in scopes]
        kinds = any(
            one.kind and of == "quiet" and scope.within(one._replace(kind=""))
            for scope in scopes
            for one, of in self._open
        )
        doubted = any(self._stream(scope).share.doubted for scope in scopes)
        return kinds or doubted or any(quiet) != all(quiet)

    def _expect_run(self, today: "_Today", run: Scope) -> None:
        hours = today.hours(run)
        by_kind = hours.sum(axis=1)
        today.observed[run] = float(by_kind.sum())
        for place, kind in enumerate(ACTIVITY_KINDS):
            scope = run._replace(kind=kind)
            if by_kind[place] or scope in self._streams:
                today.observed[scope] = float(by_kind[place])
                self._expect_level(today, scope)
        self._expect_level(today, run)

    def _expect_level(self, today: "_Today", scope: Scope) -> None:
        stream = self._streams.get(scope)
        if stream is not None and stream.level is not None and stream.noise.warm:
            today.expected[scope] = stream.level.expected(today.day)

    def _expect_source(self, today: "_Today", source: str) -> None:
        """A source's expectation is that of its runs: some begin and some end."""
        for kind in ("", *ACTIVITY_KINDS):
            parts = [
                scope
                for scope in today.expected
                if scope.source == source and scope.run and scope.kind == kind and not today.is_ending(scope)
            ]
            if parts:
                whole = Scope(source, "", kind)
                today.expected[whole] = sum(today.expected[part] for part in parts)
                today.observed[whole] = sum(today.observed[part] for part in parts)

    # -- judging ------------------------------------------------------------------------------------

    def _quiet(self, today: "_Today") -> Iterator[tuple[Scope, Problem, _Seen]]:
        """Scopes that brought too little, the widest first."""
        for scope in sorted(today.expected, key=_width):
            if scope.kind and (scope.kind in ON_SCHEDULE or today.is_ending(scope)):
                continue
            stream = self._stream(scope)
            if not stream.noise.warm:
                continue
            yield scope, "quiet", self._look(today, scope, stream)

    def _look(self, today: "_Today", scope: Scope, stream: _Stream) -> _Seen:
        observed, expected = today.observed[scope], today.expected[scope] * today.movement[scope]
        surprise = stream.noise.surprise(observed, expected)
        since = today.day
        if observed:
            stream.silence = 0.0
        else:
            stream.silent_since = stream.silent_since if stream.silence else today.day
            stream.silence += surprise
            surprise, since = stream.silence, stream.silent_since
        if not scope.kind and observed:
            surprise = max(surprise, self._stretch(today, scope, stream, expected) - stream.stretch)
        if surprise >= OPENS:  # so little needs nothing else to be told by, nor to be over
            stream.share.evidence = stream.companions.evidence = 0.0
            return _Seen(observed, expected, surprise, since)
        losses = [*self._losses(today, scope, stream)]
        return max(
            [one for one in losses if one.surprise >= min(surprise, LOSS_OPENS)],
            key=lambda one: one.surprise,
            default=_Seen(observed, expected, surprise, since),
        )

    def _losses(self, today: "_Today", scope: Scope, stream: _Stream) -> Iterator[_Seen]:
        """What speaks for the loss of a part."""
        told = self._is_told(scope)
        most = LOSS_HELD if told else LOSS_OPENS
        share, companions = stream.share, stream.companions
        for evidence in (share, companions):
            if not told and today.day - evidence.since >= ACCEPTED_AFTER:
                evidence.evidence = 0.0  # what could not be shown in that time is the new rhythm
        beside, torn = today.shares.get(scope), today.torn.get(scope)
        if beside is not None and share.warm:
            share.weigh(today.day, beside.brought, beside.others, beside.own, most, told=told)
            usual = beside.others * share.usual(today.day)
            yield _Seen(beside.brought, usual, share.evidence, share.since, LOSS_OPENS)
        if torn is None:
            companions.evidence = companions.evidence if told else 0.0
        else:
            companions.weigh(today.day, torn.ratio, most, told=told)
            yield _Seen(torn.brought, torn.usual, companions.evidence, companions.since, LOSS_OPENS)

    def _stretch(self, today: "_Today", scope: Scope, stream: _Stream, expected: float) -> float:
        """The surprise of the day's emptiest stretch of hours, where it is long enough.

        Shorter ones are none, but tell how empty hours are by chance: all are noted for the day.
        """
        profile = self._stream(Scope(scope.source)).profile
        if not profile:
            return 0.0
        longest = {True: 0.0, False: 0.0}
        hours, empty = 0, 0.0
        for events, share in zip(today.by_hour(scope).tolist(), profile, strict=True):
            hours, empty = (0, 0.0) if events else (hours + 1, empty + share)
            long = hours >= LEAST_STRETCH
            longest[long] = max(longest[long], empty)
        surprises = {long: stream.noise.surprise(0.0, share * expected) for long, share in longest.items()}
        today.stretches[scope] = max(surprises.values())
        return surprises[True]

    def _faulty(self, today: "_Today") -> Iterator[tuple[Scope, Problem, _Seen]]:
        """Scopes whose records are worse than usual, the widest first."""
        for scope in sorted(today.totals, key=_width):
            stream, total = self._stream(scope), today.records(scope)
            for fault in FAULTS:
                share = stream.shares.setdefault(fault, _Share())
                if total and not (fault in HABITUAL and share.days < WARM):
                    count = today.totals[scope].faults.get(fault, 0)
                    usual, trusted = share.usual, min(total, BUNCHED)
                    surprise = share_surprise(round(count * trusted / total), trusted, usual)
                    yield scope, fault, _Seen(count / total, share.mean, surprise, today.day)

    # -- alarms -------------------------------------------------------------------------------------

    def _settle(self, today: "_Today", found: list[tuple[Scope, Problem, _Seen]]) -> list[DataQualityEvent]:
        """Open, close and accept alarms."""
        seen = {(scope, problem): one for scope, problem, one in found}
        events = [*self._close(today, seen)]
        settled = [
            Scope(event.verdict.source, event.verdict.course_run or "", event.verdict.kind or "")
            for event in events
        ]
        accepted = [of for of, event in zip(settled, events, strict=True) if event.alarm == "accepted"]
        for scope, problem, one in found:
            if scope in settled or any(scope.within(wider) for wider in accepted):
                continue
            if one.surprise >= one.opens and not self._explained(scope, problem):
                self._open[scope, problem] = one.since
                events.append(self._event(today, "opened", scope, problem, one))
                for other in [key for key in self._open if key != (scope, problem) and key[1] == problem]:
                    if other[0].within(scope):
                        del self._open[other]
        return events

    def _explained(self, scope: Scope, problem: Problem) -> bool:
        return any(scope.within(wider) and of == problem for wider, of in self._open)

    def _is_told(self, scope: Scope) -> bool:
        """Whether a wider scope, this one or a part of it is known to be quiet."""
        parts = (one for one, problem in self._open if problem == "quiet" and one.within(scope))
        return self._explained(scope, "quiet") or any(parts)

    def _close(
        self, today: "_Today", seen: Mapping[tuple[Scope, Problem], _Seen]
    ) -> Iterator[DataQualityEvent]:
        for scope, problem in sorted(self._open):
            since, one = self._open[scope, problem], seen.get((scope, problem))
            if one is not None and one.surprise >= CLOSES:
                if today.day - since < ACCEPTED_AFTER or (problem == "quiet" and today.is_silent(scope)):
                    continue
                for part in [part for part in self._streams if part.within(scope)]:
                    del self._streams[part]  # what stays changed is learned anew
            del self._open[scope, problem]
            alarm: Alarm = "accepted" if one is not None and one.surprise >= CLOSES else "closed"
            yield self._event(today, alarm, scope, problem, one or _Seen(0.0, 0.0, 0.0, since))

    def _event(
        self, today: "_Today", alarm: Alarm, scope: Scope, problem: Problem, seen: _Seen
    ) -> DataQualityEvent:
        content = "\0".join([*scope, problem, alarm, str(today.day)]).encode()
        return DataQualityEvent(
            event_id=blake2b(content, digest_size=16).hexdigest(),
            alarm=alarm,
            day=today.day,
            occurred_at=datetime.fromtimestamp((today.day + 1) * DAY_S, UTC),
            verdict=self._verdict(today, scope, problem, seen),
        )

    def _verdict(self, today: "_Today", scope: Scope, problem: Problem, seen: _Seen) -> QualityVerdict:
        return QualityVerdict(
            source=scope.source,
            course_run=scope.run or None,
            kind=scope.kind or None,
            problem=problem,
            since=self._open.get((scope, problem), seen.since),
            observed=round(seen.observed, 6),
            expected=round(seen.expected, 6),
            surprise=round(seen.surprise, 3),
            course_runs=_affected(today, scope) if problem in LOSSES else [],
        )

    # -- learning -----------------------------------------------------------------------------------

    def _learn(self, today: "_Today") -> None:
        """Take the day in, but not of what is under an alarm."""
        for scope, observed in today.observed.items():
            stream = self._stream(scope)
            if self._explained(scope, "quiet"):
                if (scope, "quiet") not in self._open:
                    stream.silence = 0.0  # it is the wider scope's
                continue
            expected = today.expected.get(scope)
            if scope.run:
                if stream.level is None:
                    stream.level = Level(observed + 0.5, observed + 0.5)
                expected = stream.level.expected(today.day)
                if scope.kind or not (stream.doubted or self._stream(Scope(scope.source)).doubted):
                    stream.level.learn(today.day, observed)
            if expected is not None:
                stream.noise.learn(observed, expected * today.movement.get(scope, 1.0))
            stream.stretch = max(stream.stretch * STRETCH_FADES, today.stretches.get(scope, 0.0))
            if not scope.run and not scope.kind:
                _learn_profile(stream, today.by_hour(scope))
        for scope, beside in today.shares.items():
            if not self._explained(scope, "quiet"):
                self._stream(scope).share.learn(today.day, beside.brought, beside.others)
        self._learn_together(today)
        self._learn_shares(today)

    def _learn_together(self, today: "_Today") -> None:
        for run, together in today.together.items():
            rests_on = today.rests_on.get(run, [])
            for scope in [] if self._fell_behind(rests_on) else rests_on:
                whole = self._stream(Scope(scope.source)).companions
                if not (self._explained(scope, "quiet") or whole.doubted):
                    self._stream(scope).companions.learn(together)

    def _learn_shares(self, today: "_Today") -> None:
        for scope in today.totals:
            total = today.records(scope)
            for fault in FAULTS:
                if total and not self._explained(scope, fault):
                    share = self._stream(scope).shares.setdefault(fault, _Share())
                    share.learn(today.totals[scope].faults.get(fault, 0) / total)

    # -- data ---------------------------------------------------------------------------------------

    def _state(self) -> dict[str, JsonValue]:
        streams: list[JsonValue] = [[*scope, *_dump(self._streams[scope])] for scope in sorted(self._streams)]
        alarms: list[JsonValue] = [
            [*scope, problem, self._open[scope, problem]] for scope, problem in sorted(self._open)
        ]
        return {"streams": streams, "open": alarms}

    @classmethod
    def from_state(cls, state: Mapping[str, JsonValue]) -> "QualityWatch":
        """Go on from ``DayQuality.rhythm``. Raises ``ValueError`` where it is not one."""
        found = cls()
        checked = _stored.validate_python(state) if state else _Stored()
        for source, run, kind, *rest in checked.streams:
            found._streams[Scope(source, run, kind)] = _load(rest)
        for source, run, kind, problem, since in checked.open:
            found._open[Scope(source, run, kind), problem] = since
        return found


@dataclass(frozen=True, slots=True)
class _Beside:
    """What a scope brought, what the other sources of its runs did, and its own level that lasts."""

    brought: float
    others: float
    slow: float

    @property
    def own(self) -> float:
        """How far it is below its own level, as a logarithm."""
        return log((self.brought + 1) / (self.slow + 1))


class _Torn(NamedTuple):
    """What a scope brought, what it would have, and how a day speaks for a loss."""

    brought: float
    usual: float
    ratio: float


@dataclass(slots=True)
class _Today:
    """A day while it is judged: its counts, and what became of them."""

    day: int
    counts: dict[tuple[str, str], Counts]
    phases: Mapping[str, float]
    together: Mapping[str, NDArray[np.int64]]
    observed: dict[Scope, float] = field(default_factory=dict)
    expected: dict[Scope, float] = field(default_factory=dict)
    movement: dict[Scope, float] = field(default_factory=dict)
    stretches: dict[Scope, float] = field(default_factory=dict)
    shares: dict[Scope, "_Beside"] = field(default_factory=dict)
    """Of whole sources and their parts of runs, where others were active."""

    rests_on: dict[str, list[Scope]] = field(default_factory=dict)
    """By run: its part of the sources that bring its events."""

    torn: dict[Scope, "_Torn"] = field(default_factory=dict)
    """Of whole sources and their parts of runs, where what goes together is known."""

    totals: dict[Scope, Counts] = field(default_factory=dict)
    """Of each source and of its part of each run."""

    def __post_init__(self) -> None:
        for key, one in self.counts.items():
            self.totals[Scope(*key)] = one
            total = self.totals.setdefault(Scope(key[0]), Counts.none())
            total.hours[...] += one.hours
            for fault, count in one.faults.items():
                total.faults[fault] += count

    def hours(self, scope: Scope) -> NDArray[np.int64]:
        """[kinds, hours]"""
        found = self.totals.get(scope)
        return np.zeros((KINDS, HOURS), np.int64) if found is None else found.hours

    def by_hour(self, scope: Scope) -> NDArray[np.int64]:
        """Of the kinds that have a rhythm, [hours]."""
        found: NDArray[np.int64] = self.hours(scope)[WITH_RHYTHM].sum(axis=0)
        return found

    def records(self, scope: Scope) -> int:
        """Events, and records that became none."""
        found = self.totals[scope]
        lost: tuple[Fault, ...] = ("duplicates", "unknown_kind", "invalid", "future")
        return int(found.hours.sum()) + sum(found.faults.get(fault, 0) for fault in lost)

    def is_ending(self, scope: Scope) -> bool:
        return bool(scope.run) and self.phases.get(scope.run, 0.0) >= LAST_PHASE

    def is_silent(self, scope: Scope) -> bool:
        """Whether some run of the scope has no events at all, from no source."""
        runs = [scope.run] if scope.run else self.runs_of(scope)
        return not all(
            any(one.hours.any() for key, one in self.counts.items() if key[1] == run) for run in runs
        )

    def runs_of(self, scope: Scope) -> list[str]:
        """Runs that something is expected for, or came from."""
        known = self.observed.keys() | {Scope(*key) for key in self.counts}
        return sorted({one.run for one in known if one.run and one.source == scope.source})


def _affected(today: _Today, scope: Scope) -> list[str]:
    return [scope.run] if scope.run else today.runs_of(scope)


def _width(scope: Scope) -> tuple[int, Scope]:
    return sum(map(bool, scope)), scope


def _movement(today: _Today, peers: Iterable[Scope]) -> float:
    """How far below their expectation the peers are together."""
    judged = [peer for peer in peers if peer in today.expected]
    expected = sum(today.expected[peer] for peer in judged)
    observed = sum(today.observed[peer] for peer in judged)
    return min(max(observed / expected, LEAST_MOVEMENT), 1.0) if expected > 0 else 1.0


def _learn_profile(stream: _Stream, by_hour: NDArray[np.int64]) -> None:
    total = int(by_hour.sum())
    if total:
        shares = (by_hour / total).tolist()
        before = stream.profile or shares
        stream.profile = [old + PROFILE_WEIGHT * (new - old) for old, new in zip(before, shares, strict=True)]


def merge_counts(counts: Iterable[SourceCounts]) -> dict[tuple[str, str], Counts]:
    """By source and run, whatever partitions said it, in order of their names.

    Raises ValueError for another shape than [kinds, hours] or a negative count.
    """
    found: dict[tuple[str, str], Counts] = {}
    for one in counts:
        hours = unpack(one.hours).astype(np.int64)
        if hours.shape != (KINDS, HOURS) or (hours < 0).any():
            raise ValueError(
                f"source counts of {one.source!r}: expected counts of shape {(KINDS, HOURS)}, none below 0; "
                f"found shape {hours.shape}"
            )
        total = found.setdefault((one.source, one.course_run), Counts.none())
        total.hours[...] += hours
        for fault, count in one.faults.items():
            total.faults[fault] += count
    return dict(sorted(found.items()))


def merge_together(reports: Iterable[Mapping[str, PackedArray]]) -> dict[str, NDArray[np.int64]]:
    """What learners did together, by course run in order of their names, whatever partitions said it.

    Raises ValueError for another shape than [2, kinds] or a negative count.
    """
    found: dict[str, NDArray[np.int64]] = {}
    for report in reports:
        for run, packed in report.items():
            learners = unpack(packed).astype(np.int64)
            if learners.shape != (2, KINDS) or (learners < 0).any():
                raise ValueError(
                    f"together of {run!r}: expected counts of shape {(2, KINDS)}, none below 0; "
                    f"found shape {learners.shape}"
                )
            found[run] = found.get(run, np.int64(0)) + learners
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the state must look like."""

    streams: list[list[Any]] = field(default_factory=list)
    open: list[tuple[str, str, str, Problem, int]] = field(default_factory=list)


_stored: TypeAdapter[_Stored] = TypeAdapter(_Stored)


def _dump(stream: _Stream) -> list[JsonValue]:
    level = stream.level
    return [
        None if level is None else [level.slow, level.quick, *level.weekdays],
        [stream.noise.value, stream.noise.days],
        [stream.silence, stream.silent_since, stream.stretch],
        {fault: [one.mean, one.variance, one.days] for fault, one in sorted(stream.shares.items())},
        list(stream.profile),
        [*(getattr(stream.share, name) for name in Share.__slots__[:-1]), *stream.share.weekdays],
        cast(JsonValue, stored(stream.companions)),
    ]


def _load(parts: list[Any]) -> _Stream:
    level, noise, memory, shares, profile, share, companions = parts
    mean, variance, days, evidence, since, *weekdays = share
    values: list[Any] = [
        None if level is None else Level(level[0], level[1], level[2:]),
        Noise(*noise),
        *memory,
        {fault: _Share(*one) for fault, one in shares.items()},
        profile,
        Share(mean, variance, days, evidence, since, weekdays),
        restored(companions),
    ]
    return _Stream(*values)
