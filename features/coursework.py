"""Hand-ins and grades: one cell per enrolment and deadline of its course run.

Unlike clicks, these facts have an order, so the caller applies them in event time, each when its day has
closed. A cell is independent of the calendar: which attempt counts (best, last, first, mean), and when the
work was due, is looked up when the cell is read. So the order of calendar and work makes no difference.

**Attempts.** Each hand-in is an attempt. A grade without an attempt number is for the newest attempt, and a
second one for the same attempt corrects it. Work that waits for its grade is neither earned nor lost.

**A grade without a hand-in.** Platforms mark missing work with 0: the work stays missing. Any other grade is
for work done elsewhere, such as an oral exam: it is done, and how early is not known.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.ring import NEVER, Ints, Rows
from schemas.enrolment import INACTIVE_AFTER_DAYS
from schemas.fields import course_of

SCORE_STEPS = 200
"""Scores are stored in half percents."""

NO_SCORE = 255
NO_DAY = 2**16 - 1
FIRST_DAY = 10_957
"""2000-01-01: the first day that the contract allows. The last one is 36,524 days later."""

OPEN_END = 2**31 - 1
"""The end of a run without one."""

MAX_ORDER = 2**16 - 1
"""Most of ``order``; all later grades of an enrolment count as the newest."""

FIELDS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("enrolled", "<i4", ()),  # day of the first registration
    ("progress", "u1", ()),  # the newest reported, in half percents
    ("progress_at", "<u4", ()),  # when it was reported, epoch seconds
)
"""Name, type and shape of each column of an enrolment's row; 9 bytes."""

CELL = np.dtype(
    [
        ("day", "<u2"),  # of the first hand-in, from FIRST_DAY; NO_DAY without one
        ("order", "<u2"),  # of the newest grade among those of the enrolment, the newest highest; 0 without
        ("attempt", "u1"),  # number of the newest attempt, 0 without a hand-in
        ("graded_attempt", "u1"),  # number of the newest graded attempt
        ("last", "u1"),  # grade of that attempt
        ("earlier", "u1"),  # number of graded attempts before it
        ("total", "<u2"),  # sum of their grades
        ("first", "u1"),  # grade of the first of them
        ("best", "u1"),  # the best of them
    ]
)
"""A piece of work of one enrolment, 12 bytes; grades in half percents, ``NO_SCORE`` without one."""

Cells = NDArray[np.void]
"""Structured by ``CELL``."""


@dataclass(frozen=True, slots=True)
class Run:
    """A course run's calendar, in epoch days.

    start, end: ``NEVER`` without a calendar; end: ``OPEN_END`` if the calendar has none. due: the first day
    after each deadline, int64 [deadlines], ``NO_DATE`` if only sections or learners have it. weights:
    [deadlines], with a sum of at most 1. attempts: which attempt counts, by deadline. other_dates: (kind,
    name) of a section or a learner → its own days of some deadlines (see :mod:`features.dates`). is_relative:
    whether ``due`` has days from each learner's own start instead, bool [deadlines], or empty if none is.
    other_relative: as other_dates, in such days. inactive_after: days without activity after which a learner
    of a run without an end is gone.
    """

    name: str
    course: str
    start: int
    end: int
    due: Ints
    weights: NDArray[np.float64]
    assessments: tuple[str, ...]
    attempts: tuple[str, ...] = ()
    other_dates: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    is_relative: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    other_relative: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    inactive_after: int = INACTIVE_AFTER_DAYS

    @property
    def is_known(self) -> bool:
        return self.start != NEVER

    @property
    def has_end(self) -> bool:
        """Whether the run has a calendar with an end. Any other is *open*: each learner has a clock of their
        own."""
        return self.is_known and self.end != OPEN_END

    @property
    def has_other_dates(self) -> bool:
        """Whether a section or a learner has dates of its own."""
        return bool(self.other_dates or self.other_relative)

    @property
    def length(self) -> int:
        """Days from start to end, at least 1. Only defined if ``has_end``."""
        return max(self.end - self.start, 1)


def unknown_run(name: str) -> Run:
    """A run without a calendar (yet): it is scored as an open one, without deadlines."""
    none = np.empty(0)
    return Run(name, course_of(name), NEVER, NEVER, none.astype(np.int64), none, ())


def clear(rows: Rows, slots: Ints) -> None:
    """Reset enrolments: not registered, no progress reported."""
    rows["enrolled"][slots] = NEVER
    rows["progress"][slots] = 0
    rows["progress_at"][slots] = 0


def empty_cells(*shape: int) -> Cells:
    """Cells without a hand-in or a grade, of any shape."""
    cells = np.zeros(shape, CELL)
    cells["day"] = NO_DAY
    for name in ("first", "best", "last"):
        cells[name] = NO_SCORE
    return cells


def score_steps(score: float) -> int:
    """A score in [0, 1] in half percents."""
    return round(score * SCORE_STEPS)


def cell_day(day: int) -> int:
    """An epoch day as stored in cells."""
    return min(max(day - FIRST_DAY, 0), NO_DAY - 1)


def record_hand_in(cell: Any, day: int) -> None:
    """Record an attempt on an epoch day. cell: a scalar of ``CELL``, changed in place."""
    cell["attempt"] = min(int(cell["attempt"]) + 1, 255)
    cell["day"] = min(int(cell["day"]), cell_day(day))


def record_grade(cell: Any, day: int, steps: int, order: int, attempt: int | None = None) -> None:
    """Record a grade given on an epoch day. cell: a scalar of ``CELL``, changed in place.

    steps: the grade in half percents. order: of this grade among those of the enrolment. attempt: number of
    the graded attempt, None for the newest one.
    """
    if cell["day"] == NO_DAY:
        if steps == 0:
            return
        cell["day"] = cell_day(day)
    cell["order"] = order
    number = int(cell["attempt"]) if attempt is None else min(attempt, 255)
    cell["attempt"] = max(int(cell["attempt"]), number)
    if number < cell["graded_attempt"]:
        _add_earlier(cell, steps)
        return
    if number > cell["graded_attempt"] and cell["last"] != NO_SCORE:
        _add_earlier(cell, int(cell["last"]))
    cell["graded_attempt"], cell["last"] = number, steps


def _add_earlier(cell: Any, steps: int) -> None:
    if cell["earlier"] == 255:
        return
    if not cell["earlier"]:
        cell["first"] = cell["best"] = steps
    cell["best"] = max(int(cell["best"]), steps)
    cell["earlier"] += 1
    cell["total"] += steps


def combine_cells(cell: Any, other: Any) -> None:
    """Add the attempts and grades of another cell of the same work, which came before those of ``cell``.

    Both are scalars of ``CELL``; ``cell`` is changed in place. Combined with an empty cell, a cell stays what
    it was.
    """
    grades = [each for each in (other, cell) if each["last"] != NO_SCORE]
    newest = grades[-1] if grades else cell
    graded_attempt, last = int(newest["graded_attempt"]), int(newest["last"])
    if newest is cell:
        graded_attempt += int(other["attempt"])
    earlier = sum(int(each["earlier"]) for each in grades) + max(len(grades) - 1, 0)
    total = sum(int(each["total"]) for each in grades)
    if len(grades) == 2:
        total += int(other["last"])
        first = int(other["first"] if other["earlier"] else other["last"])
        best = max(_best(other), int(cell["best"]) if cell["earlier"] else 0)
    else:
        first, best = int(newest["first"]), int(newest["best"])
    cell["day"] = min(int(cell["day"]), int(other["day"]))
    cell["order"] = max(int(cell["order"]), int(other["order"]))
    cell["attempt"] = min(int(cell["attempt"]) + int(other["attempt"]), 255)
    cell["graded_attempt"], cell["last"] = min(graded_attempt, 255), last
    cell["earlier"], cell["total"] = min(earlier, 255), min(total, 2**16 - 1)
    cell["first"], cell["best"] = first, best


def _best(cell: Any) -> int:
    """The best of all grades of a cell with a grade."""
    return max(int(cell["last"]), int(cell["best"]) if cell["earlier"] else 0)


def counted_scores(cells: Cells, attempts: tuple[str, ...]) -> Ints:
    """The grade that counts for each piece of work, in half percents, ``NO_SCORE`` without one.

    cells: [n, deadlines]. attempts: which attempt counts, by deadline; empty if the best counts for all.
    Returns int64 [n, deadlines].
    """
    last = cells["last"].astype(np.int64)
    several = cells["earlier"] > 0
    counted = np.where(several, np.maximum(last, cells["best"]), last)
    rules = np.array(attempts, object)
    if not (rules == "best").all():
        number = cells["earlier"].astype(np.int64) + 1
        mean = (2 * (cells["total"] + last) + number) // (2 * number)  # rounded
        choices = [last, np.where(several, cells["first"], last), mean]
        counted = np.select([rules == name for name in ("last", "first", "mean")], choices, counted)
        counted = np.where(last == NO_SCORE, NO_SCORE, counted)
    return counted
