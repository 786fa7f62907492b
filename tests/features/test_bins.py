"""Bins: monotone, told as their smallest value, counted once each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.bins import bin_start, bins_of, histogram
from features.catalogue import BINS, FEATURES, Feature, Linear, Log

KINDS = list({repr(feature.scale): feature for feature in FEATURES}.values())
each_scale = pytest.mark.parametrize("feature", KINDS, ids=lambda feature: repr(feature.scale))


@each_scale
def test_codes_rise_with_the_value_and_stay_in_their_bounds(feature: Feature) -> None:
    match feature.scale:
        case Log():
            values = np.arange(-3.0, 70_000.0)
        case Linear(low, high):
            values = np.linspace(low - (high - low), high + (high - low), 5000)
    bins = bins_of(feature, values).astype(int)
    assert (np.diff(bins) >= 0).all()
    assert (bins.min(), bins.max()) == (0, BINS - 1)


@each_scale
def test_a_bin_is_told_as_its_smallest_value(feature: Feature) -> None:
    for bin_ in range(BINS):
        smallest = bin_start(feature, bin_)
        bins = bins_of(feature, np.array([smallest]))[0]
        if isinstance(feature.scale, Linear):
            assert bins == bin_ or np.isclose(smallest, bin_start(feature, bin_ + 1))
        else:
            below = bins_of(feature, np.array([smallest - 1]))[0]
            assert below <= bin_ <= bins
            assert smallest == 0 or below < bin_


def test_nothing_is_alone_in_the_first_bin_of_a_logarithmic_scale() -> None:
    clicks = next(feature for feature in FEATURES if feature.name == "clicks_7")
    assert bins_of(clicks, np.array([0, 1, 2, 10**7])).tolist() == [0, 5, 7, BINS - 1]


def test_the_largest_of_a_linear_scale_is_in_the_last_bin() -> None:
    share = next(feature for feature in FEATURES if feature.name == "missed")
    assert bins_of(share, np.array([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist() == [0, 0, 32, 63, 63]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 50), st.integers(1, 4), st.integers(0, 2**32))
def test_a_histogram_counts_everybody_once(enrolments: int, features: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, BINS, (features, enrolments)).astype(np.uint8)
    counts = histogram(codes)
    assert counts.shape == (features, BINS)
    assert (counts.sum(axis=1) == enrolments).all()
    for feature in range(features):
        assert counts[feature].tolist() == [(codes[feature] == bin_).sum() for bin_ in range(BINS)]
