"""Builds a course run from its calendar message."""

from typing import Any

import numpy as np

from features.coursework import OPEN_END, Run
from features.dates import NO_DATE
from features.event_days import EventDays
from schemas.fields import EARLIEST, LATEST

_BEGIN_OF_TIME, _END_OF_TIME = int(EARLIEST.timestamp()), int(LATEST.timestamp())


def run_from_calendar(calendar: dict[str, Any], days: EventDays) -> Run:
    """The run of a calendar fact, whose times are epoch seconds. days: the event days of the partition.

    Dates outside of the contract's range are clamped: calendars may have been stored before it had one.
    """
    dated = sorted(calendar["deadlines"], key=lambda deadline: (deadline["due_at"], deadline["assessment"]))
    dated = [deadline for deadline in dated if deadline["due_at"] < _END_OF_TIME]
    later = {deadline["assessment"]: deadline for deadline in dated if _is_for_all(deadline)}
    for deadline in dated:
        later.setdefault(deadline["assessment"], deadline)  # only sections or learners have it
    deadlines = sorted(later.values(), key=lambda deadline: (deadline["due_at"], deadline["assessment"]))
    end = calendar["ends_at"]
    total = max(sum(deadline["weight"] for deadline in deadlines), 1.0)
    return Run(
        name=calendar["course_run"],
        course=calendar["course"],
        start=days.day(min(max(calendar["starts_at"], _BEGIN_OF_TIME), _END_OF_TIME)),
        end=OPEN_END if end is None or end >= _END_OF_TIME else days.day(end),
        due=np.array([_shared_due_day(deadline, days) for deadline in deadlines], np.int64),
        weights=np.array([deadline["weight"] / total for deadline in deadlines]),
        assessments=tuple(deadline["assessment"] for deadline in deadlines),
        attempts=tuple(deadline.get("attempts") or "best" for deadline in deadlines),
        other_dates=_other_dates(dated, days),
    )


def _is_for_all(deadline: dict[str, Any]) -> bool:
    return deadline.get("section") is None and deadline.get("learner") is None


def _shared_due_day(deadline: dict[str, Any], days: EventDays) -> int:
    """The first epoch day after everybody's deadline; ``NO_DATE`` if only a section or a learner has one."""
    return days.first_from(deadline["due_at"]) if _is_for_all(deadline) else NO_DATE


def _other_dates(deadlines: list[dict[str, Any]], days: EventDays) -> dict[tuple[str, str], dict[str, int]]:
    """Days of the deadlines of sections and learners: (kind, name) → assessment → day."""
    dates: dict[tuple[str, str], dict[str, int]] = {}
    for deadline in deadlines:
        day = days.first_from(deadline["due_at"])
        for kind in ("section", "learner"):
            if deadline.get(kind) is not None:
                dates.setdefault((kind, deadline[kind]), {})[deadline["assessment"]] = day
    return dates
