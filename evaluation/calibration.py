"""Whether estimates mean what they say: of those given .3, three in ten should be lost."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""Of equal width over [0, 1]."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Estimates of one bin, and what became of them."""

    low: float
    high: float
    estimates: int
    expected: float
    """Mean estimate."""
    observed: float
    """Share lost."""


def reliability(lost: NDArray[np.bool_], risk: NDArray[np.float64]) -> list[Bin]:
    """The bins that are not empty, in their order."""
    place = np.minimum((risk * BINS).astype(np.int64), BINS - 1)
    found = []
    for number in np.unique(place).tolist():
        inside = place == number
        found.append(
            Bin(
                low=number / BINS,
                high=(number + 1) / BINS,
                estimates=int(inside.sum()),
                expected=float(risk[inside].mean()),
                observed=float(lost[inside].mean()),
            )
        )
    return found


def calibration_error(bins: list[Bin]) -> float:
    """Expected calibration error: how far expected and observed lie apart, over all estimates."""
    total = sum(one.estimates for one in bins)
    return sum(abs(one.observed - one.expected) * one.estimates for one in bins) / total if total else np.nan
