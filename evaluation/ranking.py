"""Ranking of lost above not lost enrolments by their estimates: ROC curves and their areas.

Everything is computed from the numbers of lost and not lost by distinct estimate, ascending: so ties count
half, and many resamples need only one sort.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
GRID = (np.arange(1000) + 0.5) / 1000
"""False positive rates at which two ROC curves are compared."""


def roc(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates for every threshold, from (0, 0) to (1, 1): [k + 1] twice."""
    fall_out = np.concatenate([[0.0], np.cumsum(negative[::-1])]) / negative.sum()
    recall = np.concatenate([[0.0], np.cumsum(positive[::-1])]) / positive.sum()
    return fall_out, recall


def recall_on_grid(positive: Floats, negative: Floats) -> Floats:
    """True positive rates at the false positive rates of ``GRID``; NaN where there is only one class."""
    if not positive.sum() or not negative.sum():
        return np.full(len(GRID), np.nan)
    return np.interp(GRID, *roc(positive, negative))


def abroca(first: Floats, second: Floats) -> float:
    """The absolute area between two ROC curves, both from ``recall_on_grid``.

    Gardner, Brooks and Baker, Evaluating the Fairness of Predictive Student Models Through Slicing
    Analysis, LAK 2019.
    """
    return float(np.abs(first - second).mean())
