"""Opens, closes and accepts alarms: one cause raises one alarm, for the widest scope that it explains."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import blake2b

from data_quality.counts import Scope
from data_quality.day import Day, affected_runs
from data_quality.detection import ACCEPTED_AFTER, CLOSES, Finding
from data_quality.memory import Memory
from schemas.fields import DAY_S
from schemas.quality import Alarm, DataQualityEvent, Problem, QualityVerdict

LOSSES: frozenset[Problem] = frozenset({"quiet", "unknown_kind", "invalid", "future", "without_object"})
"""Problems by which activity is lost; a hand-in without its object cannot be assigned to its work. The other
problems lose nothing: duplicates are dropped by their ids, late events count in their right day. They are
reported, but estimates do not depend on them."""


def update_alarms(
    memory: Memory, today: Day, findings: list[tuple[Scope, Problem, Finding]]
) -> list[DataQualityEvent]:
    """Update the open alarms from the day's findings; returns the events, closed and accepted ones first."""
    by_alarm = {(scope, problem): finding for scope, problem, finding in findings}
    events = [*_close_alarms(memory, today, by_alarm)]
    closed = [
        Scope(event.verdict.source, event.verdict.course_run or "", event.verdict.kind or "")
        for event in events
    ]
    accepted = [of for of, event in zip(closed, events, strict=True) if event.alarm == "accepted"]
    for scope, problem, finding in findings:
        if scope in closed or any(scope.within(wider) for wider in accepted):
            continue
        if finding.surprise >= finding.opens and not memory.is_explained(scope, problem):
            memory.alarms[scope, problem] = finding.since
            events.append(_event(memory, today, "opened", scope, problem, finding))
            for other in [key for key in memory.alarms if key != (scope, problem) and key[1] == problem]:
                if other[0].within(scope):
                    del memory.alarms[other]
    return events


def _close_alarms(
    memory: Memory, today: Day, findings: Mapping[tuple[Scope, Problem], Finding]
) -> Iterator[DataQualityEvent]:
    for scope, problem in sorted(memory.alarms):
        since, finding = memory.alarms[scope, problem], findings.get((scope, problem))
        if finding is not None and finding.surprise >= CLOSES:
            if today.day - since < ACCEPTED_AFTER or (problem == "quiet" and today.is_silent(scope)):
                continue
            for part in [part for part in memory.histories if part.within(scope)]:
                del memory.histories[part]  # what stays changed is learned again
        del memory.alarms[scope, problem]
        alarm: Alarm = "accepted" if finding is not None and finding.surprise >= CLOSES else "closed"
        yield _event(memory, today, alarm, scope, problem, finding or Finding(0.0, 0.0, 0.0, since))


def _event(
    memory: Memory, today: Day, alarm: Alarm, scope: Scope, problem: Problem, finding: Finding
) -> DataQualityEvent:
    content = "\0".join([*scope, problem, alarm, str(today.day)]).encode()
    return DataQualityEvent(
        event_id=blake2b(content, digest_size=16).hexdigest(),
        alarm=alarm,
        day=today.day,
        occurred_at=datetime.fromtimestamp((today.day + 1) * DAY_S, UTC),
        verdict=verdict_on(memory, today, scope, problem, finding),
    )


def verdict_on(
    memory: Memory, today: Day, scope: Scope, problem: Problem, finding: Finding
) -> QualityVerdict:
    """The verdict of a finding, with the course runs whose activity is incomplete."""
    return QualityVerdict(
        source=scope.source,
        course_run=scope.run or None,
        kind=scope.kind or None,
        problem=problem,
        since=memory.alarms.get((scope, problem), finding.since),
        observed=round(finding.observed, 6),
        expected=round(finding.expected, 6),
        surprise=round(finding.surprise, 3),
        course_runs=affected_runs(today, scope) if problem in LOSSES else [],
    )
