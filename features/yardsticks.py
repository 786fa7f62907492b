"""What a cohort makes of each deadline: how much a miss says, and what a score is worth.

The same number means different things from one piece of work to the next. In one course everybody hands
everything in; in another a quarter of those who pass leave out the essays, and a missed one says little.
One test is easy, the next one hard. Nobody declares it, and outcomes that would teach it come months
later; the cohort shows it at once:

* **A miss counts** by how much oftener those who have fallen silent missed the deadline than those who are
  active: the weight of evidence, log of the ratio (I. J. Good, Probability and the Weighing of Evidence,
  1950), as a share of the ``CLEAR`` one that a deadline has which the active keep.
* **A score**, and how early work came, are held against the cohort's mean and standard deviation for the
  same work.

A partition sees a sample of a cohort, so it counts, in whole numbers; the trainer adds up; everybody
measures by the sums of the day before. A few imagined learners keep small cohorts and first days sober.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.bins import Codes, code
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
"""Of each deadline: enrolments active in the last week, and silent for ``SILENT_DAYS``, and how many of each
have not handed in; scores, their sum and the sum of their squares, in half percents; what was handed in, and
the same sums of days before the deadline."""

SILENT_DAYS = 14

IMAGINED = 5.0
"""Learners of each sort that are counted in: with nobody else a miss and a score are as in most courses."""
MISSED_BY_ACTIVE, MISSED_BY_SILENT = 0.05, 0.8
USUAL_SCORE, USUAL_SPREAD = 0.7, 0.2
USUALLY_EARLY, USUAL_DAYS = 1.0, 3.0

CLEAR = 3.0
"""Nats: the silent miss a deadline twenty times as often as the active, as they do where all work counts."""

LEAST_SPREAD, LEAST_DAYS = 0.05, 1.0
"""Where all have the same score, a point more is not a wonder; nor is a day where all come on one."""

Counts = NDArray[np.int64]
"""[COUNTED, deadlines]"""

Floats = NDArray[np.float64]

_WEEK, _SILENCE = INDEX["active_days_7"], INDEX["silence"]
_SILENT = int(code(FEATURES[_SILENCE], np.array([SILENT_DAYS]))[0])


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Of each deadline of a run, [deadlines] each."""

    says: Floats
    """How much a miss counts, from 0 to 1."""
    mean: Floats
    spread: Floats
    """Mean and standard deviation of its scores, as shares."""
    early: Floats
    early_spread: Floats
    """The same of the days before it."""


def count(run: Run, cells: Cells, dates: Dates, codes: Codes) -> Counts:
    """What enrolments of a run add to the cohort's sums.

    cells, dates: of their work, [n, deadlines] and [deadlines, n]. codes: of their features, [features, n].
    Work that is not asked of an enrolment says nothing.
    """
    handed_in = cells["day"] != NO_DAY
    counts = dates.asked.T | handed_in
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


def yardstick(run: Run, counts: Counts | None = None) -> Yardstick:
    """How to measure in a run; counts: of its whole cohort, those of another calendar do not count."""
    shape = (len(COUNTED), len(run.assessments))
    if counts is None or counts.shape != shape:
        counts = np.zeros(shape, np.int64)
    sums = dict(zip(COUNTED, counts.astype(np.float64), strict=True))
    by_active = (sums["active_missed"] + IMAGINED * MISSED_BY_ACTIVE) / (sums["active"] + IMAGINED)
    by_silent = (sums["silent_missed"] + IMAGINED * MISSED_BY_SILENT) / (sums["silent"] + IMAGINED)
    mean, spread = _usual(
        sums["scored"],
        sums["scores"] / SCORE_STEPS,
        sums["score_squares"] / SCORE_STEPS**2,
        (USUAL_SCORE, USUAL_SPREAD, LEAST_SPREAD),
    )
    early, early_spread = _usual(
        sums["handed_in"],
        sums["early"],
        sums["early_squares"],
        (USUALLY_EARLY, USUAL_DAYS, LEAST_DAYS),
    )
    says = np.clip(np.log(by_silent / by_active) / CLEAR, 0.0, 1.0)
    return Yardstick(says, mean, spread, early, early_spread)


def _usual(
    number: Floats, total: Floats, squares: Floats, imagined: tuple[float, float, float]
) -> tuple[Floats, Floats]:
    """Mean and standard deviation with the imagined ones; imagined: theirs, and the least deviation."""
    usual, deviation, least = imagined
    mean = (total + IMAGINED * usual) / (number + IMAGINED)
    square = (squares + IMAGINED * (usual**2 + deviation**2)) / (number + IMAGINED)
    return mean, np.sqrt(np.maximum(square - mean * mean, least**2))


def days_early(due: Ints, cells: Cells) -> Ints:
    """Days from a hand-in to its deadline; none where nobody saw it handed in.

    due: epoch days, [deadlines, n] or [deadlines, 1]. cells: [n, deadlines]. Returns [deadlines, n].
    """
    days: Ints = due - 1 - (cells["day"].T.astype(np.int64) + FIRST_DAY)
    return np.where((cells["attempt"].T == 0) | (due >= NO_DATE), 0, days)
