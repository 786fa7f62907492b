"""What may have happened on days that were not seen: the features of the best case and of the worst.

A tracker was broken for some days. The features that are estimated from leave these days out (``compute``):
the best guess. It can be wrong either way, so what follows from it is first held against two others. In the
*worst* case the learner did nothing on any of those days. In the *best* they were there on each of them, as
on an ordinary active day of theirs, and handed in whatever fell due about then, where hand-ins went unseen
too. Whatever really happened lies between the two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.bins import Codes
from features.compute import DOUBTFUL, Gaps, Work, features, no_work
from features.coursework import FIRST_DAY, NO_DAY, NO_SCORE, SCORE_STEPS, Run, counted_scores
from features.ring import CLOSED, RING, Ints, Rows
from features.yardsticks import Yardstick
from schemas.activity import ACTIVITY_KINDS

_CLICKS = {"home": 2, "content": 5, "forum": 2, "quiz": 2}
ORDINARY = np.array([_CLICKS.get(kind, 0) for kind in ACTIVITY_KINDS])
"""An active day of a learner of whom none is known, [kinds]: eleven clicks, the median of OULAD."""

SCORE = 3 * SCORE_STEPS // 4
"""Of work handed in unseen by a learner who has no score yet: the mean of OULAD."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Enrolments of a run as they were at the start of ``day``, of which some days were not seen.

    rows, work: theirs alone, [n], and nobody else's to change. unseen: days within the ring, at least one.
    measure: of the run's cohort.
    """

    rows: Rows
    work: Work
    run: Run
    day: int
    unseen: Gaps
    measure: Yardstick | None = None

    def cases(self, places: Ints) -> tuple[Codes, Codes]:
        """Bins of the features of some of the enrolments in the best and in the worst case."""
        everybody = np.arange(len(places))
        rows, work = self.rows[places], self.work.of(places)
        active, handed_in = rows.copy(), Work(work.cells.copy(), work.dates)
        _fill(active, self.day, self.unseen.days)
        _hand_in(handed_in, self.run, self.unseen.work)
        best, worst = (
            features(of, everybody, self.run, self.day, measure=self.measure, work=done)
            for of, done in ((active, handed_in), (rows, work))
        )
        return best, worst


def doubt(
    rows: Rows,
    slots: Ints,
    run: Run,
    day: int,
    unseen: Gaps,
    measure: Yardstick | None = None,
    work: Work | None = None,
) -> Doubt | None:
    """None where every day that counts now was seen.

    unseen: all days of the run that were not. They are in doubt for as long as windows reach back.
    """
    recent = Gaps(_recent(unseen.days, day), _recent(unseen.work, day))
    if not len(recent.days):
        return None
    return Doubt(rows[slots], no_work(rows, slots, run) if work is None else work, run, day, recent, measure)


def _recent(days: Ints, day: int) -> Ints:
    return days[(days >= day - CLOSED) & (days < day)]


def _fill(rows: Rows, day: int, unseen: Ints) -> None:
    """Make everybody active on the unseen days, at least as on a mean active day of the ring."""
    closed = [past % RING for past in range(day - CLOSED, day)]
    clicks = rows["clicks"][:, closed].astype(np.int64)
    active = np.maximum(clicks.any(axis=2).sum(axis=1), 1)
    usual = -(-clicks.sum(axis=1) // active[:, None])  # rounded up: a kind of theirs stays one
    usual = np.where(usual.any(axis=1)[:, None], usual, ORDINARY)
    seconds = rows["seconds"][:, closed].sum(axis=1, dtype=np.int64) // active
    for place in (unseen % RING).tolist():
        _raise(rows["clicks"], place, usual)
        _raise(rows["seconds"], place, seconds)


def _raise(column: NDArray[np.generic], place: int, least: Ints) -> None:
    column[:, place] = np.maximum(column[:, place].astype(np.int64), least)


def _hand_in(work: Work, run: Run, unseen: Ints) -> None:
    """Have everybody hand in, on an unseen day, what fell due within a week of it and is missing."""
    scores, cells = counted_scores(work.cells, run.attempts), work.cells
    scored = scores != NO_SCORE
    mean = np.where(scored, scores, 0).sum(axis=1) // np.maximum(scored.sum(axis=1), 1)
    likely = np.where(scored.any(axis=1), mean, SCORE)
    for place, dates in enumerate(work.dates.due):
        for due in np.unique(dates).tolist():
            near = unseen[(unseen >= due - DOUBTFUL) & (unseen < due + DOUBTFUL)]
            missing = (cells["day"][:, place] == NO_DAY) & (dates == due)
            if len(near):
                cells["day"][missing, place] = int(near[0]) - FIRST_DAY
                cells["attempt"][missing, place] = 1
                cells["last"][missing, place] = likely[missing]
