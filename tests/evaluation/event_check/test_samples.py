"""Samples and histograms: exact while they are small, near the truth when they are not, and bounded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.event_check.samples import KeySample, MinuteHistogram


@given(st.lists(st.integers(0, 500)), st.integers(1, 50))
def test_a_sample_is_bounded_and_knows_all_or_nothing_of_a_key(keys: list[int], limit: int) -> None:
    sample: KeySample[list[int]] = KeySample(limit)
    for number, key in enumerate(keys):
        value = sample.get(str(key), list)
        if value is not None:
            value.append(number)
    assert len(sample.values) <= limit
    for name, value in sample.values.items():
        assert value == [number for number, key in enumerate(keys) if str(key) == name]
    if len({*keys}) <= limit:
        assert sample.keys == len({*keys})
        assert sample.one_in == 1


def test_the_number_of_keys_is_estimated() -> None:
    sample: KeySample[int] = KeySample(1_000)
    for number in range(50_000):
        sample.get(f"learner-{number}", int)
    assert sample.one_in > 1
    assert sample.keys == pytest.approx(50_000, rel=0.15)


@given(st.lists(st.integers(-100 * 60, 200 * 60), min_size=1), st.floats(0.01, 1))
def test_quantiles_are_those_of_the_minutes(seconds: list[int], share: float) -> None:
    histogram = MinuteHistogram(-50, 100)
    for value in seconds:
        histogram.add(np.array([value]))
    minutes = np.sort(np.clip(np.array(seconds) // 60, -50, 100))
    assert histogram.total == len(seconds)
    assert histogram.above(10) == int((minutes >= 10).sum())
    expected = minutes[max(int(np.ceil(round(share * len(minutes), 9))), 1) - 1]
    assert histogram.quantile(share) == expected
    later = minutes[minutes >= 10]
    assert histogram.quantile(1, above=10) == (int(later[-1]) if len(later) else None)
