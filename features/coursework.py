"""What was handed in, when, and what it was worth: one cell an enrolment and deadline of its course run.

Unlike clicks these facts have an order, so the caller applies them in event time, each when its day has
closed. A cell knows nothing of the calendar: what of it counts (the best attempt, the last one) and by when
it was due is asked when it is read. So it does not matter whether the calendar came before or after the work.

**Attempts.** Each hand-in is an attempt. A grade without a number is the newest attempt's, and another one
after it corrects it. Work that waits for its grade is neither earned nor lost.

**A grade without a hand-in.** A nought is how a platform marks missing work: the work stays missing. Any
other grade is of work done elsewhere, such as an oral exam: it is done, and nobody knows how early.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.ring import NEVER, Ints, Rows

SCORE_STEPS = 200
"""Scores are kept in half percents."""

NO_SCORE = 255
NO_DAY = 2**16 - 1
FIRST_DAY = 10_957
"""2000-01-01: the first day that the contract knows. The last one is 36,524 days later."""

OPEN_END = 2**31 - 1
"""The end of a run that has none."""

MOST_SCORES = 2**16 - 1
"""Of ``order``: later ones of an enrolment all count as the newest."""

FIELDS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("enrolled", "<i4", ()),  # day of the first registration
    ("progress", "u1", ()),  # in half percents, the newest reported
    ("progress_at", "<u4", ()),  # when, in epoch seconds
)
"""Name, type and shape of each column of an enrolment's row; 9 bytes."""

CELL = np.dtype(
    [
        ("day", "<u2"),  # of the first hand-in, from FIRST_DAY; NO_DAY while there is none
        ("order", "<u2"),  # of the newest grade among the enrolment's, the newest highest; 0 without
        ("attempt", "u1"),  # the newest attempt's number, 0 where no hand-in was seen
        ("graded_attempt", "u1"),  # the newest graded attempt's
        ("last", "u1"),  # and its grade
        ("earlier", "u1"),  # how many graded attempts came before it
        ("total", "<u2"),  # the sum of their grades
        ("first", "u1"),  # the grade of the first of them
        ("best", "u1"),  # the best of them
    ]
)
"""A piece of work of one enrolment, 12 bytes; grades in half percents, ``NO_SCORE`` while there is none."""

Cells = NDArray[np.void]
"""Structured by ``CELL``."""

ATTEMPTS = ("best", "last", "first", "mean")
"""Which attempt's grade counts."""


@dataclass(frozen=True, slots=True)
class Run:
    """A course run's calendar in days. ``start`` and ``end`` are ``NEVER`` while none is known; a run without
    an end has ``OPEN_END``.

    due: the day from which a deadline has passed, int64 [deadlines]; weights: [deadlines], summing
    to 1 or less. attempts: of each, which attempt counts. other_dates: by the name of a section or of a
    learner (see :mod:`features.dates`), its own days of some of them.
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

    @property
    def known(self) -> bool:
        return self.start != NEVER

    @property
    def ends(self) -> bool:
        """Whether a calendar says when."""
        return self.known and self.end != OPEN_END

    @property
    def length(self) -> int:
        """Days from its start to its end, at least 1; ask only where it ends."""
        return max(self.end - self.start, 1)


def course_of(run: str) -> str:
    """The course of a run that no calendar has named yet: what stands before the last slash or plus sign.

    ``BBB/2014B`` → ``BBB``; ``Org/C/R`` → ``Org/C``; ``course-v1:Org+C+R`` → ``course-v1:Org+C``.
    """
    cut = max(run.rfind("/"), run.rfind("+"))
    return run[:cut] if cut > 0 else run


def unknown_run(name: str) -> Run:
    """A run whose calendar has not come (yet): it is scored, without deadlines or phase."""
    none = np.empty(0)
    return Run(name, course_of(name), NEVER, NEVER, none.astype(np.int64), none, ())


def clear(rows: Rows, slots: Ints) -> None:
    """Make enrolments new: nothing enrolled or reported."""
    rows["enrolled"][slots] = NEVER
    rows["progress"][slots] = 0
    rows["progress_at"][slots] = 0


def empty_cells(*shape: int) -> Cells:
    """Cells of work that was not handed in."""
    cells = np.zeros(shape, CELL)
    cells["day"] = NO_DAY
    for name in ("first", "best", "last"):
        cells[name] = NO_SCORE
    return cells


def steps_of(score: float) -> int:
    """A score in [0, 1] in half percents."""
    return round(score * SCORE_STEPS)


def day_number(day: int) -> int:
    """An epoch day as cells keep it."""
    return min(max(day - FIRST_DAY, 0), NO_DAY - 1)


def hand_in(cell: Any, day: int) -> None:
    """Note an attempt on an epoch day. cell: a scalar of ``CELL``, changed in place."""
    cell["attempt"] = min(int(cell["attempt"]) + 1, 255)
    cell["day"] = min(int(cell["day"]), day_number(day))


def grade(cell: Any, day: int, steps: int, order: int, attempt: int | None = None) -> None:
    """Note a grade that was given on an epoch day. cell: a scalar of ``CELL``, changed in place.

    steps: the grade in half percents. order: of this grade among the enrolment's. attempt: the number of the
    attempt, None for the newest one.
    """
    if cell["day"] == NO_DAY:
        if steps == 0:
            return
        cell["day"] = day_number(day)
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


def counted_scores(cells: Cells, attempts: tuple[str, ...]) -> Ints:
    """The grade of each piece of work that counts, in half percents, ``NO_SCORE`` where there is none.

    cells: [n, deadlines]. attempts: of each deadline, which attempt counts; empty where the best does of all.
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
