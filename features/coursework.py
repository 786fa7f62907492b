"""Hand-ins and scores: one cell per enrolment and deadline of its course run.

Unlike clicks, these facts have an order, so the caller applies them in event time, each when its day has
closed. A later hand-in of the same work keeps the first day and replaces the score.

Work that is not in the run's calendar has no cell. It is stored separately (``unplaced``), since a newer
calendar may contain it: whatever calendars came in between, the cells depend on the newest one alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.ring import NEVER, Ints, Rows
from features.unplaced import NO_SCORE, HandIn, UnplacedWork
from schemas.enrolment import MAX_DEADLINES

NOT_SUBMITTED = -(2**15)
SCORE_STEPS = 200
OPEN_END = 2**31 - 1
"""The end of a run without one."""

MAX_DAYS_FROM_START = 30_000
"""Most days between a run's start and a hand-in; more are clamped."""

MAX_ORDER = 255
"""Most of ``scored``. Beyond it an enrolment's scores are renumbered; there are at most 96 of them."""

FIELDS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("enrolled", "<i4", ()),  # day of registration
    ("submitted", "<i2", (MAX_DEADLINES,)),  # day of the first hand-in, from the run's start
    ("scores", "u1", (MAX_DEADLINES,)),  # in half percents
    ("scored", "u1", (MAX_DEADLINES,)),  # order of the scores, the newest highest; 0 without one
    ("last_scored", "u1", ()),  # the deadline scored last
    ("progress", "u1", ()),  # in half percents, the largest reported
)
"""Name, type and shape of each column; 134 bytes per enrolment."""


@dataclass(frozen=True, slots=True)
class Run:
    """A course run's calendar, in epoch days.

    start, end: ``NEVER`` without a calendar; end: ``OPEN_END`` if the calendar has none. due: the first day
    after each deadline, int64 [deadlines]. weights: [deadlines], with a sum of at most 1.
    """

    name: str
    course: str
    start: int
    end: int
    due: Ints
    weights: NDArray[np.float64]
    assessments: tuple[str, ...]

    @property
    def is_known(self) -> bool:
        return self.start != NEVER

    @property
    def has_end(self) -> bool:
        """Whether the run has a calendar with an end."""
        return self.is_known and self.end != OPEN_END

    @property
    def length(self) -> int:
        """Days from start to end, at least 1. Only defined if ``has_end``."""
        return max(self.end - self.start, 1)


def unknown_run(name: str) -> Run:
    """A run without a calendar (yet): it is scored without deadlines or phase."""
    none = np.empty(0)
    return Run(name, name.partition("/")[0], NEVER, NEVER, none.astype(np.int64), none, ())


def clear(rows: Rows, slots: Ints) -> None:
    """Reset enrolments: not registered, nothing handed in or scored."""
    rows["enrolled"][slots] = NEVER
    rows["progress"][slots] = 0
    _clear_cells(rows, slots)


def _clear_cells(rows: Rows, slots: Ints) -> None:
    rows["submitted"][slots] = NOT_SUBMITTED
    rows["scores"][slots] = NO_SCORE
    rows["scored"][slots] = 0
    rows["last_scored"][slots] = NO_SCORE


def record_hand_in(
    rows: Rows, slot: int, run: Run, assessment: str, day: int, score: float | None, unplaced: UnplacedWork
) -> None:
    """Record a hand-in on an epoch day. unplaced: stores work that is not in the calendar."""
    steps = NO_SCORE if score is None else round(score * SCORE_STEPS)
    order = 0 if score is None else _next_order(rows, slot, unplaced)
    if assessment not in run.assessments:
        unplaced.put(slot, run.name, assessment, HandIn(day, steps, order))
        return
    index = run.assessments.index(assessment)
    if rows["submitted"][slot, index] == NOT_SUBMITTED:
        rows["submitted"][slot, index] = _days_from_start(run, day)
    if score is not None:
        rows["scores"][slot, index] = steps
        rows["scored"][slot, index] = order
        rows["last_scored"][slot] = index


def _days_from_start(run: Run, day: int) -> int:
    return min(max(day - run.start, -MAX_DAYS_FROM_START), MAX_DAYS_FROM_START)


def _next_order(rows: Rows, slot: int, unplaced: UnplacedWork) -> int:
    """The number of an enrolment's next score in the order of its scores."""
    newest = max(int(rows["scored"][slot].max()), unplaced.newest(slot))
    if newest < MAX_ORDER:
        return newest + 1
    orders = sorted({*rows["scored"][slot].tolist(), *unplaced.orders(slot)} - {0})
    renumbered = np.zeros(MAX_ORDER + 1, np.uint8)
    renumbered[orders] = np.arange(1, len(orders) + 1)
    rows["scored"][slot] = renumbered[rows["scored"][slot]]
    unplaced.reorder(slot, renumbered)
    return len(orders) + 1


def order_scores(rows: Rows) -> None:
    """Set the order of scores where only the newest is known: 2 for the newest, 1 for all others."""
    rows["scored"] = rows["scores"] != NO_SCORE
    last = np.flatnonzero(rows["last_scored"] != NO_SCORE)
    rows["scored"][last, rows["last_scored"][last]] = 2


def move_to_calendar(rows: Rows, slots: Ints, old: Run, new: Run, unplaced: UnplacedWork) -> None:
    """Move the hand-ins of enrolments to their columns in a run's newer calendar.

    Work that is not in the newer calendar is moved to ``unplaced``, work that now is comes back from there.
    Days are counted from the newer start.
    """
    old_columns = {name: rows[name][slots] for name in ("submitted", "scores", "scored")}
    _clear_cells(rows, slots)
    for index, assessment in enumerate(new.assessments):
        if assessment in old.assessments:
            old_index = old.assessments.index(assessment)
            days = old_columns["submitted"][:, old_index]
            moved = np.clip(
                days.astype(np.int64) + (old.start - new.start), -MAX_DAYS_FROM_START, MAX_DAYS_FROM_START
            )
            rows["submitted"][slots, index] = np.where(days == NOT_SUBMITTED, days, moved)
            rows["scores"][slots, index] = old_columns["scores"][:, old_index]
            rows["scored"][slots, index] = old_columns["scored"][:, old_index]
    for index, assessment in enumerate(old.assessments):
        if assessment not in new.assessments:
            for row in np.flatnonzero(old_columns["submitted"][:, index] != NOT_SUBMITTED).tolist():
                day, score, order = (
                    int(old_columns[name][row, index]) for name in ("submitted", "scores", "scored")
                )
                unplaced.put(int(slots[row]), new.name, assessment, HandIn(old.start + day, score, order))
    for slot in slots.tolist():
        for index, hand_in in unplaced.pop_named(slot, new.name, new.assessments):
            rows["submitted"][slot, index] = _days_from_start(new, hand_in.day)
            rows["scores"][slot, index] = hand_in.score
            rows["scored"][slot, index] = hand_in.order
    scored = rows["scored"][slots]
    rows["last_scored"][slots] = np.where(scored.any(axis=1), scored.argmax(axis=1), NO_SCORE)
