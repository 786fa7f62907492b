"""River learns; the numbers it learned score the same, and are enough to go on learning."""

# mypy: disable-error-code="no-untyped-call"
# River's methods are partly untyped.

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from online_models import committee, network
from online_models.calibration import INITIAL_SLOPE
from online_models.classifier import MIN_EXAMPLES_PER_CLASS, RiskClassifier
from online_models.design import SIZE, TERMS, inputs, lookup_tables
from online_models.scoring import MixedScorer, logistic, scorer_of
from online_models.warming import RecencyPrior
from schemas.learning import ModelSnapshot
from tests.online_models.examples import F, enrolments, rows, seeded, seen_of, truth

Rows = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@cache
def learned() -> RiskClassifier:
    classifier = RiskClassifier()
    classifier.learn(seeded(3000))
    return classifier


def through_json(classifier: RiskClassifier) -> ModelSnapshot:
    return ModelSnapshot.model_validate_json(classifier.snapshot("test").model_dump_json())


@settings(deadline=None)
@given(enrolments)
def test_numpy_scores_as_river_does(columns: Rows) -> None:
    """The additive expert, and the mixture of what both experts say."""
    codes, ranks = columns
    batch, classifier = seen_of(codes, ranks), learned()
    additive = lookup_tables(np.array(classifier.weights())).log_odds(batch)
    net = committee.log_odds(committee.as_one_network(classifier.networks), batch)
    mixing, slope = classifier.mixture._regression, classifier.slope.value
    estimate = MixedScorer.from_snapshot(through_json(classifier)).estimate(batch)
    for n in range(codes.shape[1]):
        example = inputs(codes[:, n].tobytes(), ranks[:, n].tobytes(), "BBB/2014B", 0)
        river = classifier.regression.predict_proba_one(example)[True]
        np.testing.assert_allclose(logistic(additive[n]), river, rtol=0, atol=1e-9)
        expert_log_odds = {0: slope * additive[n], 1: slope * net[network.LOST, n]}
        mixed = mixing.predict_proba_one(expert_log_odds)[True]
        np.testing.assert_allclose(estimate.lost[n], mixed, rtol=0, atol=5.1e-7)
    np.testing.assert_allclose(estimate.exits, logistic(net[network.EXITS]), rtol=0, atol=5.1e-7)


@settings(deadline=None)
@given(enrolments)
def test_parts_add_up_to_the_change_in_log_odds(columns: Rows) -> None:
    codes, ranks = columns
    scorer = MixedScorer.from_snapshot(learned().snapshot("test"))
    before, after = seen_of(codes, ranks), seen_of(codes[:, ::-1], ranks[:, ::-1])
    parts = scorer.contributions(before, after)
    assert parts.shape == codes.shape
    change = scorer.log_odds(after)[0] - scorer.log_odds(before)[0]
    np.testing.assert_allclose(parts.sum(axis=0), change, rtol=0, atol=1e-9)


def test_a_shift_moves_both_log_odds_of_everybody_and_no_part() -> None:
    scorer = MixedScorer.from_snapshot(learned().snapshot("test"))
    batch = seen_of(*rows(50, np.random.default_rng(4)))
    other = seen_of(*rows(50, np.random.default_rng(5)))
    shifted = scorer.with_intercept(0.3)
    np.testing.assert_allclose(shifted.log_odds(batch), scorer.log_odds(batch) + 0.3, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(shifted.contributions(batch, other), scorer.contributions(batch, other))
    np.testing.assert_array_equal(
        scorer.with_intercept(0.0).estimate(batch).lost, scorer.estimate(batch).lost
    )
    prior = RecencyPrior()
    np.testing.assert_array_equal(prior.with_intercept(0.3).estimate(batch).lost, prior.estimate(batch).lost)


def test_the_slope_is_learned_and_every_estimate_is_believed_by_it() -> None:
    classifier = RiskClassifier()
    for seed in range(3):
        classifier.learn(seeded(1000, seed=seed))
    assert classifier.slope.value not in (1.0, INITIAL_SLOPE), "the later two days judged the first"
    batch = seen_of(*rows(50, np.random.default_rng(4)))
    snapshot = through_json(classifier)
    plain = snapshot.model_copy(update={"state": snapshot.state | {"slope": [1.0, 400.0]}})
    calibrated, believed = (
        MixedScorer.from_snapshot(snapshot_).log_odds(batch) for snapshot_ in (snapshot, plain)
    )
    np.testing.assert_allclose(calibrated[0], classifier.slope.value * believed[0], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(calibrated[1], believed[1])


def test_an_estimate_does_not_depend_on_the_others() -> None:
    codes, ranks = rows(997, np.random.default_rng(3))
    scorer = MixedScorer.from_snapshot(learned().snapshot("test"))
    together = scorer.log_odds(seen_of(codes, ranks))
    for parts in (2, 3, 5, 997):
        apart = np.empty((2, 997))
        for number in range(parts):
            some = seen_of(np.ascontiguousarray(codes[:, number::parts]), ranks[:, number::parts])
            apart[:, number::parts] = scorer.log_odds(some)
        np.testing.assert_array_equal(apart, together)


def test_learning_goes_on_bit_for_bit_after_a_snapshot() -> None:
    examples = seeded(1000, seed=2)
    uninterrupted, before = RiskClassifier(), RiskClassifier()
    for start in (0, 500):
        uninterrupted.learn(examples[start : start + 500])
    before.learn(examples[:500])
    after = RiskClassifier.from_snapshot(through_json(before))
    after.learn(examples[500:])
    assert through_json(after) == through_json(uninterrupted)
    assert after.weights() == uninterrupted.weights()
    assert after.mixture.weights == uninterrupted.mixture.weights
    assert after.slope == uninterrupted.slope


def test_it_learns_the_truth() -> None:
    codes, ranks = rows(2000, np.random.default_rng(9))
    score = MixedScorer.from_snapshot(learned().snapshot("test")).estimate(seen_of(codes, ranks)).lost
    assert np.corrcoef(score, truth(codes))[0, 1] > 0.85
    assert abs(score.mean() - truth(codes).mean()) < 0.05


def test_a_weight_counts_as_so_many_examples_would() -> None:
    """Not exactly, with AdaGrad; but the heavier class must win."""
    pair = seeded(2, seed=5)
    heavy = [
        pair[0].model_copy(update={"label": True, "weight": 4.0}),
        pair[0].model_copy(update={"label": False, "weight": 1.0}),
    ]
    classifier = RiskClassifier()
    classifier.learn(heavy * 50)
    assert (
        classifier.regression.predict_proba_one(inputs(pair[0].codes, pair[0].ranks, "BBB/2014B", 0))[True]
        > 0.6
    )


def test_every_example_has_one_slope_and_one_step_of_each_term_and_two_contexts() -> None:
    example = inputs(bytes(range(F)), bytes(range(200, 200 + F)), "BBB/2014B", 0)
    assert list(example) == sorted(example)
    assert len(example) == 2 * TERMS + 2
    assert max(inputs(bytes([63] * F), bytes([255] * F), "BBB/2014J", 3)) == SIZE - 1


@pytest.mark.parametrize(
    ("codes", "ranks", "complaint"),
    [
        (bytes(F - 1), bytes(F), f"{F - 1} codes and {F} ranks, expected {F} each"),
        (bytes(F - 1) + b"\x40", bytes(F), "code 64, expected less than 64"),
    ],
)
def test_a_misshapen_example_is_refused(codes: bytes, ranks: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        inputs(codes, ranks, "BBB/2014B", 0)


def test_until_enough_of_both_classes_the_prior_serves() -> None:
    example = seeded(1)[0]
    classifier = RiskClassifier()
    classifier.learn([example.model_copy(update={"label": True})] * (MIN_EXAMPLES_PER_CLASS + 50))
    classifier.learn([example.model_copy(update={"label": False})] * (MIN_EXAMPLES_PER_CLASS - 1))
    assert classifier.snapshot("test").warming_up
    assert isinstance(scorer_of(classifier.snapshot("test")), RecencyPrior)
    classifier.learn([example.model_copy(update={"label": False})])
    assert not classifier.snapshot("test").warming_up
    assert scorer_of(classifier.snapshot("test")).state == "serving"
    assert scorer_of(None).state == "warming_up"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"model": "lost/other-7"}, "model 'lost/other-7', expected 'risk/mixed-3'"),
        ({"features": "feedfeed"}, "made with features feedfeed"),
        ({"state": {}}, "weights|valid list"),
        ({"state": {"weights": [1.0], "squares": [1.0]}}, f"must be {SIZE} finite numbers, got 1"),
        ({"state": {"weights": ["__import__('os')"] * SIZE}}, "valid number"),
    ],
)
def test_a_strange_snapshot_is_refused(change: dict[str, object], complaint: str) -> None:
    snapshot = learned().snapshot("test").model_copy(update=change)
    with pytest.raises(ValueError, match=complaint):
        RiskClassifier.from_snapshot(snapshot)
    with pytest.raises(ValueError, match=complaint):
        scorer_of(snapshot.model_copy(update={"warming_up": False}))
