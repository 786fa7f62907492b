"""Smoothing of an enrolment's daily estimates by an exponentially weighted mean of earlier ones.

A day's estimate rests on windows that end with that day, and fluctuates with them: a weekend is no change of
behaviour. So the estimate served is, in log-odds, half the day's own and half the exponentially weighted mean
of all days so far, including that day. A change shows by more than half at once, and by three quarters within
a week. P(lost) and P(exit) are smoothed alike.

Learning does not use it: experts and mixture learn from, and are compared by, a day's own estimates. The
memory holds no estimates of the recency prior, nor of days on which a source was suspect.
"""

import numpy as np
from numpy.typing import NDArray

from online_models.design import Estimate, Floats
from online_models.scoring import DECIMALS, log_odds_of, logistic

HALF_LIFE_DAYS = 7.0
MEMORY_SHARE = 0.5
"""The memory's share in the estimate served."""

ESTIMATES = 2
"""Estimates that an enrolment's state remembers: P(lost) and P(exit)."""

NO_MEMORY = np.float32(np.nan)
"""The memory of an enrolment that has not been estimated by a model yet."""

Memory = NDArray[np.float32]
"""Mean log-odds of k estimates, [n, k]; ``NO_MEMORY`` where there is none."""

_DECAY = 0.5 ** (1 / HALF_LIFE_DAYS)


def smooth_estimate(memory: Memory, estimate: Estimate) -> tuple[Memory, Estimate]:
    """The memory after a day's own estimates of n enrolments, and the estimates to serve."""
    mean, served = smooth(memory, np.stack([estimate.lost, estimate.exits], axis=1))
    return mean, Estimate(*served.T)


def smooth(memory: Memory, probabilities: Floats) -> tuple[Memory, Floats]:
    """As :func:`smooth_estimate`, for any k probabilities of each enrolment, [n, k]."""
    own_log_odds = log_odds_of(probabilities)
    previous = np.where(np.isnan(memory), own_log_odds, memory.astype(np.float64))
    mean: Floats = _DECAY * previous + (1 - _DECAY) * own_log_odds
    served: Floats = np.round(logistic(MEMORY_SHARE * mean + (1 - MEMORY_SHARE) * own_log_odds), DECIMALS)
    return mean.astype(np.float32), served
