"""A course run from its calendar message."""

from typing import Any

import numpy as np

from features.coursework import OPEN_END, Run
from schemas.fields import DAY_S, EARLIEST, LATEST

_BEGIN_OF_TIME, _END_OF_TIME = int(EARLIEST.timestamp()), int(LATEST.timestamp())


def run_of(calendar: dict[str, Any]) -> Run:
    """The run that a calendar describes, as the state keeps it: moments are epoch seconds.

    A calendar that was stored before dates had a range makes a run too: dates are moved into the range.
    """
    due = sorted(calendar["deadlines"], key=lambda one: (one["due_at"], one["assessment"]))
    later = {one["assessment"]: one for one in due if one["due_at"] < _END_OF_TIME}
    deadlines = sorted(later.values(), key=lambda one: (one["due_at"], one["assessment"]))
    end = calendar["ends_at"]
    total = max(sum(one["weight"] for one in deadlines), 1.0)
    return Run(
        name=calendar["course_run"],
        course=calendar["course"],
        start=min(max(calendar["starts_at"], _BEGIN_OF_TIME), _END_OF_TIME) // DAY_S,
        end=OPEN_END if end is None or end >= _END_OF_TIME else end // DAY_S,
        due=np.array([-(-one["due_at"] // DAY_S) for one in deadlines], np.int64),
        weights=np.array([one["weight"] / total for one in deadlines]),
        assessments=tuple(one["assessment"] for one in deadlines),
    )
