"""Bounds for unobserved days: the features of the best and of the worst case.

If a tracker was broken for some days, the features leave these days out (``compute``). This best guess can be
wrong either way, so decisions are first checked against two other cases. In the *worst* case the learner did
nothing on any of those days. In the *best* case they were active on each of them, as on an average active day
of theirs, and handed in whatever fell due about then, if hand-ins were lost too. What really happened is
between the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from features.bins import Codes
from features.compute import NO_GAPS, TrackingGaps, features
from features.compute_coursework import DEADLINE_WINDOW, Work, empty_work
from features.coursework import FIRST_DAY, NO_DAY, NO_SCORE, SCORE_STEPS, Run, counted_scores
from features.ring import CLOSED_DAYS, RING, Ints, Rows
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

    rows, work: copies, [n]. gaps: unobserved days within the windows, at least one. yardstick: of the run's
    cohort. paused: days on which learners paused, by position; no case may take them for silence.
    """

    rows: Rows
    work: Work
    run: Run
    day: int
    gaps: TrackingGaps
    yardstick: Yardstick | None = None
    paused: Mapping[int, Ints] = field(default_factory=dict)

    def best_and_worst(self, indices: Ints) -> tuple[Codes, Codes]:
        """Bins of the features in the best and in the worst case, uint8 [features, indices] each."""
        all_rows = np.arange(len(indices))
        rows, work = self.rows[indices], self.work.select(indices)
        active, handed_in = rows.copy(), Work(work.cells.copy(), work.dates)
        _fill_activity(active, self.day, self.gaps.days)
        _fill_hand_ins(handed_in, self.run, self.gaps.work)
        paused = {new: self.paused[old] for new, old in enumerate(indices.tolist()) if old in self.paused}
        best_case, worst_case = (
            features(case_rows, all_rows, self.run, self.day, NO_GAPS, self.yardstick, case_work, paused)
            for case_rows, case_work in ((active, handed_in), (rows, work))
        )
        return best_case, worst_case


def case_bounds(
    rows: Rows,
    slots: Ints,
    run: Run,
    day: int,
    gaps: TrackingGaps,
    yardstick: Yardstick | None = None,
    work: Work | None = None,
    paused: Mapping[int, Ints] | None = None,
) -> CaseBounds | None:
    """The bounds of enrolments as of ``day``; None if all days of the windows were observed.

    gaps: all unobserved days of the run. work: of the enrolments; none by default. paused: days on which they
    paused, by position.
    """
    recent = TrackingGaps(_recent(gaps.days, day), _recent(gaps.work, day))
    if not len(recent.days):
        return None
    work = empty_work(rows, slots, run) if work is None else work
    return CaseBounds(rows[slots], work, run, day, recent, yardstick, paused or {})


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


def _fill_hand_ins(work: Work, run: Run, gap_days: Ints) -> None:
    """Hand in missing work on an unobserved day, for all enrolments, if it fell due within a week of it."""
    scores, cells = counted_scores(work.cells, run.attempts), work.cells
    scored = scores != NO_SCORE
    mean = np.where(scored, scores, 0).sum(axis=1) // np.maximum(scored.sum(axis=1), 1)
    likely = np.where(scored.any(axis=1), mean, SCORE)
    for index, dates in enumerate(work.dates.due):
        for due in np.unique(dates).tolist():
            near = gap_days[(gap_days >= due - DEADLINE_WINDOW) & (gap_days < due + DEADLINE_WINDOW)]
            missing = (cells["day"][:, index] == NO_DAY) & (dates == due)
            if len(near):
                cells["day"][missing, index] = int(near[0]) - FIRST_DAY
                cells["attempt"][missing, index] = 1
                cells["last"][missing, index] = likely[missing]
