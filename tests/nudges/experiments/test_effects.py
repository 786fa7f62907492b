"""The two intervals: against published numbers, against the formula, and against chance."""

from math import inf, isnan, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nudges.experiments.effects import MIN_OUTCOMES, UNKNOWN, Arm, anytime, fixed, margin, newcombe


def arms(least: int = MIN_OUTCOMES) -> st.SearchStrategy[Arm]:
    return st.integers(least, 50_000).flatmap(
        lambda known: st.builds(Arm, st.just(known), st.integers(0, known))
    )


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [(Arm(70, 56), Arm(80, 48), 0.0524, 0.3339), (Arm(10, 9), Arm(10, 3), 0.1705, 0.8090)],
)
def test_newcombes_own_examples(one: Arm, other: Arm, low: float, high: float) -> None:
    """Table II of his paper, method 10, examples a and b."""
    result = newcombe(one, other)
    assert (round(result.low, 4), round(result.high, 4)) == (low, high)


def test_the_sequence_is_the_papers_formula() -> None:
    rho2 = (-2 * log(0.05) + log(1 - 2 * log(0.05))) / 5_000
    for n in (200, 5_000, 80_000):
        whole = sqrt((2 * (n * rho2 + 1)) / (n**2 * rho2) * log(sqrt(n * rho2 + 1) / 0.05))
        assert margin(n, 0.95, 5_000) == pytest.approx(whole)
    widths = {tuned: margin(5_000, 0.95, tuned) for tuned in (500, 2_500, 5_000, 10_000, 50_000)}
    assert min(widths, key=lambda tuned: widths[tuned]) == 5_000


@given(arms(), arms())
def test_one_may_say_less_when_one_may_look_whenever_one_likes(nudged: Arm, holdout: Arm) -> None:
    once, always = fixed(nudged, holdout), anytime(nudged, holdout)
    assert -1.0 <= always.interval.low <= always.difference <= always.interval.high <= 1.0
    assert once.difference == always.difference
    if min(nudged.happened, holdout.happened) > 50 and once.verdict == "not yet known":
        assert always.verdict == "not yet known"


@given(arms(), arms())
def test_exchanging_the_arms_turns_the_effect_round(nudged: Arm, holdout: Arm) -> None:
    for interval in (fixed, anytime):
        one, other = interval(nudged, holdout), interval(holdout, nudged)
        assert (one.interval.low, one.interval.high) == pytest.approx(
            (-other.interval.high, -other.interval.low)
        )


@given(arms(least=0), st.integers(0, MIN_OUTCOMES - 1))
def test_few_outcomes_are_not_yet_known(nudged: Arm, few: int) -> None:
    for interval in (fixed, anytime):
        effect = interval(nudged, Arm(few, few))
        assert (effect.verdict, effect.interval) == ("not yet known", UNKNOWN)


def test_what_is_known_and_what_is_not() -> None:
    assert anytime(Arm(9_700, 4_462), Arm(9_700, 4_268)).verdict == "not yet known"
    assert fixed(Arm(9_700, 4_462), Arm(9_700, 4_268)).verdict == "more"
    assert anytime(Arm(20_000, 9_200), Arm(20_000, 8_800)).verdict == "more"
    assert anytime(Arm(20_000, 8_800), Arm(20_000, 9_200)).verdict == "less"
    assert isnan(anytime(Arm(0, 0), Arm(500, 200)).difference)


def test_arms_add_up_over_partitions() -> None:
    assert sum([Arm(3, 1), Arm(4, 4), Arm(0, 0)], Arm()) == Arm(7, 5)
    with pytest.raises(ValueError, match="happened is 3; expected 0 to 2"):
        Arm(2, 3)


def first_alarm(interval: object, happened: np.ndarray, nudged: np.ndarray) -> float:
    """The first look at which an effect is claimed, looking after every twentieth outcome."""
    columns = [np.cumsum(indicator) for indicator in (nudged, nudged & happened, ~nudged, ~nudged & happened)]
    for index in range(2 * MIN_OUTCOMES, len(happened), 20):
        a, b, c, d = (int(column[index]) for column in columns)
        if interval(Arm(a, b), Arm(c, d)).verdict != "not yet known":  # type: ignore[operator]
            return index
    return inf


def test_peeking_fools_the_fixed_interval_and_not_the_sequence() -> None:
    rng = np.random.default_rng(11)
    trials = [(rng.random(4_000) < 0.44, rng.random(4_000) < 0.5) for _ in range(120)]
    fooled = {
        method: sum(first_alarm(method, *trial) < inf for trial in trials) for method in (fixed, anytime)
    }
    assert fooled[fixed] > 0.15 * 120
    assert fooled[anytime] <= 0.05 * 120 + 5  # a binomial's upper tail of 3 %
