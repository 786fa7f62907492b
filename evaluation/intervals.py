"""How sure a figure is: 95 % intervals by resampling enrolments, never single rows.

The weekly estimates of one enrolment are alike, so whole enrolments are drawn, with replacement (cluster
bootstrap). Always the same draws: the same data give the same intervals.
"""

import numpy as np

from evaluation.outcomes import Bools, Floats, Ints
from evaluation.ranking import area

DRAWS = 200
STEPS = 500
"""Estimates are put into so many classes of equal size first; that moves an AUC by less than .0001."""
SEED = 1


def classes(risk: Floats) -> Ints:
    """Each estimate's class, ascending with the estimate, [k]; equal estimates share theirs."""
    distinct, place, counts = np.unique(risk, return_inverse=True, return_counts=True)
    if not len(distinct):
        return np.zeros(0, np.int64)
    first = np.cumsum(counts) - counts
    found: Ints = (first * STEPS // len(risk))[place]
    return found


def tallies(row: Ints, step: Ints, kept: Bools, count: int) -> Floats:
    """Rows per enrolment and class, [count, STEPS]; only those ``kept``."""
    flat = np.bincount(row[kept] * STEPS + step[kept], minlength=count * STEPS)
    return flat.reshape(count, STEPS).astype(np.float64)


def draws(count: int) -> Floats:
    """How often each draw takes each enrolment, [DRAWS, count]."""
    rng = np.random.default_rng(SEED)
    return rng.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(np.float64)


def auc_draws(row: Ints, lost: Bools, risk: Floats, weights: Floats) -> Floats:
    """The AUC of each draw, [DRAWS]. row: each estimate's enrolment, 0 to the weights' columns."""
    step, count = classes(risk), weights.shape[1]
    found: Floats = area(
        weights @ tallies(row, step, lost, count), weights @ tallies(row, step, ~lost, count)
    )
    return found


def interval(values: Floats) -> tuple[float, float]:
    """The middle 95 % of the draws; NaN where none could be computed."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
