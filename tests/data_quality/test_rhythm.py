"""A stream's own rhythm, and how surprising it is that less came."""

import numpy as np
import pytest
from scipy import stats

from data_quality.rhythm import MIN_NOISE, WARM, Level, Noise, share_surprise


@pytest.mark.parametrize(("noise", "expected"), [(0.02, 30.0), (0.1, 400.0), (0.5, 2000.0)])
def test_surprise_bounds_the_probability_of_so_few(noise: float, expected: float) -> None:
    size = 1 / noise
    counts = np.arange(0, int(expected), max(int(expected) // 40, 1))
    probability = stats.nbinom.cdf(counts, size, size / (size + expected))
    surprise = [Noise(noise).surprise(float(count), expected) for count in counts]
    assert surprise == sorted(surprise, reverse=True)
    assert (10.0 ** -np.array(surprise) >= probability).all()
    assert surprise[0] == pytest.approx(-np.log10(probability[0]))


def test_nothing_is_surprising_in_as_many_as_expected() -> None:
    assert Noise().surprise(400.0, 400.0) == Noise().surprise(900.0, 400.0) == 0.0
    assert Noise().surprise(0.0, 3.0) < 2


def test_a_level_follows_weekdays_and_the_end_of_a_course() -> None:
    rng = np.random.default_rng(1)
    weekdays = np.array([1.4, 1.2, 1.0, 1.0, 0.9, 0.6, 0.9])
    level, ratios = Level(500.0, 500.0), []
    for day in range(140):
        fading = 1.0 if day < 100 else max(1 - (day - 100) / 50, 0.1)
        observed = float(rng.poisson(500 * weekdays[day % 7] * fading))
        ratios.append(level.expected(day) / observed)
        level.learn(day, observed)
    assert np.median(np.abs(np.log(ratios[40:100]))) < 0.1
    assert max(ratios[100:]) < 1.6


def test_noise_is_learned_and_a_restless_stream_has_to_fall_further() -> None:
    rng = np.random.default_rng(2)
    steady, restless = Noise(), Noise()
    for _ in range(100):
        steady.learn(float(rng.poisson(400)), 400.0)
        restless.learn(float(rng.poisson(400 * rng.gamma(4.0, 0.25))), 400.0)
    assert steady.is_warm
    assert steady.value < restless.value / 5
    assert steady.surprise(150.0, 400.0) > 3 * restless.surprise(150.0, 400.0)
    assert not Noise(MIN_NOISE, WARM - 1).is_warm


def test_share_surprise_bounds_the_binomial() -> None:
    for count in (5, 20, 60):
        bound = 10.0 ** -share_surprise(count, 100, 0.02)
        assert bound >= stats.binom.sf(count - 1, 100, 0.02)
    assert share_surprise(2, 100, 0.02) == share_surprise(0, 0, 0.02) == 0.0
    assert share_surprise(100, 100, 0.02) > 100
