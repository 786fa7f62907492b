"""Cohort ranks: an enrolment's rank among those of its course run on the same day, by feature.

A partition holds only a sample of a cohort, so ranks are read from the sum of all partitions' histograms.
Histograms are whole numbers: the order in which they are added does not matter.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from features.bins import bin_start
from features.catalogue import BINS, FEATURES, INDEX

MIDDLE = 127
"""The rank in an empty cohort."""

Histogram = NDArray[np.int32]
"""Enrolments of a cohort by bin, [features, bins]."""

RankTable = NDArray[np.uint8]
"""The rank of each bin in a cohort, [features, bins]."""


def merge(histograms: Iterable[NDArray[np.int32]]) -> Histogram:
    """The sum of the partitions' histograms.

    Raises:
        ValueError: for another shape than [features, bins] or a negative count.
    """
    total = np.zeros((len(FEATURES), BINS), np.int64)
    for histogram in histograms:
        if histogram.shape != total.shape:
            raise ValueError(f"cohort histogram: shape {histogram.shape}, expected {total.shape}")
        if (histogram < 0).any():
            raise ValueError(f"cohort histogram: a count of {histogram.min()}, expected none below 0")
        total += histogram
    return np.minimum(total, np.iinfo(np.int32).max).astype(np.int32)


def phase(histogram: Histogram) -> float:
    """The elapsed share of the run, which is the same for the whole cohort."""
    return phase_of(int(histogram[INDEX["phase"]].argmax()))


def phase_of(code: int) -> float:
    """The elapsed share of a run, from the bin of the feature ``phase``."""
    return bin_start(FEATURES[INDEX["phase"]], code)


def rank_table(histogram: Histogram) -> RankTable:
    """Mid-ranks × 255, rounded: (those below + half of those in the bin) / all.

    Features of an empty cohort get ``MIDDLE`` everywhere.
    """
    counts = histogram.astype(np.int64)
    total = counts.sum(axis=1, keepdims=True)
    twice = 2 * counts.cumsum(axis=1) - counts
    # Whole numbers to the end: half of 255 × share, rounded half up, the same on every machine.
    ranks = (255 * twice + total) // np.maximum(2 * total, 1)
    return np.where(total > 0, ranks, MIDDLE).astype(np.uint8)


def ranks_of(codes: NDArray[np.uint8], table: RankTable) -> NDArray[np.uint8]:
    """Ranks of enrolments in one cohort, uint8 [features, n] → uint8 [features, n].

    Features that are not ranked get ``MIDDLE``: the whole cohort shares their value.
    """
    ranks = np.empty_like(codes)
    for index, feature in enumerate(FEATURES):
        ranks[index] = table[index][codes[index]] if feature.ranked else MIDDLE
    return ranks
