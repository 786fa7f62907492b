"""The area under the ROC curve, from the numbers of lost and not lost by distinct estimate.

So ties count half, and many resamples need only one sort. Progressive validation, reports and evaluations all
use it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from online_models.design import Floats


def auc(lost: NDArray[np.bool_], risk: Floats) -> float:
    """P(a lost enrolment has a higher estimate than one not lost); ties count half.

    NaN where there is only one class.
    """
    return float(auc_of_counts(*count_by_estimate(lost, risk)))


def count_by_estimate(lost: NDArray[np.bool_], risk: Floats) -> tuple[Floats, Floats]:
    """Numbers of lost and not lost by distinct estimate, ascending: [k] twice."""
    distinct, index = np.unique(risk, return_inverse=True)
    size = len(distinct)
    return (
        np.bincount(index[lost], minlength=size).astype(np.float64),
        np.bincount(index[~lost], minlength=size).astype(np.float64),
    )


def auc_of_counts(positive: Floats, negative: Floats) -> Any:
    """AUC of counts by distinct estimate, [..., k] twice → [...]; NaN where there is only one class."""
    below = np.cumsum(negative, axis=-1) - negative / 2
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, (positive * below).sum(axis=-1) / pairs, np.nan)
