"""Makes one enrolment of two of the same person in the same course run.

Counts add up; of what has a time, the newest holds; a date of registration is the first of the two. What is
known of only one of them is kept: combined with a new enrolment, an enrolment stays what it was. Estimates,
level and pending snapshots are those of the enrolment that began first, since both cannot be one example.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.day.enrolment_history import set_outcome
from features.event_days import EventDays
from features.ring import NEVER
from online_models.labels import OPEN
from online_models.recommender import Trail

_OF_THE_FIRST = (
    "probability",
    "is_estimated",
    "exit_counted",
    "memory",
    "level",
    "candidate",
    "streak",
    "reported",
    "reported_memory",
    "reported_shift",
    "reported_codes",
    "reported_ranks",
    "written",
    "written_day",
    "offered",
    "snap_day",
    "snap_probability",
    "snap_served",
    "snap_codes",
    "snap_ranks",
)
"""Fields of the enrolment that began first."""

_SUMS = ("clicks", "seconds", "old_days", "old_clicks")


def combine_rows(row: Any, other: Any, days: EventDays) -> None:
    """Add ``other`` to ``row``, which keeps its hash; scalars of ``row_layout.ROW``, ``row`` in place."""
    if _first_day(other) < _first_day(row):
        for name in _OF_THE_FIRST:
            row[name] = other[name]
    _combine_status(row, other)
    _combine_activity(row, other)
    row["enrolled"] = _earliest(row["enrolled"], other["enrolled"])
    for value, at in (("role", "role_at"), ("progress", "progress_at"), ("result", "result_at")):
        if other[at] > row[at]:
            row[value], row[at] = other[value], other[at]
    set_outcome(row, days)


def _first_day(row: Any) -> float:
    begun = [int(row[name]) for name in ("enrolled", "first_active") if row[name] != NEVER]
    return min(begun, default=float("inf"))


def _combine_status(row: Any, other: Any) -> None:
    """One account may be withdrawn because of the merge: the learner is enrolled while either account is."""
    begun = [each for each in (row, other) if _first_day(each) < float("inf") or each["status_at"]]
    enrolled = [each for each in begun if each["status"] == OPEN] or begun
    if enrolled:
        newest = max(enrolled, key=lambda each: int(each["status_at"]))
        row["status"], row["status_at"] = int(newest["status"]), int(newest["status_at"])


def _combine_activity(row: Any, other: Any) -> None:
    for name in _SUMS:
        limit = np.iinfo(row[name].dtype).max
        row[name] = np.minimum(row[name].astype(np.int64) + other[name], limit)
    row["hours"] |= other["hours"]
    row["old_ewma"] = np.minimum(row["old_ewma"] + other["old_ewma"], 1.0)
    row["old_first"] = _earliest(row["old_first"], other["old_first"])
    row["old_last"] = max(int(row["old_last"]), int(other["old_last"]))
    if row["old_first"] != NEVER:
        row["old_days"] = min(int(row["old_days"]), int(row["old_last"]) - int(row["old_first"]) + 1)
    row["first_active"] = _earliest(row["first_active"], other["first_active"])


def _earliest(one: Any, another: Any) -> int:
    """The earlier of two days, either of which may be ``NEVER``."""
    return min((int(day) for day in (one, another) if day != NEVER), default=NEVER)


def combine_attributes(own: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of both; own ones first, of a date and a pause the newest."""
    combined = {**other, **own}
    dates = dict(other.get("dates", {}))
    for name, date in own.get("dates", {}).items():
        if name not in dates or date[1] >= dates[name][1]:
            dates[name] = date
    pauses = {pause[0]: pause for pause in other.get("pauses", ())}
    for pause in own.get("pauses", ()):
        if pause[0] not in pauses or pause[3] >= pauses[pause[0]][3]:
            pauses[pause[0]] = pause
    if dates:
        combined["dates"] = dates
    if pauses:
        combined["pauses"] = [pauses[begin] for begin in sorted(pauses)]
    return combined


def combine_trails(own: Trail, other: Trail) -> Trail:
    """The steps and the items done of both; the last item is the own one, where there is one."""
    combined = Trail(own.last or other.last, own.done | other.done, dict(own.days))
    for day, open_day in other.days.items():
        for item, time in open_day.first.items():
            combined.add_step(day, time, item)
        if open_day.first:
            combined.add_step(day, *open_day.last)
        combined.add_done(day, open_day.done)
    return combined
