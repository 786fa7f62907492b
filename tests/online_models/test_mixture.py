"""The mixture follows the better expert, and is judged before it learns."""

import numpy as np
import pytest

from online_models.mixture import INITIAL_WEIGHTS, Mixture, parse_weights


def test_it_comes_to_believe_the_expert_that_is_right() -> None:
    draw = np.random.default_rng(2)
    truth = draw.normal(0, 2, 40_000)
    labels = draw.random(40_000) < 1 / (1 + np.exp(-truth))
    log_odds = np.stack([draw.normal(0, 2, 40_000), truth])
    mixture = Mixture((0.5, 0.5))
    mixture.learn(log_odds, labels, np.ones(40_000))
    guess, right = mixture.weights
    assert guess < 0.2
    assert right > 0.8


def test_it_goes_on_from_its_state() -> None:
    draw = np.random.default_rng(3)
    log_odds, labels, counts = draw.normal(0, 1, (2, 200)), draw.random(200) < 0.5, draw.uniform(1, 4, 200)
    uninterrupted, before = Mixture(), Mixture()
    uninterrupted.learn(log_odds, labels, counts)
    before.learn(log_odds[:, :90], labels[:90], counts[:90])
    after = Mixture.from_state(list(before.weights))
    after.learn(log_odds[:, 90:], labels[90:], counts[90:])
    assert after.weights == uninterrupted.weights != INITIAL_WEIGHTS


@pytest.mark.parametrize("state", [None, [0.5], [0.5, 0.5, 0.5], [0.5, float("nan")], ["a", "b"], {"a": 1}])
def test_a_strange_state_is_refused(state: object) -> None:
    with pytest.raises(ValueError, match=r"mixture|valid"):
        parse_weights(state)  # type: ignore[arg-type]
