"""Yardsticks of each deadline from its cohort: the weight of a miss, and what scores are compared with.

The same number means different things from one piece of work to the next. In one course all learners hand
everything in; in another a quarter of those who pass leave out the essays, and a missed essay means little.
One test is easy, the next one hard. Calendars do not declare this, and outcomes that would show it come
months later; the cohort shows it at once:

* **The weight of a miss** is by how much silent learners missed the deadline more often than active ones: the
  weight of evidence, log of the ratio (I. J. Good, Probability and the Weighing of Evidence, 1950), divided
  by ``FULL_EVIDENCE`` and clipped to [0, 1].
* **A score**, and how early work was handed in, are compared with the cohort's mean and standard deviation
  for the same work.

A partition has a sample of a cohort, so it counts in whole numbers, the trainer adds up, and all partitions
use the sums of the day before. A prior of a few learners stabilises small cohorts and first days.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bins import Codes, bins_of
from features.catalogue import FEATURES, INDEX
from features.coursework import FIRST_DAY, NO_DAY, NO_SCORE, SCORE_STEPS, Cells, Run, counted_scores
from features.dates import NO_DATE, Dates
from features.ring import Ints

COUNTED = (
    "active",
    "active_missed",
    "silent",
    "silent_missed",
    "scored",
    "scores",
    "score_squares",
    "handed_in",
    "early",
    "early_squares",
)
"""Sums of each deadline: enrolments active in the last week, enrolments silent for ``SILENT_DAYS``, and how
many of each have not handed in; number, sum and sum of squares of scores, in half percents; number of
hand-ins, sum and sum of squares of their days before the deadline."""

SILENT_DAYS = 14

PRIOR_LEARNERS = 5.0
"""Weight of the priors, in learners: with no sums, a yardstick is that of a typical course."""
PRIOR_MISSED_BY_ACTIVE, PRIOR_MISSED_BY_SILENT = 0.05, 0.8
PRIOR_SCORE, PRIOR_SPREAD = 0.7, 0.2
PRIOR_EARLY, PRIOR_EARLY_SPREAD = 1.0, 3.0

FULL_EVIDENCE = 3.0
"""Nats: silent learners miss a deadline twenty times as often as active ones, as where all work counts."""

MIN_SPREAD, MIN_EARLY_SPREAD = 0.05, 1.0
"""Least standard deviations of scores (share) and of days early, for cohorts without any spread."""

Counts = NDArray[np.int64]
"""[COUNTED, deadlines]"""

Floats = NDArray[np.float64]

_WEEK, _SILENCE = INDEX["active_days_7"], INDEX["silence"]
_SILENT = int(bins_of(FEATURES[_SILENCE], np.array([SILENT_DAYS]))[0])


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What to compare with at each deadline of a run, [deadlines] each."""

    miss_weight: Floats
    """Weight of a missed deadline, in [0, 1]."""
    mean: Floats
    spread: Floats
    """Mean and standard deviation of its scores, as shares."""
    early: Floats
    early_spread: Floats
    """Mean and standard deviation of the days before the deadline."""


def deadline_sums(run: Run, cells: Cells, dates: Dates, codes: Codes, day: int) -> Counts:
    """The sums over enrolments of a run; work that is not required of an enrolment is left out.

    So is work that is due so many days after each learner's own start, for whom it is not due yet.
    cells, dates: of their work, [n, deadlines] and [deadlines, n]. codes: bins of their features as of
    ``day``, [features, n].
    """
    handed_in = cells["day"] != NO_DAY
    counts = dates.required.T | handed_in
    if run.is_relative.any():
        counts = counts & (~run.is_relative | handed_in | (dates.due <= day).T)
    early = np.where(handed_in, days_early(dates.due, cells).T, 0)
    scores = counted_scores(cells, run.attempts)
    scored = scores != NO_SCORE
    scores[~scored] = 0
    active = counts & (codes[_WEEK] > 0)[:, None]
    silent = counts & (codes[_SILENCE] >= _SILENT)[:, None]
    missing = ~handed_in
    columns: list[NDArray[Any]] = [active, active & missing, silent, silent & missing]
    columns += [scored, scores, scores * scores, handed_in, early, early * early]
    return np.stack([each.sum(axis=0) for each in columns]).astype(np.int64)


def make_yardstick(run: Run, counts: Counts | None = None) -> Yardstick:
    """The yardstick of a run. counts: of its whole cohort; ignored if they are of another calendar."""
    shape = (len(COUNTED), len(run.assessments))
    if counts is None or counts.shape != shape:
        counts = np.zeros(shape, np.int64)
    sums = dict(zip(COUNTED, counts.astype(np.float64), strict=True))
    by_active = (sums["active_missed"] + PRIOR_LEARNERS * PRIOR_MISSED_BY_ACTIVE) / (
        sums["active"] + PRIOR_LEARNERS
    )
    by_silent = (sums["silent_missed"] + PRIOR_LEARNERS * PRIOR_MISSED_BY_SILENT) / (
        sums["silent"] + PRIOR_LEARNERS
    )
    mean, spread = _mean_and_deviation(
        sums["scored"],
        sums["scores"] / SCORE_STEPS,
        sums["score_squares"] / SCORE_STEPS**2,
        (PRIOR_SCORE, PRIOR_SPREAD, MIN_SPREAD),
    )
    early, early_spread = _mean_and_deviation(
        sums["handed_in"],
        sums["early"],
        sums["early_squares"],
        (PRIOR_EARLY, PRIOR_EARLY_SPREAD, MIN_EARLY_SPREAD),
    )
    miss_weight = np.clip(np.log(by_silent / by_active) / FULL_EVIDENCE, 0.0, 1.0)
    return Yardstick(miss_weight, mean, spread, early, early_spread)


def _mean_and_deviation(
    count: Floats, total: Floats, squares: Floats, prior: tuple[float, float, float]
) -> tuple[Floats, Floats]:
    """Mean and standard deviation with the prior. prior: its mean and deviation, and the least deviation."""
    prior_mean, prior_deviation, min_deviation = prior
    mean = (total + PRIOR_LEARNERS * prior_mean) / (count + PRIOR_LEARNERS)
    square = (squares + PRIOR_LEARNERS * (prior_mean**2 + prior_deviation**2)) / (count + PRIOR_LEARNERS)
    return mean, np.sqrt(np.maximum(square - mean * mean, min_deviation**2))


def days_early(due: Ints, cells: Cells) -> Ints:
    """Days from a hand-in to its deadline, [deadlines, n]; 0 without a hand-in or a deadline.

    due: epoch days, [deadlines, n] or [deadlines, 1]. cells: [n, deadlines].
    """
    days: Ints = due - 1 - (cells["day"].T.astype(np.int64) + FIRST_DAY)
    return np.where((cells["attempt"].T == 0) | (due >= NO_DATE), 0, days)
