"""What earlier days make of an estimate: half of what is served, halved every seven days."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from online_models.design import Estimate
from online_models.memory import ESTIMATES, HALF_LIFE_DAYS, MEMORY_SHARE, NO_MEMORY, Memory, smooth_estimate
from online_models.scoring import log_odds_of

probabilities = st.lists(st.floats(0, 1).map(lambda number: round(number, 6)), min_size=1, max_size=30)


def nothing(count: int) -> Memory:
    return np.full((count, ESTIMATES), NO_MEMORY)


def both(lost: list[float]) -> Estimate:
    """The exit's estimate is another one, so that a mistaken column shows."""
    return Estimate(np.array(lost), np.round(np.array(lost) / 3, 6))


@given(probabilities)
def test_the_first_day_is_served_as_it_is(lost: list[float]) -> None:
    memory, served = smooth_estimate(nothing(len(lost)), both(lost))
    np.testing.assert_allclose(served.lost, np.clip(lost, 1e-6, 1 - 1e-6), rtol=0, atol=1.1e-6)
    assert not np.isnan(memory).any()


@given(probabilities)
def test_it_is_the_weighted_mean_of_all_days_and_the_day_itself(lost: list[float]) -> None:
    """Against the sum over days, written out."""
    memory, days = nothing(1), []
    for probability in lost:
        memory, served = smooth_estimate(memory, both([probability]))
        days.append(log_odds_of(np.array([probability]))[0])
    ages = np.arange(len(days))[::-1]
    weights = 0.5 ** (ages / HALF_LIFE_DAYS) * (1 - 0.5 ** (1 / HALF_LIFE_DAYS))
    weights[0] = 0.5 ** (ages[0] / HALF_LIFE_DAYS)  # the first day stands for all before it
    expected = MEMORY_SHARE * np.dot(weights, days) + (1 - MEMORY_SHARE) * days[-1]
    assert weights.sum() == pytest.approx(1)
    assert served.lost[0] == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-5)


@given(probabilities)
def test_each_enrolment_stands_for_itself(lost: list[float]) -> None:
    memory, _ = smooth_estimate(nothing(len(lost)), both(lost[::-1]))
    together = smooth_estimate(memory, both(lost))
    for index, probability in enumerate(lost):
        alone = smooth_estimate(memory[[index]], both([probability]))
        np.testing.assert_array_equal(alone[0][0], together[0][index])
        assert (alone[1].lost[0], alone[1].exits[0]) == (together[1].lost[index], together[1].exits[index])


def test_a_change_shows_by_more_than_half_at_once_and_by_three_quarters_in_a_week() -> None:
    memory, _ = smooth_estimate(nothing(1), both([0.2]))
    served_log_odds: list[NDArray[np.float64]] = []
    for _ in range(7):
        memory, served = smooth_estimate(memory, both([0.8]))
        served_log_odds.append(log_odds_of(served.lost))
    share = (np.array(served_log_odds)[:, 0] - log_odds_of(np.array(0.2))) / (2 * log_odds_of(np.array(0.8)))
    assert 0.5 < share[0] < 0.6
    assert share[6] == pytest.approx(0.75, abs=1e-4)
    assert (np.diff(share) > 0).all()
