"""A table of estimates beside what really happened: which estimates count, and the weekly view of them.

Counted are estimates from day 1 on of enrolments that have begun and not ended. Risk is judged weekly: on
every seventh day, until three weeks before the end of the run, by the newest estimate of the last seven
days of everybody in force, those who never came included.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from evaluation.errors import EstimatesError
from evaluation.outcomes import KEY, Bools, Floats, Ints, Outcomes

WANTED = (*KEY, "day", "risk")


@dataclass(frozen=True, slots=True)
class Judged:
    """Estimates that count, in order of enrolment and day; columns [m]."""

    outcomes: Outcomes
    row: Ints
    """The enrolment: its place in ``outcomes``."""
    day: Ints
    risk: Floats
    urgency: Floats
    """What budgeted alarms are ranked by: exit risk where the table has it, else risk."""
    has_exit_risk: bool
    alert: Bools | None
    """None where the table does not say."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """The newest estimate of each week's enrolments in force; columns [k], in order of day and enrolment."""

    day: Ints
    row: Ints
    risk: Floats
    urgency: Floats
    lost: Bools
    active: Bools
    """Whether the learner was active within the last seven days."""
    wanted: int
    """Enrolments in force over all weeks, with or without an estimate."""

    def weeks(self) -> Iterator[tuple[int, Bools]]:
        """Each day, with what belongs to it [k]."""
        for day in np.unique(self.day).tolist():
            yield day, self.day == day

    def of(self, kept: Bools) -> "Weekly":
        """Only some of the rows; what was wanted stays as it was."""
        return Weekly(
            self.day[kept],
            self.row[kept],
            self.risk[kept],
            self.urgency[kept],
            self.lost[kept],
            self.active[kept],
            self.wanted,
        )


def judge(table: pa.Table, outcomes: Outcomes) -> Judged:
    """Put a table of estimates beside the outcomes; estimates of other enrolments are left out.

    Raises ``EstimatesError`` for a column that is missing, a risk outside [0, 1], and two estimates of one
    enrolment and day.
    """
    missing = [name for name in WANTED if name not in table.column_names]
    if missing:
        raise EstimatesError(f"estimates: {missing[0]} is missing, found {', '.join(table.column_names)}")
    row = outcomes.places(*(table[name].to_numpy() for name in KEY))
    day = _numbers(table, "day").astype(np.int64)
    risk = _numbers(table, "risk")
    bad = ~((risk >= 0) & (risk <= 1))
    if bad.any():
        raise EstimatesError(f"risk: found {risk[bad][0]}, expected 0 to 1")
    has_exit_risk = "exit_risk" in table.column_names
    urgency = _numbers(table, "exit_risk") if has_exit_risk else risk
    alert = _numbers(table, "alert") > 0 if "alert" in table.column_names else None
    start, end = outcomes.start[row], outcomes.end[row]
    kept = np.flatnonzero((row >= 0) & (day >= 1) & (start < day) & (day <= end))
    kept = kept[np.lexsort((day[kept], row[kept]))]
    again = np.flatnonzero((np.diff(row[kept]) == 0) & (np.diff(day[kept]) == 0))
    if len(again):
        twice = kept[again[0]]
        student = outcomes.student[row[twice]]
        raise EstimatesError(f"day: {day[twice]} of student {student} is there twice, expected one estimate")
    alert = None if alert is None else alert[kept]
    return Judged(outcomes, row[kept], day[kept], risk[kept], urgency[kept], has_exit_risk, alert)


def weekly(judged: Judged) -> Weekly:
    """The weekly view."""
    outcomes = judged.outcomes
    latest = np.full((len(outcomes), 2), np.nan)
    parts: list[tuple[Ints, Ints, Floats, Bools]] = []
    week = -(-judged.day // 7) * 7
    wanted = 0
    for day in range(7, outcomes.last_week, 7):
        force = outcomes.in_force(day)
        inside = np.flatnonzero(week == day)
        latest[:] = np.nan
        # In order of day, so that the newest stays.
        latest[judged.row[inside]] = np.stack([judged.risk[inside], judged.urgency[inside]], axis=1)
        rows = np.flatnonzero(force & ~np.isnan(latest[:, 0]))
        wanted += int(force.sum())
        parts.append((np.full(len(rows), day), rows, latest[rows], outcomes.active[rows, day // 7 - 1]))
    if not parts:
        raise EstimatesError("day: the runs are shorter than four weeks, there is nothing to judge")
    days, rows, found, active = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Weekly(days, rows, found[:, 0], found[:, 1], outcomes.lost[rows], active, wanted)


def _numbers(table: pa.Table, name: str) -> Floats:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)
