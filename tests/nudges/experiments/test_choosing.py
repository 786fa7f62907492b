"""The bandit: propensities are exact, sums add up in any order, and it finds what is better."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudges.assignment import pick
from nudges.experiments.choosing import FLOOR, Chooser, Ints, Learned, probabilities

CONTEXTS = np.array([[1, 0], [1, 1]])
TRUE = np.array([[0.6, 0.3], [0.4, 0.5], [0.5, 0.4]])
"""Reward of each of three variants in two situations."""


def outcomes(n: int, seed: int) -> tuple[Ints, Ints, Ints]:
    rng = np.random.default_rng(seed)
    situation, variant = rng.integers(0, 2, n), rng.integers(0, 3, n)
    reward = (rng.random(n) < TRUE[variant, situation]).astype(np.int64)
    return CONTEXTS[situation], variant, reward


def learned(n: int, seed: int = 1) -> Learned:
    return Learned.of(*outcomes(n, seed), known=3)


def test_before_the_first_outcome_all_are_as_likely() -> None:
    shares = Chooser.of(Learned.nothing(3, 2)).probabilities(CONTEXTS)
    assert shares == pytest.approx(np.full((2, 3), 1 / 3), abs=1e-6)


@given(st.integers(0, 3_000), st.integers(0, 1_000))
def test_probabilities_are_probabilities_above_the_floor(n: int, seed: int) -> None:
    chooser = Chooser.of(learned(n, seed))
    shares = chooser.probabilities(CONTEXTS)
    assert shares.sum(axis=1) == pytest.approx([1, 1], abs=1e-9)
    assert (shares >= FLOOR - 1e-9).all()
    assert (shares.argmax(axis=1) == chooser.estimates(CONTEXTS).argmax(axis=1)).all()
    pick(0.999, probabilities(chooser, [1, 1]))  # is what the draw takes


def test_the_best_is_found_in_each_situation() -> None:
    shares = Chooser.of(learned(20_000)).probabilities(CONTEXTS)
    assert shares.argmax(axis=1).tolist() == [0, 1]
    assert (shares.max(axis=1) > 0.85).all()


def test_estimates_are_those_of_ridge_regression() -> None:
    contexts, variants, rewards = outcomes(500, 4)
    chooser = Chooser.of(Learned.of(contexts, variants, rewards, known=3))
    for variant in range(3):
        x, y = contexts[variants == variant], rewards[variants == variant]
        assert chooser.weights[variant] == pytest.approx(np.linalg.solve(x.T @ x + np.eye(2), x.T @ y))


def test_partitions_add_up_to_the_same_bytes() -> None:
    contexts, variants, rewards = outcomes(999, 2)
    whole = Learned.of(contexts, variants, rewards, known=3)
    parts = [Learned.of(contexts[at::4], variants[at::4], rewards[at::4], known=3) for at in (2, 0, 3, 1)]
    summed = sum(parts, Learned.nothing(3, 2))
    assert summed.as_data() == whole.as_data()
    assert summed.outcomes == 999
    assert (Chooser.of(summed).weights == Chooser.of(whole).weights).all()


def test_it_survives_json() -> None:
    before = learned(300)
    after = Learned.from_data(json.loads(json.dumps(before.as_data())))
    assert after.as_data() == before.as_data()
    with pytest.raises(ValueError, match="products have shape"):
        Learned.from_data({"products": [[1]], "rewards": [[1, 2]]})
