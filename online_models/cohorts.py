"""Cohort ranks: where an enrolment stands among those of its course run on the same day.

A partition sees only a sample of a cohort, so ranks are read from the histograms of all partitions
together. Histograms are whole numbers: the order in which they are added does not matter.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from features.bins import bin_start
from features.catalogue import BINS, FEATURES, INDEX

MIDDLE = 127
"""The rank in an empty cohort: nobody to compare with."""

Histogram = NDArray[np.int32]
"""Enrolments of a cohort by bin, [features, bins]."""

RankTable = NDArray[np.uint8]
"""The rank of each bin in a cohort, [features, bins]."""


def merge(histograms: Iterable[NDArray[np.int32]]) -> Histogram:
    """The histogram of all partitions from that of each.

    Raises ValueError for another shape than [features, bins] or a negative count.
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
    """The share of the run gone by, which the whole cohort shares."""
    return phase_of(int(histogram[INDEX["phase"]].argmax()))


def phase_of(code: int) -> float:
    """The share of a run gone by, from the bin of its feature."""
    return bin_start(FEATURES[INDEX["phase"]], code)


def rank_table(histogram: Histogram) -> RankTable:
    """Mid-ranks × 255, rounded: (those below + half of those in the bin) / all.

    A feature that nobody has gets ``MIDDLE`` everywhere.
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
    for place, feature in enumerate(FEATURES):
        ranks[place] = table[place][codes[place]] if feature.ranked else MIDDLE
    return ranks
