"""95 % intervals of figures by the cluster bootstrap.

The weekly estimates of one enrolment are correlated, so whole enrolments are resampled, with replacement. The
seed is fixed: the same data give the same intervals.
"""

import numpy as np

from evaluation.outcomes import Bools, Floats, Ints
from online_models.auc import auc_of_counts

RESAMPLES = 200
CLASSES = 500
"""Quantile classes of estimates; the quantisation moves an AUC by less than .0001."""
SEED = 1


def quantile_classes(risk: Floats) -> Ints:
    """The quantile class of each estimate, [k]; equal estimates have the same class."""
    distinct, index, counts = np.unique(risk, return_inverse=True, return_counts=True)
    if not len(distinct):
        return np.zeros(0, np.int64)
    first = np.cumsum(counts) - counts
    class_of_estimate: Ints = (first * CLASSES // len(risk))[index]
    return class_of_estimate


def class_counts(row: Ints, class_of_row: Ints, chosen: Bools, count: int) -> Floats:
    """The number of chosen rows by enrolment and class, [count, CLASSES].

    row, class_of_row: the enrolment and class of each row; chosen: bool, [k] each.
    """
    flat = np.bincount(row[chosen] * CLASSES + class_of_row[chosen], minlength=count * CLASSES)
    return flat.reshape(count, CLASSES).astype(np.float64)


def bootstrap_weights(count: int) -> Floats:
    """The number of times that each enrolment is in each resample, [RESAMPLES, count]."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)


def resampled_aucs(row: Ints, lost: Bools, risk: Floats, weights: Floats) -> Floats:
    """The AUC of each resample, [RESAMPLES].

    row, lost, risk: of each estimate, [k], row being the enrolment's column in ``weights``, which are those
    of ``bootstrap_weights``.
    """
    class_of_row, count = quantile_classes(risk), weights.shape[1]
    aucs: Floats = auc_of_counts(
        weights @ class_counts(row, class_of_row, lost, count),
        weights @ class_counts(row, class_of_row, ~lost, count),
    )
    return aucs


def interval(values: Floats) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles of resampled values; NaN where none is finite."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.nan, np.nan
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)
