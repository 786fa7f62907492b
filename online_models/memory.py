"""What the days before said: an enrolment's estimate of a day, steadied by its earlier ones.

A day's estimate rests on windows that end with that day, and wanders with them: a weekend is not a change of
mind. So what is served is half the day's own log-odds, and half the exponentially weighted mean of those of
all days so far, its own among them. A change shows by more than half at once, and by three quarters within a
week. Both estimates are steadied alike.

It is not part of what learns: experts and mixture are taught, and judged against each other, by a day's own
estimates. Nothing is remembered of the recency prior, nor of days on which a source was suspect.
"""

import numpy as np
from numpy.typing import NDArray

from online_models.design import Estimate, Floats
from online_models.scoring import DECIMALS, log_odds_of, logistic

HALF_LIFE_DAYS = 7.0
SHARE = 0.5
"""Of the memory in what is served."""

ESTIMATES = 2
"""What an enrolment's state remembers: P(lost) and P(exit)."""

NOTHING = np.float32(np.nan)
"""What is remembered of an enrolment that has not been estimated by a model yet."""

Memory = NDArray[np.float32]
"""Mean log-odds of k estimates, [n, k]; NOTHING where there is none."""

_KEPT = 0.5 ** (1 / HALF_LIFE_DAYS)


def steadied(memory: Memory, estimate: Estimate) -> tuple[Memory, Estimate]:
    """The memory after a day's own estimates of n enrolments, and what is served."""
    after, served = steady(memory, np.stack([estimate.lost, estimate.exits], axis=1))
    return after, Estimate(*served.T)


def steady(memory: Memory, probabilities: Floats) -> tuple[Memory, Floats]:
    """The same for any k estimates of each enrolment, [n, k]."""
    own = log_odds_of(probabilities)
    before = np.where(np.isnan(memory), own, memory.astype(np.float64))
    after: Floats = _KEPT * before + (1 - _KEPT) * own
    served: Floats = np.round(logistic(SHARE * after + (1 - SHARE) * own), DECIMALS)
    return after.astype(np.float32), served
