"""The network: exact sums, learning, its state as data, and parts that add up to the change."""

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from features.catalogue import BINS, FEATURES
from features.packed_arrays import pack
from online_models import network
from online_models.design import CONTEXT_WEIGHT, RANKED, TERMS, FeatureBatch
from online_models.network import EXITS, GRID, LOST, Weights
from tests.online_models.examples import enrolments, rows, seeded, seen_of, truth

Rows = tuple[NDArray[np.uint8], NDArray[np.uint8]]

LEARNED = network.learn(network.initial_weights(), seeded(6000))


def plain(weights: Weights, batch: FeatureBatch) -> NDArray[np.float64]:
    """The same network, one product after the other and without the rounding of its hidden layer."""
    inputs = np.concatenate(
        [batch.codes / (BINS / 2) - (BINS - 1) / BINS, batch.ranks[list(RANKED)] / 128 - 255 / 256]
    )
    hidden = np.array(
        [
            [sum(w * x for w, x in zip(row, inputs[:, n], strict=True)) for row in weights.hidden]
            for n in range(inputs.shape[1])
        ]
    ).T
    active = np.maximum(hidden + weights.hidden_bias[:, None], 0)
    context = CONTEXT_WEIGHT * weights.context[:, batch.context].sum(axis=1)
    log_odds: NDArray[np.float64] = weights.out @ active + weights.line @ inputs + context
    return log_odds + weights.out_bias[:, None]


@settings(deadline=None, max_examples=20)
@given(enrolments)
def test_it_is_the_network_that_it_says(columns: Rows) -> None:
    batch = seen_of(*columns)
    np.testing.assert_allclose(network.log_odds(LEARNED, batch), plain(LEARNED, batch), rtol=0, atol=2e-3)


def test_no_order_of_addition_changes_a_bit() -> None:
    """Weights at the edge of what they may be, inputs as they are: what makes sums inexact elsewhere."""
    draw = np.random.default_rng(4)
    edge = {
        name: draw.choice([-1, 1], shape) * (network.MAX_WEIGHT - GRID * draw.integers(1, 1000, shape))
        for name, shape in network.SHAPES.items()
    }
    batch = seen_of(*rows(50, draw))
    inputs = network.positions(batch)
    for weights in (Weights(**edge), LEARNED):
        straight = weights.hidden @ inputs
        for _ in range(5):
            order = draw.permutation(TERMS)
            added = np.zeros_like(straight)
            for place in order:
                added += weights.hidden[:, place, None] * inputs[place]
            np.testing.assert_array_equal(added, straight)
            one = np.stack(
                [
                    network.log_odds(weights, seen_of(batch.codes[:, [n]], batch.ranks[:, [n]]))[:, 0]
                    for n in range(50)
                ],
                axis=1,
            )
            np.testing.assert_array_equal(one, network.log_odds(weights, batch))


def test_it_learns_the_truth_and_who_leaves_soon() -> None:
    codes, ranks = rows(2000, np.random.default_rng(9))
    log_odds = network.log_odds(LEARNED, seen_of(codes, ranks))
    assert np.corrcoef(1 / (1 + np.exp(-log_odds[LOST])), truth(codes))[0, 1] > 0.9
    soon = 1 / (1 + np.exp(-log_odds[EXITS]))
    assert 0.5 < soon.mean() / (truth(codes).mean() / 5) < 2
    assert np.corrcoef(soon, truth(codes))[0, 1] > 0.5


def test_it_learns_what_features_mean_together() -> None:
    """An exclusive or: no additive model can."""
    draw = np.random.default_rng(5)
    examples = seeded(12_000, seed=3)
    first, second = 3, 9
    changed = []
    for example in examples:
        codes = np.frombuffer(example.codes, np.uint8).copy()
        codes[first], codes[second] = draw.choice([5, 58], 2)
        label = bool((codes[first] > 32) != (codes[second] > 32))
        changed.append(example.model_copy(update={"codes": codes.tobytes(), "label": label, "weight": 1.0}))
    weights = network.initial_weights()
    for day in range(6):
        weights = network.learn(weights, changed[day * 2000 : (day + 1) * 2000])
    batch = network.example_batch(changed)
    right = (network.log_odds(weights, batch)[LOST] > 0) == np.array([one.label for one in changed])
    assert right.mean() > 0.99


def test_a_course_and_a_season_have_levels_of_their_own() -> None:
    """The same features, lost in one course and season and not in the others."""
    examples = [
        example.model_copy(update={"course_run": run, "season": season, "label": lost})
        for number, example in enumerate(seeded(4000))
        for run, season, lost in ((("A/1", 0, True), ("B/1", 1, False))[number % 2],)
    ]
    weights = network.learn(network.initial_weights(), examples)
    codes, ranks = rows(100, np.random.default_rng(2))

    def level(run: str, start: int) -> float:
        return float(network.log_odds(weights, FeatureBatch.of_run(codes, ranks, run, start))[LOST].mean())

    spring, summer, autumn = 16_100, 16_200, 16_350
    assert level("A/2", spring) > level("A/2", autumn) > level("NEW/1", autumn)
    assert level("NEW/1", autumn) > level("B/2", autumn) > level("B/2", summer)


def test_a_late_result_moves_little() -> None:
    one = network.learn(LEARNED, seeded(1, seed=8))
    assert 0 < np.abs(one.line - LEARNED.line).max() < 1e-5


def test_no_examples_change_nothing() -> None:
    assert network.learn(LEARNED, []) is LEARNED


def test_its_state_is_all_there_is_to_it() -> None:
    examples = seeded(400, seed=6)
    restored = Weights.from_state(LEARNED.state())
    for name in network.SHAPES:
        np.testing.assert_array_equal(getattr(restored, name), getattr(LEARNED, name))
    straight, resumed = network.learn(LEARNED, examples), network.learn(restored, examples)
    assert resumed.state() == straight.state() != LEARNED.state()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"hidden": None}, "valid dictionary"),
        ({"out": "line"}, rf"out has shape \(2, {TERMS}\), expected \(2, 16\)"),
        ({"out_bias": [float("nan"), 0.0]}, "out_bias must be multiples"),
        ({"out_bias": [9.0, 0.0]}, "out_bias must be multiples"),
        ({"out_bias": [GRID / 2, 0.0]}, "out_bias must be multiples"),
    ],
)
def test_a_strange_state_is_refused(change: dict[str, object], complaint: str) -> None:
    state = LEARNED.state()
    assert isinstance(state, dict)
    for name, value in change.items():
        match value:
            case list():
                state[name] = pack(np.array(value, np.float32)).model_dump(mode="json")
            case str():
                state[name] = state[value]
            case _:
                state[name] = None
    with pytest.raises(ValueError, match=complaint):
        Weights.from_state(state)
    with pytest.raises(ValueError, match="network: expected an object"):
        Weights.from_state([])


@settings(deadline=None, max_examples=50)
@given(enrolments)
def test_parts_add_up_to_the_change(columns: Rows) -> None:
    codes, ranks = columns
    before, after = seen_of(codes, ranks), seen_of(codes[:, ::-1], ranks[:, ::-1])
    parts = network.contributions(LEARNED, before, after)
    assert parts.shape == (len(FEATURES), codes.shape[1])
    change = network.log_odds(LEARNED, after)[LOST] - network.log_odds(LEARNED, before)[LOST]
    np.testing.assert_allclose(parts.sum(axis=0), change, rtol=0, atol=1e-9)
    still = (before.codes == after.codes) & (before.ranks == after.ranks)
    assert not parts[still].any()
