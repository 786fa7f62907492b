"""Policies judged without being run: unbiased, covered, and an error where nothing can be said."""

from collections.abc import Callable

import numpy as np
import pytest

from nudges.experiments.off_policy import (
    Estimate,
    Floats,
    LoggedDecisions,
    always,
    doubly_robust,
    earlier_means,
    inverse_propensity,
    self_normalised,
)

TRUE = np.array([[0.6, 0.3], [0.4, 0.5], [0.5, 0.4]])
LOGGING = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
WANTED = np.array([[0.9, 0.0, 0.1], [0.0, 1.0, 0.0]])
VALUE = float(np.mean([(WANTED[situation] * TRUE[:, situation]).sum() for situation in (0, 1)]))


def logged(n: int, rng: np.random.Generator) -> tuple[LoggedDecisions, Floats]:
    """Decisions of a known policy, and estimates of a model that is wrong throughout."""
    situation = rng.integers(0, 2, n)
    variants = (rng.random(n)[:, None] > LOGGING[situation].cumsum(axis=1)).sum(axis=1)
    rewards = (rng.random(n) < TRUE[variants, situation]).astype(float)
    propensities = LOGGING[situation, variants]
    return LoggedDecisions(variants, propensities, rewards, WANTED[situation]), TRUE.T[situation] * 0.8 + 0.05


ESTIMATORS: dict[str, Callable[[LoggedDecisions, Floats], Estimate]] = {
    "inverse propensity": lambda log, _: inverse_propensity(log),
    "self-normalised": lambda log, _: self_normalised(log),
    "doubly robust": doubly_robust,
}


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS.keys())
def test_the_truth_is_found_and_covered(estimate: Callable[[LoggedDecisions, Floats], Estimate]) -> None:
    rng = np.random.default_rng(5)
    estimates = [estimate(*logged(2_000, rng)) for _ in range(400)]
    assert np.mean([result.value for result in estimates]) == pytest.approx(VALUE, abs=0.005)
    assert 0.92 <= np.mean([VALUE in result.interval for result in estimates]) <= 0.98


def test_a_good_model_narrows_it() -> None:
    log, _ = logged(5_000, np.random.default_rng(6))
    situations = (log.target[:, 1] == 1.0).astype(int)
    plain, good = inverse_propensity(log), doubly_robust(log, TRUE.T[situations])
    assert good.interval.high - good.interval.low < 0.85 * (plain.interval.high - plain.interval.low)


def test_the_policy_that_was_run_is_worth_what_it_earned() -> None:
    log, model = logged(3_000, np.random.default_rng(7))
    rows = np.arange(3_000)
    same = np.zeros_like(log.target)
    same[rows, log.variants] = 1.0
    ran = LoggedDecisions(log.variants, np.ones(3_000), log.rewards, same)
    for estimate in ESTIMATORS.values():
        assert estimate(ran, model).value == pytest.approx(log.rewards.mean())
        assert estimate(ran, model).effective == pytest.approx(3_000)


def test_what_nothing_can_be_said_of() -> None:
    certain, half = np.array([1.0]), np.array([0.5])
    with pytest.raises(ValueError, match=r"propensities\[0\] is 0.0; expected more than 0"):
        LoggedDecisions(np.array([0]), np.array([0.0]), certain, np.array([[1.0, 0.0]]))
    with pytest.raises(ValueError, match=r"target\[0\] adds up to 0.5; expected 1"):
        LoggedDecisions(np.array([0]), half, certain, np.array([[0.5, 0.0]]))
    with pytest.raises(ValueError, match="no decisions were logged"):
        LoggedDecisions(np.array([], int), np.array([]), np.array([]), np.zeros((0, 2)))
    with pytest.raises(ValueError, match="no logged decision is one that the other policy would make"):
        self_normalised(LoggedDecisions(np.array([0]), half, certain, np.array([[0.0, 1.0]])))


def test_the_plain_model_knows_only_what_was_known() -> None:
    made, rewards = np.array([0, 1, 0, 0]), np.array([1.0, 0.0, 1.0, 0.0])
    decided, known_on = np.array([1, 1, 8, 9]), np.array([7, 7, 14, 15])
    means = earlier_means(made, rewards, decided, known_on, 2)
    assert means.tolist() == [[0.5, 0.5], [0.5, 0.5], [2 / 3, 1 / 3], [2 / 3, 1 / 3]]
    assert always(1, 3, 2).tolist() == [[0, 1, 0], [0, 1, 0]]
