"""The bandit: propensities are exact, sums add up in any order, and it finds what is better."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nudges.assignment import pick
from nudges.experiments.bandit import FLOOR, INPUTS, Bandit, Ints, context_of, outcome_sums, probabilities

CONTEXTS = np.array([[1, 0], [1, 1]])
TRUE = np.array([[0.6, 0.3], [0.4, 0.5], [0.5, 0.4]])
"""Reward of each of three variants in two situations."""


def outcomes(n: int, seed: int) -> tuple[Ints, Ints, Ints]:
    rng = np.random.default_rng(seed)
    situation, variant = rng.integers(0, 2, n), rng.integers(0, 3, n)
    reward = (rng.random(n) < TRUE[variant, situation]).astype(np.int64)
    return CONTEXTS[situation], variant, reward


def by_variant(contexts: Ints, variants: Ints, rewards: Ints) -> Ints:
    return np.stack(
        [outcome_sums(contexts[variants == variant], rewards[variants == variant]) for variant in range(3)]
    )


def learned(n: int, seed: int = 1) -> Ints:
    return by_variant(*outcomes(n, seed))


def test_before_the_first_outcome_all_are_as_likely() -> None:
    shares = Bandit.from_sums(np.zeros((1, 3, 2, 3), np.int64)).probabilities(CONTEXTS)
    assert shares == pytest.approx(np.full((2, 3), 1 / 3), abs=1e-6)


@settings(deadline=None)
@given(st.integers(0, 3_000), st.integers(0, 1_000))
def test_probabilities_are_probabilities_above_the_floor(n: int, seed: int) -> None:
    bandit = Bandit.from_sums(learned(n, seed)[None])
    shares = bandit.probabilities(CONTEXTS)
    assert shares.sum(axis=1) == pytest.approx([1, 1], abs=1e-9)
    assert (shares >= FLOOR - 1e-9).all()
    pick(0.999, probabilities(bandit, [1, 1]))  # is what the draw takes


def test_the_best_is_found_in_each_situation() -> None:
    shares = Bandit.from_sums(learned(20_000)[None]).probabilities(CONTEXTS)
    assert shares.argmax(axis=1).tolist() == [0, 1]
    assert shares.max(axis=1) == pytest.approx([1 - 2 * FLOOR] * 2, abs=1e-3)


def test_a_variant_is_chosen_as_often_as_it_is_likely_to_be_the_best() -> None:
    bandit = Bandit.from_sums(learned(150)[None])
    rng = np.random.default_rng(5)
    weights = np.stack(
        [
            rng.multivariate_normal(mean, doubt, 100_000)
            for mean, doubt in zip(bandit.weights, bandit.covariances, strict=True)
        ]
    )
    for context, shares in zip(CONTEXTS, bandit.probabilities(CONTEXTS), strict=True):
        best = np.bincount((weights @ context).argmax(axis=0), minlength=3) / 100_000
        assert shares == pytest.approx(FLOOR + (1 - 3 * FLOOR) * best, abs=0.01)
        assert shares.max() < 0.97, "or there would be nothing to see"


def test_what_all_variants_share_is_learned_from_all() -> None:
    """One that was not tried is taken for as good as the mean, not for useless."""
    one_untried = learned(900)
    one_untried[2] = 0
    bandit = Bandit.from_sums(one_untried[None])
    untried = bandit.estimates(CONTEXTS)[:, 2]
    assert untried == pytest.approx(np.full(2, bandit.mean))
    assert 0.4 < bandit.mean < 0.5
    assert (bandit.probabilities(CONTEXTS)[:, 2] > 0.1).all()


def test_estimates_are_those_of_ridge_regression() -> None:
    contexts, variants, rewards = outcomes(500, 4)
    bandit = Bandit.from_sums(by_variant(contexts, variants, rewards)[None])
    for variant in range(3):
        x, y = contexts[variants == variant], rewards[variants == variant] - bandit.mean
        inverse = np.linalg.inv(x.T @ x + np.eye(2))
        assert bandit.weights[variant] == pytest.approx(inverse @ x.T @ y)
        assert bandit.covariances[variant] == pytest.approx(bandit.mean * (1 - bandit.mean) * inverse)


def test_stages_are_told_apart_by_their_own_means() -> None:
    """Fewer are back after a day than after a week; a variant tried on other days is no worse for it."""
    contexts = np.array([[1, 0]] * 400)
    few, many = np.arange(400) % 10 < 2, np.arange(400) % 10 < 7
    nothing = np.zeros((2, 3), np.int64)
    apart = np.stack(
        [
            np.stack([outcome_sums(contexts, few.astype(np.int64)), nothing]),
            np.stack([nothing, outcome_sums(contexts, many.astype(np.int64))]),
        ]
    )
    bandit = Bandit.from_sums(apart)
    assert bandit.mean == pytest.approx(0.7, abs=0.01)
    assert bandit.estimates(CONTEXTS[:1])[0] == pytest.approx([0.7, 0.7], abs=0.01)
    together = Bandit.from_sums(apart.sum(axis=0)[None])
    assert together.estimates(CONTEXTS[:1])[0, 0] < 0.3, "taken together the first would be worse"
    better = apart.copy()
    better[0, 1] = outcome_sums(contexts, (np.arange(400) % 10 < 4).astype(np.int64))
    assert Bandit.from_sums(better).probabilities(CONTEXTS[:1])[0, 1] > 0.9, (
        "and who is back sooner is better"
    )


def test_partitions_add_up_to_the_same_bytes() -> None:
    contexts, variants, rewards = outcomes(999, 2)
    whole = by_variant(contexts, variants, rewards)
    parts = [by_variant(contexts[start::4], variants[start::4], rewards[start::4]) for start in (2, 0, 3, 1)]
    assert sum(parts, np.zeros((3, 2, 3), np.int64)).tobytes() == whole.tobytes()
    assert int(whole[:, 0, 0].sum()) == 999


def test_what_is_seen_of_a_decision() -> None:
    distinct = {
        context_of(group, level)
        for group in ("deadlines", "silence", "volume", None)
        for level in ("low", "medium")
    }
    assert len(distinct) == 6
    assert all(len(context) == len(INPUTS) and context[0] == 1 for context in distinct)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="learned has shape"):
        Bandit.from_sums(np.zeros((1, 3, 2, 2), np.int64))
