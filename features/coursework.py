"""What was handed in and when: one cell an enrolment and deadline of its course run.

Unlike clicks these facts have an order, so the caller applies them in event time, each when its day
has closed. A later hand-in of the same work keeps the first day and takes the newer score.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.ring import NEVER, Ints, Rows
from schemas.enrolment import MAX_DEADLINES

NOT_SUBMITTED = -(2**15)
NO_SCORE = 255
SCORE_STEPS = 200

FIELDS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("enrolled", "<i4", ()),  # day of registration
    ("submitted", "<i2", (MAX_DEADLINES,)),  # day of the first hand-in, from the run's start
    ("scores", "u1", (MAX_DEADLINES,)),  # in half percents
    ("last_scored", "u1", ()),  # the deadline scored last
    ("progress", "u1", ()),  # in half percents, the largest reported
)
"""Name, type and shape of each column; 102 bytes an enrolment."""


@dataclass(frozen=True, slots=True)
class Run:
    """A course run's calendar in days. ``start`` and ``end`` are ``NEVER`` while none is known.

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


def unknown_run(name: str) -> Run:
    """A run whose calendar has not come (yet): it is scored, without deadlines or phase."""
    none = np.empty(0)
    return Run(name, name.partition("/")[0], NEVER, NEVER, none.astype(np.int64), none, ())


def clear(rows: Rows, slots: Ints) -> None:
    """Make enrolments new: nothing enrolled, handed in or scored."""
    rows["enrolled"][slots] = NEVER
    rows["submitted"][slots] = NOT_SUBMITTED
    rows["scores"][slots] = NO_SCORE
    rows["last_scored"][slots] = NO_SCORE
    rows["progress"][slots] = 0


def submit(rows: Rows, slot: int, run: Run, assessment: str, day: int, score: float | None) -> None:
    """Note a hand-in on ``day``. Work that the calendar does not name has no cell, and counts as clicks."""
    if assessment not in run.assessments:
        return
    place = run.assessments.index(assessment)
    since_start = int(np.clip(day - run.start, -30_000, 30_000))
    if rows["submitted"][slot, place] == NOT_SUBMITTED:
        rows["submitted"][slot, place] = since_start
    if score is not None:
        rows["scores"][slot, place] = round(score * SCORE_STEPS)
        rows["last_scored"][slot] = place


def rearrange(rows: Rows, slots: Ints, old: Run, new: Run) -> None:
    """Move what enrolments handed in to the places that it has in a run's newer calendar.

    Work that the newer one does not name is dropped; days are counted from the newer start.
    """
    held = {name: rows[name][slots] for name in ("submitted", "scores", "last_scored")}
    rows["submitted"][slots] = NOT_SUBMITTED
    rows["scores"][slots] = NO_SCORE
    rows["last_scored"][slots] = NO_SCORE
    for place, assessment in enumerate(new.assessments):
        if assessment not in old.assessments:
            continue
        before = old.assessments.index(assessment)
        days = held["submitted"][:, before]
        moved = np.clip(days.astype(np.int64) + (old.start - new.start), -30_000, 30_000)
        rows["submitted"][slots, place] = np.where(days == NOT_SUBMITTED, days, moved)
        rows["scores"][slots, place] = held["scores"][:, before]
        rows["last_scored"][slots[held["last_scored"] == before]] = place
