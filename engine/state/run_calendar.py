"""Builds a course run from its calendar message."""

from typing import Any

import numpy as np

from features.coursework import OPEN_END, Run
from schemas.fields import DAY_S, EARLIEST, LATEST

_BEGIN_OF_TIME, _END_OF_TIME = int(EARLIEST.timestamp()), int(LATEST.timestamp())


def run_from_calendar(calendar: dict[str, Any]) -> Run:
    """The run of a calendar fact, whose times are epoch seconds.

    Dates outside of the contract's range are clamped: calendars may have been stored before it had one.
    """
    due = sorted(calendar["deadlines"], key=lambda deadline: (deadline["due_at"], deadline["assessment"]))
    later = {deadline["assessment"]: deadline for deadline in due if deadline["due_at"] < _END_OF_TIME}
    deadlines = sorted(later.values(), key=lambda deadline: (deadline["due_at"], deadline["assessment"]))
    end = calendar["ends_at"]
    total = max(sum(deadline["weight"] for deadline in deadlines), 1.0)
    return Run(
        name=calendar["course_run"],
        course=calendar["course"],
        start=min(max(calendar["starts_at"], _BEGIN_OF_TIME), _END_OF_TIME) // DAY_S,
        end=OPEN_END if end is None or end >= _END_OF_TIME else end // DAY_S,
        due=np.array([-(-deadline["due_at"] // DAY_S) for deadline in deadlines], np.int64),
        weights=np.array([deadline["weight"] / total for deadline in deadlines]),
        assessments=tuple(deadline["assessment"] for deadline in deadlines),
    )
