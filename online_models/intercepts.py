"""How far a running course run's estimates are off as a whole: withdrawals against those foretold.

A term loses more or fewer than the terms before it, and its outcomes say so when it is over. Withdrawals
say it while it runs: each is known on its day, and exit risk foretells how many there will be. In a run
where twice as many withdraw as foretold, all estimates are too low. That is calibration in the large
(Cox, Biometrika 45, 1958), learned from a part of the outcome that does not wait for the run's end.

* **Foretold** is the sum over enrolments and days of the day's P(exit within ``EXIT_DAYS``), a day's share of
  it each, by the model without this correction: one that saw its own effect would chase it.
* **Only a share of those who leave withdraws**, the others fall silent: by course, from runs that have
  ended, drawn towards that of all courses, and that towards nought. Where nobody ever withdraws, withdrawals
  that do not come say nothing.
* **A registry is believed up to its last word.** What was foretold waits until a withdrawal of its run is
  seen, on the same day or later, and counts then. So withdrawals that come a month at a time are held against
  a month, and a registry that has fallen silent, or knows of nobody before the run's end, moves no level.
* **Of the log of the ratio** ``WEIGHT`` is added to the log-odds of both estimates. Not all of it: many of
  the lost neither withdraw nor would. ``IMAGINED`` withdrawals, foretold and seen, keep first weeks sober.

Partitions count in whole numbers; the trainer adds up; a package says what holds for the next day.
"""

from collections.abc import Collection, Mapping
from math import log

import numpy as np
from numpy.typing import NDArray

from online_models.design import Floats
from online_models.drift import course_of
from online_models.labels import EXIT_DAYS

COUNTED = ("foretold", "withdrawn", "left", "left_by_withdrawal")
"""Of a run and a day: the sum of P(exit), in millionths; withdrawals of those whose estimates these were; and
of enrolments whose outcome became certain: how many had left, and how many of these by a withdrawal."""

WEIGHT = 0.4
"""Chosen on 2013J of the Open University data, where .3 to .5 take the calibration error from .071 to .042 to
.026; AUC is highest at .3 to .4."""
IMAGINED = 10.0
"""Withdrawals."""
SHARE_RESTS_ON = 50.0
"""Leavers that the share of a wider scope counts for."""
MOST = 1.0
"""Nats: what is off by more is not a term like those that were learned from."""

MILLION = 1_000_000
Counts = NDArray[np.int64]
"""[COUNTED]"""


def foretold(exits: Floats) -> int:
    """A day's P(exit) of a run's enrolments, [n], as they are summed up."""
    return int(np.rint(exits * MILLION).astype(np.int64).sum())


class Intercepts:
    """Sums over the runs that are on, and over the courses of those that have ended."""

    def __init__(self, runs: Mapping[str, Counts] | None = None, courses: Mapping[str, Counts] | None = None):
        """Sums so far: of runs the first two of ``COUNTED`` and what is foretold since the last withdrawal,
        [3]; of courses the others, [2].
        """
        self.runs = dict(runs or {})
        self.courses = dict(courses or {})

    def take(self, counts: Mapping[str, Counts], on: Collection[str]) -> None:
        """Add a day's counts, by run; on: the runs that go on, others are forgotten."""
        for run, of_day in counts.items():
            self.runs[run] = _after(self.runs.get(run, np.zeros(3, np.int64)), *of_day[:2].tolist())
            if of_day[2:].any():
                course = course_of(run)
                self.courses[course] = of_day[2:] + self.courses.get(course, np.int64(0))
        self.runs = {run: sums for run, sums in self.runs.items() if run in on}

    def shifts(self) -> dict[str, float]:
        """What is added to the log-odds of each run's estimates; runs without any foretold are left out."""
        wider = self._wider()
        return {
            run: _shift(sums, self._share(course_of(run), wider))
            for run, sums in sorted(self.runs.items())
            if sums[0]
        }

    def share(self, course: str) -> float:
        """Of those who leave a course, how many do so by a withdrawal."""
        return self._share(course, self._wider())

    def _wider(self) -> float:
        """The same of all courses together."""
        return _share(sum(self.courses.values(), np.zeros(2, np.int64)), 0.0)

    def _share(self, course: str, wider: float) -> float:
        return _share(self.courses.get(course, np.zeros(2, np.int64)), wider)


def _shift(sums: Counts, share: float) -> float:
    """What is added to a run's log-odds; share: of its leavers, those who withdraw."""
    expected = float(sums[0]) / MILLION / EXIT_DAYS * share
    ratio = (float(sums[1]) + IMAGINED) / (expected + IMAGINED)
    return round(min(max(WEIGHT * log(ratio), -MOST), MOST), 6)


def _after(sums: Counts, exits: int, withdrawn: int) -> Counts:
    """A run's sums after a day."""
    held_against, seen, waiting = sums.tolist()
    waiting += exits
    if not withdrawn:
        return np.array([held_against, seen, waiting], np.int64)
    return np.array([held_against + waiting, seen + withdrawn, 0], np.int64)


def _share(left: Counts, wider: float) -> float:
    return (float(left[1]) + SHARE_RESTS_ON * wider) / (float(left[0]) + SHARE_RESTS_ON)


def check_counts(counts: NDArray[np.generic]) -> None:
    """Raises ValueError where they are none of a run and a day."""
    if counts.shape != (len(COUNTED),) or counts.dtype != np.int64 or counts.astype(np.int64).min() < 0:
        raise ValueError(
            f"leaving has type {counts.dtype} and shape {counts.shape}, expected int64 ({len(COUNTED)},), "
            "none below 0"
        )
