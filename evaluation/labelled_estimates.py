"""Estimates joined with outcomes: the estimates that are evaluated, and the weekly view of them.

Estimates are evaluated from day 1 on while their enrolment is in force. The weekly view has, on every seventh
day until three weeks before the end of the run, the newest estimate of the last seven days of everybody in
force, including learners who were never active.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from evaluation.errors import EstimatesError
from evaluation.outcomes import KEY, Bools, Floats, Ints, Outcomes

REQUIRED_COLUMNS = (*KEY, "day", "risk")


@dataclass(frozen=True, slots=True)
class LabelledEstimates:
    """The estimates that are evaluated, in order of enrolment and day; columns [m]."""

    outcomes: Outcomes
    row: Ints
    """The enrolment's index in ``outcomes``."""
    day: Ints
    risk: Floats
    urgency: Floats
    """Ranks budgeted alarms: exit risk if the table has it, else risk."""
    has_exit_risk: bool
    alert: Bools | None
    """None if the table has no such column."""


@dataclass(frozen=True, slots=True)
class WeeklyEstimates:
    """The newest estimate of each week and enrolment in force; columns [k], in order of day and enrolment."""

    day: Ints
    row: Ints
    risk: Floats
    urgency: Floats
    lost: Bools
    active: Bools
    """Whether the learner was active within the last seven days."""
    in_force: int
    """Enrolments in force over all weeks, with or without an estimate."""

    def weeks(self) -> Iterator[tuple[int, Bools]]:
        """Each day and the mask of its rows, [k]."""
        for day in np.unique(self.day).tolist():
            yield day, self.day == day

    def select(self, chosen: Bools) -> "WeeklyEstimates":
        """The rows of a mask; ``in_force`` remains that of all."""
        return WeeklyEstimates(
            self.day[chosen],
            self.row[chosen],
            self.risk[chosen],
            self.urgency[chosen],
            self.lost[chosen],
            self.active[chosen],
            self.in_force,
        )


def label_estimates(table: pa.Table, outcomes: Outcomes) -> LabelledEstimates:
    """Join a table of estimates with the outcomes; estimates of other enrolments are left out.

    Raises:
        EstimatesError: for a missing column, a risk outside [0, 1], or two estimates of one enrolment and
        day.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in table.column_names]
    if missing:
        raise EstimatesError(f"estimates: {missing[0]} is missing, found {', '.join(table.column_names)}")
    row = outcomes.indexes(*(table[name].to_numpy() for name in KEY))
    day = _numbers(table, "day").astype(np.int64)
    risk = _numbers(table, "risk")
    bad = ~((risk >= 0) & (risk <= 1))
    if bad.any():
        raise EstimatesError(f"risk: found {risk[bad][0]}, expected 0 to 1")
    has_exit_risk = "exit_risk" in table.column_names
    urgency = _numbers(table, "exit_risk") if has_exit_risk else risk
    alert = _numbers(table, "alert") > 0 if "alert" in table.column_names else None
    start, end = outcomes.start[row], outcomes.end[row]
    counted = np.flatnonzero((row >= 0) & (day >= 1) & (start < day) & (day <= end))
    counted = counted[np.lexsort((day[counted], row[counted]))]
    repeated = np.flatnonzero((np.diff(row[counted]) == 0) & (np.diff(day[counted]) == 0))
    if len(repeated):
        duplicate = counted[repeated[0]]
        student = outcomes.student[row[duplicate]]
        raise EstimatesError(
            f"day: {day[duplicate]} of student {student} is there twice, expected one estimate"
        )
    alert = None if alert is None else alert[counted]
    return LabelledEstimates(
        outcomes, row[counted], day[counted], risk[counted], urgency[counted], has_exit_risk, alert
    )


def weekly_estimates(labelled: LabelledEstimates) -> WeeklyEstimates:
    """The weekly view of estimates.

    Raises:
        EstimatesError: if the runs are shorter than four weeks.
    """
    outcomes = labelled.outcomes
    latest = np.full((len(outcomes), 2), np.nan)
    parts: list[tuple[Ints, Ints, Floats, Bools]] = []
    week = -(-labelled.day // 7) * 7
    total_in_force = 0
    for day in range(7, outcomes.last_week, 7):
        in_force = outcomes.in_force(day)
        inside = np.flatnonzero(week == day)
        latest[:] = np.nan
        # In order of day, so that the newest stays.
        latest[labelled.row[inside]] = np.stack([labelled.risk[inside], labelled.urgency[inside]], axis=1)
        rows = np.flatnonzero(in_force & ~np.isnan(latest[:, 0]))
        total_in_force += int(in_force.sum())
        parts.append((np.full(len(rows), day), rows, latest[rows], outcomes.active[rows, day // 7 - 1]))
    if not parts:
        raise EstimatesError("day: the runs are shorter than four weeks, there is nothing to judge")
    days, rows, newest, active = (np.concatenate(column) for column in zip(*parts, strict=True))
    return WeeklyEstimates(
        days, rows, newest[:, 0], newest[:, 1], outcomes.lost[rows], active, total_in_force
    )


def _numbers(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)
