"""The committee: the mean of its members, in any order of addition, learned and kept as they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from features.catalogue import FEATURES
from online_models import committee, network
from online_models.committee import MEMBERS, as_one_network
from online_models.network import GRID, LOST, MAX_WEIGHT, Weights
from tests.online_models.examples import enrolments, rows, seeded, seen_of

Rows = tuple[NDArray[np.uint8], NDArray[np.uint8]]

LEARNED = committee.learn(committee.initial_members(), seeded(3000))


@settings(deadline=None, max_examples=20)
@given(enrolments)
def test_it_says_the_mean_of_its_members_bit_for_bit(columns: Rows) -> None:
    batch = seen_of(*columns)
    by_member = [network.log_odds(weights, batch) for weights in LEARNED]
    for order in (by_member, by_member[::-1]):
        np.testing.assert_array_equal(
            committee.log_odds(as_one_network(LEARNED), batch), sum(order) / MEMBERS
        )


def test_no_order_of_addition_changes_a_bit() -> None:
    """Members at the edge of what weights may be, and enrolments together or one by one."""
    draw = np.random.default_rng(4)
    edge = tuple(
        Weights(
            **{
                name: draw.choice([-1, 1], shape) * (MAX_WEIGHT - GRID * draw.integers(1, 1000, shape))
                for name, shape in network.SHAPES.items()
            }
        )
        for _ in range(MEMBERS)
    )
    batch = seen_of(*rows(50, draw))
    together = committee.log_odds(as_one_network(edge), batch)
    np.testing.assert_array_equal(committee.log_odds(as_one_network(edge[::-1]), batch), together)
    for n in range(50):
        alone = seen_of(batch.codes[:, [n]], batch.ranks[:, [n]])
        np.testing.assert_array_equal(committee.log_odds(as_one_network(edge), alone)[:, 0], together[:, n])


def test_members_differ_and_their_mean_errs_less() -> None:
    batch = network.example_batch(test_examples := seeded(2000, seed=5))
    lost = np.array([example.label for example in test_examples])

    def loss(log_odds: NDArray[np.float64]) -> float:
        return float(np.mean(np.logaddexp(0.0, np.where(lost, -log_odds, log_odds))))

    by_member = [network.log_odds(weights, batch)[LOST] for weights in LEARNED]
    assert all(np.abs(by_member[0] - other).mean() > 0.01 for other in by_member[1:])
    assert loss(committee.log_odds(as_one_network(LEARNED), batch)[LOST]) < np.mean(
        [loss(log_odds_of_member) for log_odds_of_member in by_member]
    )


@settings(deadline=None, max_examples=20)
@given(enrolments)
def test_parts_add_up_to_the_change(columns: Rows) -> None:
    codes, ranks = columns
    before, after = seen_of(codes, ranks), seen_of(codes[:, ::-1], ranks[:, ::-1])
    joint = as_one_network(LEARNED)
    parts = committee.contributions(joint, before, after)
    assert parts.shape == (len(FEATURES), codes.shape[1])
    change = committee.log_odds(joint, after)[LOST] - committee.log_odds(joint, before)[LOST]
    np.testing.assert_allclose(parts.sum(axis=0), change, rtol=0, atol=1e-9)


def test_its_state_is_all_there_is_to_it() -> None:
    restored = committee.from_state(committee.state(LEARNED))
    examples = seeded(300, seed=6)
    uninterrupted, resumed = committee.learn(LEARNED, examples), committee.learn(restored, examples)
    assert committee.state(resumed) == committee.state(uninterrupted) != committee.state(LEARNED)


def test_a_strange_state_is_refused() -> None:
    whole = committee.state(LEARNED)
    with pytest.raises(ValueError, match="networks: expected a list of 4, found 3 of them"):
        committee.from_state(whole[1:])
    with pytest.raises(ValueError, match="networks: expected a list of 4, found dict"):
        committee.from_state({})
    with pytest.raises(ValueError, match="network: expected an object"):
        committee.from_state([*whole[1:], None])
