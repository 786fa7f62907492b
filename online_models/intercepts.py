"""The intercept of a running course run: observed withdrawals against expected ones.

A term loses more or fewer learners than the terms before it, but its outcomes are known only when it is over.
Withdrawals are known while it runs: each on its day, and exit risk gives their expected number. In a run with
twice as many withdrawals as expected, all estimates are too low. That is calibration in the large (Cox,
Biometrika 45, 1958), learned from the part of the outcome that does not wait for the run's end.

* **Expected exits** (*foretold* in messages) are the sum over enrolments and days of P(exit within
  ``EXIT_DAYS``), divided by that number of days, by the model without this correction: otherwise there would
  be a feedback loop.
* **Only a share of the learners who leave withdraws**, the others fall silent. The share is estimated by
  course, from runs that have ended, shrunk towards that of all courses, and that towards zero. In a course
  without withdrawals, missing withdrawals are no evidence.
* **A registry is trusted up to its last report.** Expected exits are pending until a withdrawal of the run is
  observed, on the same day or later, and count from then on. So withdrawals that are reported once a month
  are compared with a month, and a registry that has stopped reporting, or reports nothing before the run's
  end, moves no intercept.
* **Damping.** ``SHIFT_WEIGHT`` times the log of the ratio is added to the log-odds of both estimates. Not all
  of it: many lost learners never withdraw. ``PRIOR_WITHDRAWALS``, added to both sides of the ratio, shrink
  the intercept of the first weeks.

Partitions count in whole numbers; the trainer sums them; a day package holds the intercepts for the next day.
"""

from collections.abc import Collection, Mapping
from math import log

import numpy as np
from numpy.typing import NDArray

from online_models.design import Floats
from online_models.labels import EXIT_DAYS
from schemas.fields import course_of

COUNT_NAMES = ("foretold", "withdrawn", "left", "left_by_withdrawal")
"""Counts of a run and a day: the sum of P(exit), in millionths; withdrawals of the enrolments estimated; and
of enrolments whose label became final: how many had left, and how many of these by a withdrawal."""

SHIFT_WEIGHT = 0.4
"""Chosen on 2013J of the Open University data, where .3 to .5 take the calibration error from .071 to .042 to
.026; AUC is highest at .3 to .4."""
PRIOR_WITHDRAWALS = 10.0
"""Pseudo-count of withdrawals, expected and observed."""
SHARE_PRIOR_LEAVERS = 50.0
"""Pseudo-count of leavers for the prior of a course's share."""
MAX_SHIFT = 1.0
"""Nats. A larger deviation is no term like those that were learned from."""

MILLION = 1_000_000
Counts = NDArray[np.int64]
"""[COUNT_NAMES]"""


def exit_millionths(exits: Floats) -> int:
    """The sum of a day's P(exit) of a run's enrolments, [n], in millionths: exact in any order."""
    return int(np.rint(exits * MILLION).astype(np.int64).sum())


class RunIntercepts:
    """Sums of the running course runs, and by course of those that have ended."""

    def __init__(self, runs: Mapping[str, Counts] | None = None, courses: Mapping[str, Counts] | None = None):
        """Continue from sums: of runs the first two of ``COUNT_NAMES`` and the exits expected since the last
        withdrawal, [3]; of courses the other two, [2].
        """
        self.runs = dict(runs or {})
        self.courses = dict(courses or {})

    def update(self, counts: Mapping[str, Counts], active_runs: Collection[str]) -> None:
        """Add a day's counts, by run; runs that are not among ``active_runs`` are dropped."""
        for run, day_counts in counts.items():
            self.runs[run] = _add_day(self.runs.get(run, np.zeros(3, np.int64)), *day_counts[:2].tolist())
            if day_counts[2:].any():
                course = course_of(run)
                self.courses[course] = day_counts[2:] + self.courses.get(course, np.int64(0))
        self.runs = {run: sums for run, sums in self.runs.items() if run in active_runs}

    def rename(self, old: str, new: str) -> None:
        """Add a run's sums to those of its new name."""
        if old in self.runs:
            self.runs[new] = self.runs.pop(old) + self.runs.get(new, np.int64(0))

    def shifts(self) -> dict[str, float]:
        """The intercept by run, added to the log-odds of its estimates; runs without expected exits are
        omitted."""
        overall = self._overall_share()
        return {
            run: _shift(sums, self._share(course_of(run), overall))
            for run, sums in sorted(self.runs.items())
            if sums[0]
        }

    def share(self, course: str) -> float:
        """The share of a course's leavers who withdraw."""
        return self._share(course, self._overall_share())

    def _overall_share(self) -> float:
        """The share over all courses."""
        return _share(sum(self.courses.values(), np.zeros(2, np.int64)), 0.0)

    def _share(self, course: str, prior: float) -> float:
        return _share(self.courses.get(course, np.zeros(2, np.int64)), prior)


def _shift(sums: Counts, share: float) -> float:
    """A run's intercept, in log-odds. share: of its leavers, those who withdraw."""
    expected = float(sums[0]) / MILLION / EXIT_DAYS * share
    ratio = (float(sums[1]) + PRIOR_WITHDRAWALS) / (expected + PRIOR_WITHDRAWALS)
    return round(min(max(SHIFT_WEIGHT * log(ratio), -MAX_SHIFT), MAX_SHIFT), 6)


def _add_day(sums: Counts, exits: int, withdrawn: int) -> Counts:
    """A run's sums after a day."""
    expected, withdrawals, pending = sums.tolist()
    pending += exits
    if not withdrawn:
        return np.array([expected, withdrawals, pending], np.int64)
    return np.array([expected + pending, withdrawals + withdrawn, 0], np.int64)


def _share(leavers: Counts, prior: float) -> float:
    return (float(leavers[1]) + SHARE_PRIOR_LEAVERS * prior) / (float(leavers[0]) + SHARE_PRIOR_LEAVERS)


def check_counts(counts: NDArray[np.generic]) -> None:
    """Check the counts of a run and a day.

    Raises:
        ValueError: for another type or shape, or a negative count.
    """
    shape = (len(COUNT_NAMES),)
    if counts.shape != shape or counts.dtype != np.int64 or counts.astype(np.int64).min() < 0:
        raise ValueError(
            f"leaving has type {counts.dtype} and shape {counts.shape}, expected int64 {shape}, none below 0"
        )
