"""Ranks: of a whole cohort, whatever part of it each partition saw."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from features.bins import histogram
from features.catalogue import BINS, FEATURES
from online_models.cohorts import MIDDLE, merge, rank_table, ranks_of

F = len(FEATURES)
cohorts = st.integers(1, 40).flatmap(
    lambda n: hnp.arrays(np.uint8, (F, n), elements=st.integers(0, BINS - 1))
)


@settings(deadline=None)
@given(cohorts, st.integers(1, 5))
def test_partitions_together_see_the_cohort(codes: NDArray[np.uint8], partitions: int) -> None:
    split = [histogram(codes[:, number::partitions]) for number in range(partitions)]
    np.testing.assert_array_equal(merge(split), histogram(codes))
    np.testing.assert_array_equal(merge(split[::-1]), merge(split))


@settings(deadline=None)
@given(cohorts)
def test_a_rank_is_the_share_below_and_half_of_the_equals(codes: NDArray[np.uint8]) -> None:
    ranks = ranks_of(codes, rank_table(histogram(codes)))
    for index, feature in enumerate(FEATURES):
        own = codes[index].astype(int)
        below = (own[None, :] < own[:, None]).mean(axis=1)
        equal = (own[None, :] == own[:, None]).mean(axis=1)
        expected = (below + equal / 2) * 255 if feature.ranked else np.full(len(own), MIDDLE)
        assert np.abs(ranks[index] - expected).max() <= 0.5 + 1e-9


@settings(deadline=None)
@given(cohorts)
def test_ranks_rise_with_the_bin(codes: NDArray[np.uint8]) -> None:
    assert (np.diff(rank_table(histogram(codes)).astype(int), axis=1) >= 0).all()


def test_nobody_to_compare_with_is_the_middle() -> None:
    assert (rank_table(merge([])) == MIDDLE).all()


def test_a_very_large_cohort_does_not_overflow() -> None:
    counts = np.full((F, BINS), 30_000_000, np.int32)
    table = rank_table(merge([counts]))
    assert table[0, 0] == round(0.5 / BINS * 255)
    assert table[0, -1] == round((1 - 0.5 / BINS) * 255)


@pytest.mark.parametrize(
    ("histogram_", "complaint"),
    [
        (np.zeros((F, BINS - 1), np.int32), rf"expected \({F}, 64\)"),
        (np.full((F, BINS), -1, np.int32), "a count of -1"),
    ],
)
def test_what_is_no_histogram_is_refused(histogram_: NDArray[Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        merge([histogram_])
