"""Builds a course run from its calendar message."""

from typing import Any

import numpy as np

from features.coursework import OPEN_END, Run
from features.dates import NO_DATE
from features.event_days import EventDays
from schemas.enrolment import INACTIVE_AFTER_DAYS
from schemas.fields import EARLIEST, LATEST

_BEGIN_OF_TIME, _END_OF_TIME = int(EARLIEST.timestamp()), int(LATEST.timestamp())


def run_from_calendar(calendar: dict[str, Any], days: EventDays) -> Run:
    """The run of a calendar fact, whose times are epoch seconds. days: the event days of the partition.

    Dates outside of the contract's range are clamped: calendars may have been stored before it had one.
    """
    dated = sorted(calendar["deadlines"], key=_by_date)
    dated = [deadline for deadline in dated if deadline.get("due_at", 0) < _END_OF_TIME]
    later = {deadline["assessment"]: deadline for deadline in dated if _is_for_all(deadline)}
    for deadline in dated:
        later.setdefault(deadline["assessment"], deadline)  # only sections or learners have it
    deadlines = sorted(later.values(), key=_by_date)
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
        other_dates=_other_dates([deadline for deadline in dated if not _is_relative(deadline)], days),
        is_relative=np.array(
            [_is_relative(deadline) and _is_for_all(deadline) for deadline in deadlines], bool
        ),
        other_relative=_other_dates([deadline for deadline in dated if _is_relative(deadline)], days),
        inactive_after=calendar.get("inactive_after_days") or INACTIVE_AFTER_DAYS,
    )


def _by_date(deadline: dict[str, Any]) -> tuple[bool, int, str]:
    """Sort key: those with a moment first, then those that count from the learner's start; earliest first."""
    is_relative = _is_relative(deadline)
    return is_relative, deadline["due_after_days" if is_relative else "due_at"], deadline["assessment"]


def _is_relative(deadline: dict[str, Any]) -> bool:
    """Whether a deadline counts from each learner's own start."""
    return "due_after_days" in deadline


def _due_day(deadline: dict[str, Any], days: EventDays) -> int:
    """The first day after a deadline: an epoch day, or days from the learner's own start."""
    return (
        int(deadline["due_after_days"]) + 1 if _is_relative(deadline) else days.first_from(deadline["due_at"])
    )


def _is_for_all(deadline: dict[str, Any]) -> bool:
    return deadline.get("section") is None and deadline.get("learner") is None


def _shared_due_day(deadline: dict[str, Any], days: EventDays) -> int:
    """The first day after everybody's deadline; ``NO_DATE`` if only a section or a learner has one."""
    return _due_day(deadline, days) if _is_for_all(deadline) else NO_DATE


def _other_dates(deadlines: list[dict[str, Any]], days: EventDays) -> dict[tuple[str, str], dict[str, int]]:
    """Days of the deadlines of sections and learners: (kind, name) → assessment → day."""
    dates: dict[tuple[str, str], dict[str, int]] = {}
    for deadline in deadlines:
        day = _due_day(deadline, days)
        for kind in ("section", "learner"):
            if deadline.get(kind) is not None:
                dates.setdefault((kind, deadline[kind]), {})[deadline["assessment"]] = day
    return dates
