"""Opens, closes and accepts alarms: one cause is told once, by the widest scope that it explains."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b

from data_quality.counts import Scope
from data_quality.day import Day, affected
from data_quality.detection import ACCEPTED_AFTER, CLOSES, Finding
from data_quality.memory import Memory
from schemas.fields import DAY_S
from schemas.quality import Alarm, DataQualityEvent, Problem, QualityVerdict

LOSSES: frozenset[Problem] = frozenset({"quiet", "unknown_kind", "invalid", "future", "without_object"})
"""Problems by which activity goes unseen; without its object nobody knows which work was handed in. Of the
others nothing is lost: repeats are dropped by their ids, late events count in their right day. They are told,
and no learner's estimate depends on them."""


def settle(memory: Memory, today: Day, found: list[tuple[Scope, Problem, Finding]]) -> list[DataQualityEvent]:
    """Open, close and accept alarms."""
    seen = {(scope, problem): one for scope, problem, one in found}
    events = [*_close(memory, today, seen)]
    settled = [
        Scope(event.verdict.source, event.verdict.course_run or "", event.verdict.kind or "")
        for event in events
    ]
    accepted = [of for of, event in zip(settled, events, strict=True) if event.alarm == "accepted"]
    for scope, problem, one in found:
        if scope in settled or any(scope.within(wider) for wider in accepted):
            continue
        if one.surprise >= one.opens and not memory.is_explained(scope, problem):
            memory.alarms[scope, problem] = one.since
            events.append(_event(memory, today, "opened", scope, problem, one))
            for other in [key for key in memory.alarms if key != (scope, problem) and key[1] == problem]:
                if other[0].within(scope):
                    del memory.alarms[other]
    return events


def _close(
    memory: Memory, today: Day, seen: Mapping[tuple[Scope, Problem], Finding]
) -> Iterator[DataQualityEvent]:
    for scope, problem in sorted(memory.alarms):
        since, one = memory.alarms[scope, problem], seen.get((scope, problem))
        if one is not None and one.surprise >= CLOSES:
            if today.day - since < ACCEPTED_AFTER or (problem == "quiet" and today.is_silent(scope)):
                continue
            for part in [part for part in memory.histories if part.within(scope)]:
                del memory.histories[part]  # what stays changed is learned anew
        del memory.alarms[scope, problem]
        alarm: Alarm = "accepted" if one is not None and one.surprise >= CLOSES else "closed"
        yield _event(memory, today, alarm, scope, problem, one or Finding(0.0, 0.0, 0.0, since))


def _event(
    memory: Memory, today: Day, alarm: Alarm, scope: Scope, problem: Problem, seen: Finding
) -> DataQualityEvent:
    content = "\0".join([*scope, problem, alarm, str(today.day)]).encode()
    return DataQualityEvent(
        event_id=blake2b(content, digest_size=16).hexdigest(),
        alarm=alarm,
        day=today.day,
        occurred_at=datetime.fromtimestamp((today.day + 1) * DAY_S, UTC),
        verdict=verdict_on(memory, today, scope, problem, seen),
    )


def verdict_on(memory: Memory, today: Day, scope: Scope, problem: Problem, seen: Finding) -> QualityVerdict:
    return QualityVerdict(
        source=scope.source,
        course_run=scope.run or None,
        kind=scope.kind or None,
        problem=problem,
        since=memory.alarms.get((scope, problem), seen.since),
        observed=round(seen.observed, 6),
        expected=round(seen.expected, 6),
        surprise=round(seen.surprise, 3),
        course_runs=affected(today, scope) if problem in LOSSES else [],
    )
