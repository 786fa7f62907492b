"""How many learners a trial needs: the figure that the project quotes, and what any such figure must obey."""

import numpy as np
import pytest

from nudges.experiments.effects import Arm, anytime, fixed
from nudges.experiments.size import detectable_effect, size_for_many_looks, size_for_one_look


def test_two_points_on_44_percent() -> None:
    size = size_for_one_look(base=0.44, effect=0.02)
    assert size.nudged == size.holdout
    assert 9_650 <= size.holdout <= 9_750


def test_a_small_holdout_costs_and_so_does_watching() -> None:
    even, small = size_for_one_look(0.44, 0.02), size_for_one_look(0.44, 0.02, share=0.1)
    assert small.total > 2 * even.total
    assert small.holdout == pytest.approx(small.total / 10, abs=1)
    assert 1.5 < size_for_many_looks(0.44, 0.02).total / even.total < 2.5


def test_what_is_visible_is_what_was_asked_for() -> None:
    size = size_for_one_look(0.44, 0.02)
    assert detectable_effect(0.44, size.nudged, size.holdout) == pytest.approx(0.02, rel=1e-3)
    assert detectable_effect(0.44, 200, 200) > 0.1


def test_the_size_has_the_power_it_says() -> None:
    rng, trials = np.random.default_rng(3), 2_000
    for size_for, interval in ((size_for_one_look, fixed), (size_for_many_looks, anytime)):
        size = size_for(0.44, 0.08, share=0.3)
        nudged = rng.binomial(size.nudged, 0.52, trials).tolist()
        holdout = rng.binomial(size.holdout, 0.44, trials).tolist()
        tuned = {} if interval is fixed else {"tightest": size.total}
        seen = [
            interval(Arm(size.nudged, n), Arm(size.holdout, h), **tuned).verdict == "more"
            for n, h in zip(nudged, holdout, strict=True)
        ]
        assert 0.77 < np.mean(seen) < 0.83


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.02), "base is 0; expected more than 0 and less than 1"),
        ((0.99, 0.02), r"base \+ effect is 1.01"),
        ((0.44, 0.0), "effect is 0; expected a difference"),
        ((0.44, 0.02, 1.0), "share is 1;"),
    ],
)
def test_what_cannot_be_is_named(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        size_for_one_look(*arguments)


def test_an_empty_arm_sees_nothing() -> None:
    with pytest.raises(ValueError, match="arms are 100 and 0"):
        detectable_effect(0.44, 100, 0)
