"""A course run from its calendar message."""

from typing import Any

import numpy as np

from features.coursework import OPEN_END, Run
from features.dates import NO_DATE
from schemas.fields import DAY_S, EARLIEST, LATEST

_BEGIN_OF_TIME, _END_OF_TIME = int(EARLIEST.timestamp()), int(LATEST.timestamp())


def run_of(calendar: dict[str, Any]) -> Run:
    """The run that a calendar describes, as the state keeps it: moments are epoch seconds.

    A calendar that was stored before dates had a range makes a run too: dates are moved into the range.
    """
    listed = sorted(calendar["deadlines"], key=lambda entry: (entry["due_at"], entry["assessment"]))
    listed = [entry for entry in listed if entry["due_at"] < _END_OF_TIME]
    later = {entry["assessment"]: entry for entry in listed if _is_for_all(entry)}
    for entry in listed:
        later.setdefault(entry["assessment"], entry)  # one that only sections have
    deadlines = sorted(later.values(), key=lambda entry: (entry["due_at"], entry["assessment"]))
    end = calendar["ends_at"]
    total = max(sum(entry["weight"] for entry in deadlines), 1.0)
    return Run(
        name=calendar["course_run"],
        course=calendar["course"],
        start=min(max(calendar["starts_at"], _BEGIN_OF_TIME), _END_OF_TIME) // DAY_S,
        end=OPEN_END if end is None or end >= _END_OF_TIME else end // DAY_S,
        due=np.array([_due_day(entry) if _is_for_all(entry) else NO_DATE for entry in deadlines], np.int64),
        weights=np.array([entry["weight"] / total for entry in deadlines]),
        assessments=tuple(entry["assessment"] for entry in deadlines),
        attempts=tuple(entry.get("attempts") or "best" for entry in deadlines),
        other_dates=_other_dates(listed),
    )


def _is_for_all(deadline: dict[str, Any]) -> bool:
    return deadline.get("section") is None and deadline.get("learner") is None


def _due_day(deadline: dict[str, Any]) -> int:
    """The day from which it has passed."""
    return int(-(-deadline["due_at"] // DAY_S))


def _other_dates(deadlines: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, int]]:
    """Days of the deadlines that are not everybody's, by whose they are."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for deadline in deadlines:
        for kind in ("section", "learner"):
            if deadline.get(kind) is not None:
                found.setdefault((kind, deadline[kind]), {})[deadline["assessment"]] = _due_day(deadline)
    return found
