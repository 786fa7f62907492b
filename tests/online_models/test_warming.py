"""The recency prior: the documented figures, and nothing that was made up."""

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from features.bins import bins_of
from features.catalogue import FEATURES, INDEX
from features.compute_coursework import NO_PHASE
from online_models.warming import RecencyPrior, base_rate, recency_prior
from tests.online_models.examples import F, enrolments, seen_of


@pytest.mark.parametrize(("days", "seen_again"), [(7, 0.94), (14, 0.87), (21, 0.78), (28, 0.67), (42, 0.43)])
def test_who_does_not_come_back_is_lost(days: int, seen_again: float) -> None:
    assert recency_prior(days, 0.0) == pytest.approx(1 - seen_again * (1 - base_rate(0.0)))


def test_the_base_rate_falls_as_those_who_leave_have_left() -> None:
    assert base_rate(-0.1) == pytest.approx(0.528)
    assert base_rate(0.0) == pytest.approx(0.486, abs=0.001)
    assert base_rate(1.0) == pytest.approx(0.216 / 0.688)
    rates = [base_rate(share) for share in np.linspace(-0.2, 1, 50)]
    assert rates == sorted(rates, reverse=True)


def test_it_rises_with_silence_and_is_never_certain() -> None:
    for phase in (-0.1, 0.0, 0.5, 1.0):
        prior = [recency_prior(days, phase) for days in range(400)]
        assert prior == sorted(prior)
        assert prior[-1] < 1


def row(silence: int, phase: float) -> NDArray[np.uint8]:
    codes = np.zeros((F, 1), np.uint8)
    for name, number in (("silence", silence), ("phase", phase)):
        codes[INDEX[name]] = bins_of(FEATURES[INDEX[name]], np.array([number]))
    return codes


@pytest.mark.parametrize("silence", [0, 7, 14, 21, 28, 42])
def test_bins_lose_little_of_it(silence: int) -> None:
    codes = row(silence, 0.3)
    estimate = RecencyPrior().estimate(seen_of(codes, codes))
    assert estimate.lost[0] == pytest.approx(recency_prior(silence, 0.3), abs=0.03)


def test_the_long_silent_are_lost_and_have_left_already() -> None:
    silent = [RecencyPrior().estimate(seen_of(row(days, 0.5), row(days, 0.5))) for days in (0, 28, 120)]
    lost, exits = ([float(getattr(estimate_, name)[0]) for estimate_ in silent] for name in ("lost", "exits"))
    assert lost == sorted(lost)
    assert exits[0] < exits[2] < exits[1] < 0.1


@settings(deadline=None)
@given(enrolments)
def test_silence_and_phase_explain_all_of_it(columns: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    prior, (codes, ranks) = RecencyPrior(), columns
    before, after = seen_of(codes, ranks), seen_of(codes[:, ::-1], ranks[:, ::-1])
    was, now = prior.estimate(before).lost, prior.estimate(after).lost
    change = np.log(now / (1 - now)) - np.log(was / (1 - was))
    np.testing.assert_allclose(prior.contributions(before, after).sum(axis=0), change, atol=1e-9)
    assert prior.state == "warming_up"


def test_without_an_end_it_is_who_stays_silent_for_four_weeks_more() -> None:
    prior = [recency_prior(days, NO_PHASE) for days in range(100)]
    assert prior == sorted(prior)
    assert prior[0] == 0.001
    assert prior[14] == pytest.approx((1 - 0.87) / (1 - 0.43))
    assert prior[67] == 0.999
