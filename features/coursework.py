"""What was handed in and when: one cell an enrolment and deadline of its course run.

Unlike clicks these facts have an order, so the caller applies them in event time, each when its day
has closed. A later hand-in of the same work keeps the first day and takes the newer score.

Work that the run's calendar does not name has no cell. It is kept aside (``unplaced``), since a newer
calendar may name it: whatever calendars came in between, cells are what the newest one alone would have made
of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.ring import NEVER, Ints, Rows
from features.unplaced import NO_SCORE, HandIn, Unplaced
from schemas.enrolment import MAX_DEADLINES

NOT_SUBMITTED = -(2**15)
SCORE_STEPS = 200
OPEN_END = 2**31 - 1
"""The end of a run that has none."""

FURTHEST = 30_000
"""Days between a run's start and a hand-in; what is further is held there."""

MOST_ORDERED = 255
"""Of ``scored``. Then the enrolment's are numbered anew; 96 of them can be told apart at most."""

FIELDS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("enrolled", "<i4", ()),  # day of registration
    ("submitted", "<i2", (MAX_DEADLINES,)),  # day of the first hand-in, from the run's start
    ("scores", "u1", (MAX_DEADLINES,)),  # in half percents
    (
        "scored",
        "u1",
        (MAX_DEADLINES,),
    ),  # in which order they were scored, the newest highest; 0 where none is
    ("last_scored", "u1", ()),  # the deadline scored last
    ("progress", "u1", ()),  # in half percents, the largest reported
)
"""Name, type and shape of each column; 134 bytes an enrolment."""


@dataclass(frozen=True, slots=True)
class Run:
    """A course run's calendar in days. ``start`` and ``end`` are ``NEVER`` while none is known; a run without
    an end has ``OPEN_END``.

    due: the day from which a deadline has passed, int64 [deadlines]; weights: [deadlines], summing
    to 1 or less.
    """

    name: str
    course: str
    start: int
    end: int
    due: Ints
    weights: NDArray[np.float64]
    assessments: tuple[str, ...]

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


def unknown_run(name: str) -> Run:
    """A run whose calendar has not come (yet): it is scored, without deadlines or phase."""
    none = np.empty(0)
    return Run(name, name.partition("/")[0], NEVER, NEVER, none.astype(np.int64), none, ())


def clear(rows: Rows, slots: Ints) -> None:
    """Make enrolments new: nothing enrolled, handed in or scored."""
    rows["enrolled"][slots] = NEVER
    rows["progress"][slots] = 0
    _clear_cells(rows, slots)


def _clear_cells(rows: Rows, slots: Ints) -> None:
    rows["submitted"][slots] = NOT_SUBMITTED
    rows["scores"][slots] = NO_SCORE
    rows["scored"][slots] = 0
    rows["last_scored"][slots] = NO_SCORE


def submit(
    rows: Rows, slot: int, run: Run, assessment: str, day: int, score: float | None, aside: Unplaced
) -> None:
    """Note a hand-in on ``day``; aside: the enrolment's work that the calendar does not name."""
    steps = NO_SCORE if score is None else round(score * SCORE_STEPS)
    order = 0 if score is None else _next_order(rows, slot, aside)
    if assessment not in run.assessments:
        aside.put(slot, run.name, assessment, HandIn(day, steps, order))
        return
    place = run.assessments.index(assessment)
    if rows["submitted"][slot, place] == NOT_SUBMITTED:
        rows["submitted"][slot, place] = _since(run, day)
    if score is not None:
        rows["scores"][slot, place] = steps
        rows["scored"][slot, place] = order
        rows["last_scored"][slot] = place


def _since(run: Run, day: int) -> int:
    return min(max(day - run.start, -FURTHEST), FURTHEST)


def _next_order(rows: Rows, slot: int, aside: Unplaced) -> int:
    """The place of an enrolment's next score in the order of its scores."""
    newest = max(int(rows["scored"][slot].max()), aside.newest(slot))
    if newest < MOST_ORDERED:
        return newest + 1
    known = sorted({*rows["scored"][slot].tolist(), *aside.orders(slot)} - {0})
    anew = np.zeros(MOST_ORDERED + 1, np.uint8)
    anew[known] = np.arange(1, len(known) + 1)
    rows["scored"][slot] = anew[rows["scored"][slot]]
    aside.reorder(slot, anew)
    return len(known) + 1


def order_scores(rows: Rows) -> None:
    """Give scores of which only the last one is known an order: the others came before it, all at once."""
    rows["scored"] = rows["scores"] != NO_SCORE
    last = np.flatnonzero(rows["last_scored"] != NO_SCORE)
    rows["scored"][last, rows["last_scored"][last]] = 2


def rearrange(rows: Rows, slots: Ints, old: Run, new: Run, aside: Unplaced) -> None:
    """Move what enrolments handed in to the places that it has in a run's newer calendar.

    Work that the newer one does not name goes aside, what it names comes from there; days are counted from
    the newer start.
    """
    held = {name: rows[name][slots] for name in ("submitted", "scores", "scored")}
    _clear_cells(rows, slots)
    for place, assessment in enumerate(new.assessments):
        if assessment in old.assessments:
            before = old.assessments.index(assessment)
            days = held["submitted"][:, before]
            moved = np.clip(days.astype(np.int64) + (old.start - new.start), -FURTHEST, FURTHEST)
            rows["submitted"][slots, place] = np.where(days == NOT_SUBMITTED, days, moved)
            rows["scores"][slots, place] = held["scores"][:, before]
            rows["scored"][slots, place] = held["scored"][:, before]
    for place, assessment in enumerate(old.assessments):
        if assessment not in new.assessments:
            for at in np.flatnonzero(held["submitted"][:, place] != NOT_SUBMITTED).tolist():
                day, score, order = (int(held[name][at, place]) for name in ("submitted", "scores", "scored"))
                aside.put(int(slots[at]), new.name, assessment, HandIn(old.start + day, score, order))
    for slot in slots.tolist():
        for place, found in aside.take(slot, new.name, new.assessments):
            rows["submitted"][slot, place] = _since(new, found.day)
            rows["scores"][slot, place] = found.score
            rows["scored"][slot, place] = found.order
    scored = rows["scored"][slots]
    rows["last_scored"][slots] = np.where(scored.any(axis=1), scored.argmax(axis=1), NO_SCORE)
