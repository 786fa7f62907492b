"""Discretises feature values to bins, and counts bins in cohort histograms."""

import numpy as np
from numpy.typing import NDArray

from features.catalogue import BINS, FEATURES, Feature, Linear, Log

Codes = NDArray[np.uint8]
"""Bins of enrolments, [features, enrolments]."""

_LARGEST = 2**16 - 1


def _log_table(per_octave: float) -> NDArray[np.uint8]:
    whole = np.arange(_LARGEST + 1)
    return np.minimum(np.floor(per_octave * np.log2(1 + whole)), BINS - 1).astype(np.uint8)


_TABLES = {
    scale: _log_table(scale.per_octave) for scale in {f.scale for f in FEATURES if isinstance(f.scale, Log)}
}


def bins_of(feature: Feature, values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """The bins of a feature's values, [enrolments] → uint8 [enrolments], monotone in the value.

    Logarithmic scales use a table, so that results do not depend on the platform's ``log``.
    """
    if isinstance(feature.scale, Log):
        table = _TABLES[feature.scale]
        return table[np.clip(values.astype(np.int64), 0, _LARGEST)]
    return _linear(feature.scale, values)


def _linear(scale: Linear, values: NDArray[np.generic]) -> NDArray[np.uint8]:
    share = (values.astype(np.float64) - scale.low) * (BINS / (scale.high - scale.low))
    return np.clip(share, 0, BINS - 1).astype(np.uint8)


def bin_start(feature: Feature, bin_: int) -> float:
    """The smallest value of a bin; explanations show it."""
    if isinstance(feature.scale, Log):
        return float(np.searchsorted(_TABLES[feature.scale], bin_))
    low, high = feature.scale.low, feature.scale.high
    return low + bin_ * (high - low) / BINS


def value_range(feature: Feature) -> tuple[float, float]:
    """The least and the largest value that bins distinguish; values beyond them are clamped."""
    scale = feature.scale
    return (0.0, float(_LARGEST)) if isinstance(scale, Log) else (float(scale.low), float(scale.high))


def histogram(codes: Codes) -> NDArray[np.int32]:
    """How many enrolments fall into each bin: uint8 [features, enrolments] → int32 [features, bins]."""
    rows = np.arange(len(codes))[:, None] * BINS
    flat = np.bincount((codes + rows).ravel(), minlength=len(codes) * BINS)
    return flat.reshape(len(codes), BINS).astype(np.int32)
