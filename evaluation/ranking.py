"""How well estimates put those who were lost above those who were not: ROC curves and their areas.

Everything is computed from counts per distinct estimate, ascending: how many of those with it were lost, and
how many were not. That gives ties their half, and lets one sort serve many resamples.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
GRID = (np.arange(1000) + 0.5) / 1000
"""False positive rates at which two ROC curves are compared."""


def auc(lost: NDArray[np.bool_], risk: Floats) -> float:
    """The chance that of two, one lost and one not, the lost one has the higher estimate; ties count half.

    NaN where there is only one kind.
    """
    return float(area(*tally(lost, risk)))


def tally(lost: NDArray[np.bool_], risk: Floats) -> tuple[Floats, Floats]:
    """Lost and not lost per distinct estimate, ascending: [k] twice."""
    distinct, place = np.unique(risk, return_inverse=True)
    size = len(distinct)
    return (
        np.bincount(place[lost], minlength=size).astype(np.float64),
        np.bincount(place[~lost], minlength=size).astype(np.float64),
    )


def area(positive: Floats, negative: Floats) -> Any:
    """AUC of counts per distinct estimate, [..., k] twice → [...]; NaN where there is only one kind."""
    below = np.cumsum(negative, axis=-1) - negative / 2
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, (positive * below).sum(axis=-1) / pairs, np.nan)


def roc(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """False and true positive rates for every threshold, from (0, 0) to (1, 1): [k + 1] twice."""
    fall_out = np.concatenate([[0.0], np.cumsum(negative[::-1])]) / negative.sum()
    recall = np.concatenate([[0.0], np.cumsum(positive[::-1])]) / positive.sum()
    return fall_out, recall


def recall_at(positive: Floats, negative: Floats) -> Floats:
    """True positive rates at the false positive rates of ``GRID``; NaN where there is only one kind."""
    if not positive.sum() or not negative.sum():
        return np.full(len(GRID), np.nan)
    return np.interp(GRID, *roc(positive, negative))


def abroca(one: Floats, other: Floats) -> float:
    """The area between two ROC curves, whichever is above; both from ``recall_at``.

    Gardner, Brooks and Baker, Evaluating the Fairness of Predictive Student Models Through Slicing
    Analysis, LAK 2019.
    """
    return float(np.abs(one - other).mean())
