"""Calibration of estimates: of the learners with an estimate of .3, three in ten should be lost."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Of equal width over [0, 1]."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The estimates of one bin, and the share lost among them."""

    low: float
    high: float
    estimates: int
    expected: float
    """Mean estimate."""
    observed: float
    """Share lost."""


def reliability(lost: NDArray[np.bool_], risk: NDArray[np.float64]) -> list[ReliabilityBin]:
    """The bins of the reliability diagram in ascending order, without the empty ones."""
    bin_of_estimate = np.minimum((risk * BINS).astype(np.int64), BINS - 1)
    bins = []
    for number in np.unique(bin_of_estimate).tolist():
        inside = bin_of_estimate == number
        bins.append(
            ReliabilityBin(
                low=number / BINS,
                high=(number + 1) / BINS,
                estimates=int(inside.sum()),
                expected=float(risk[inside].mean()),
                observed=float(lost[inside].mean()),
            )
        )
    return bins


def calibration_error(bins: list[ReliabilityBin]) -> float:
    """Expected calibration error: the mean of |observed − expected| over all estimates; NaN without any."""
    total = sum(bin_.estimates for bin_ in bins)
    return (
        sum(abs(bin_.observed - bin_.expected) * bin_.estimates for bin_ in bins) / total if total else np.nan
    )
