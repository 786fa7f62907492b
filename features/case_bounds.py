"""Bounds for unobserved days: the features of the best and of the worst case.

If a tracker was broken for some days, the features leave these days out (``compute``). This best guess can be
wrong either way, so decisions are first checked against two other cases. In the *worst* case the learner did
nothing on any of those days. In the *best* case they were active on each of them, as on an average active day
of theirs, and handed in whatever fell due about then, if hand-ins were lost too. What really happened is
between the two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.bins import Codes
from features.compute import DEADLINE_WINDOW, TrackingGaps, features
from features.coursework import NOT_SUBMITTED, SCORE_STEPS, Run
from features.ring import CLOSED_DAYS, RING, Ints, Rows
from features.unplaced import NO_SCORE
from features.yardsticks import Yardstick
from schemas.activity import ACTIVITY_KINDS

_CLICKS = {"home": 2, "content": 5, "forum": 2, "quiz": 2}
ORDINARY = np.array([_CLICKS.get(kind, 0) for kind in ACTIVITY_KINDS])
"""The active day assumed for a learner without one, [kinds]: eleven clicks, the median of OULAD."""

SCORE = 3 * SCORE_STEPS // 4
"""The score assumed for a learner without one, in half percents: the mean of OULAD."""


@dataclass(frozen=True, slots=True)
class CaseBounds:
    """Enrolments of a run as of the start of ``day``, with unobserved days within the windows.

    rows: a copy, [n]. gaps: unobserved days within the windows, at least one. yardstick: of the run's cohort.
    """

    rows: Rows
    run: Run
    day: int
    gaps: TrackingGaps
    yardstick: Yardstick | None = None

    def best_and_worst(self, indices: Ints) -> tuple[Codes, Codes]:
        """Bins of the features in the best and in the worst case, uint8 [features, indices] each."""
        all_rows = np.arange(len(indices))
        worst = self.rows[indices]
        best = worst.copy()
        _fill_activity(best, self.day, self.gaps.days)
        _fill_hand_ins(best, self.run, self.gaps.work)
        best_case, worst_case = (
            features(rows, all_rows, self.run, self.day, yardstick=self.yardstick) for rows in (best, worst)
        )
        return best_case, worst_case


def case_bounds(
    rows: Rows, slots: Ints, run: Run, day: int, gaps: TrackingGaps, yardstick: Yardstick | None = None
) -> CaseBounds | None:
    """The bounds of enrolments as of ``day``; None if all days of the windows were observed.

    gaps: all unobserved days of the run.
    """
    recent = TrackingGaps(_recent(gaps.days, day), _recent(gaps.work, day))
    return CaseBounds(rows[slots], run, day, recent, yardstick) if len(recent.days) else None


def _recent(days: Ints, day: int) -> Ints:
    return days[(days >= day - CLOSED_DAYS) & (days < day)]


def _fill_activity(rows: Rows, day: int, gap_days: Ints) -> None:
    """Make all enrolments active on the unobserved days, at least as on their mean active day of the ring."""
    closed = [past % RING for past in range(day - CLOSED_DAYS, day)]
    clicks = rows["clicks"][:, closed].astype(np.int64)
    active = np.maximum(clicks.any(axis=2).sum(axis=1), 1)
    usual = -(-clicks.sum(axis=1) // active[:, None])  # rounded up, so that no kind of theirs becomes 0
    usual = np.where(usual.any(axis=1)[:, None], usual, ORDINARY)
    seconds = rows["seconds"][:, closed].sum(axis=1, dtype=np.int64) // active
    for bucket in (gap_days % RING).tolist():
        _raise_to(rows["clicks"], bucket, usual)
        _raise_to(rows["seconds"], bucket, seconds)


def _raise_to(column: NDArray[np.generic], bucket: int, least: Ints) -> None:
    column[:, bucket] = np.maximum(column[:, bucket].astype(np.int64), least)


def _fill_hand_ins(rows: Rows, run: Run, gap_days: Ints) -> None:
    """Hand in missing work on an unobserved day, for all enrolments, if it fell due within a week of it."""
    if not run.is_known:
        return
    scores = rows["scores"].astype(np.int64)
    scored = scores != NO_SCORE
    mean = np.where(scored, scores, 0).sum(axis=1) // np.maximum(scored.sum(axis=1), 1)
    likely = np.where(scored.any(axis=1), mean, SCORE)
    for index, due in enumerate(run.due.tolist()):
        near = gap_days[(gap_days >= due - DEADLINE_WINDOW) & (gap_days < due + DEADLINE_WINDOW)]
        if len(near):
            missing = rows["submitted"][:, index] == NOT_SUBMITTED
            day = int(near[0]) - run.start
            rows["submitted"][:, index] = np.where(missing, day, rows["submitted"][:, index])
            rows["scores"][:, index] = np.where(missing, likely, rows["scores"][:, index])
