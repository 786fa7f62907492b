"""The benchmark's tables in small: few worlds, wide bounds. All: ``python -m benchmarks.experiments``."""

import numpy as np

from benchmarks.experiments import approvals, intervals, variants
from nudges.experiments.outcomes import OUTCOMES
from sources.simulation.responses import ResponsePlan

BINOMIAL = 3.0
"""Standard deviations of a count that are let pass."""


def test_intervals_contain_the_truth() -> None:
    worlds = 6
    found = intervals.coverage(worlds)
    hits = sum(found[name].occurrences["once"] for name in OUTCOMES)
    # Outcomes of a world hang together; two independent ones a world is a cautious count.
    assert hits / (4 * worlds) >= 0.95 - BINOMIAL * np.sqrt(0.95 * 0.05 / (2 * worlds))
    assert sum(found[name].occurrences["always"] for name in OUTCOMES) >= 4 * worlds - 4
    effects = [abs(truth) for truth in found["active_7"].truths]
    assert max(effects) > 0.02, "worlds whose nudges do nothing prove nothing"


def test_nudges_that_do_nothing_are_seldom_found_to_do_something() -> None:
    worlds = 4
    found = intervals.false_alarms(worlds)
    trials = worlds * intervals.SPLITS
    alarms = 1 - np.mean([found[name].share("once") for name in OUTCOMES])
    assert abs(alarms - 0.05) <= BINOMIAL * np.sqrt(0.95 * 0.05 / (2 * trials))
    for name in ("active_7", "active_14"):
        assert 1 - found[name].share("always") <= 0.05 + BINOMIAL * np.sqrt(0.95 * 0.05 / trials)
        assert found[name].share("peeked") < 0.85, "looking daily at fixed intervals must be seen to fool"


def test_an_instructors_answers_do_not_change_who_is_compared() -> None:
    """Nudges do nothing here. Without the declined, the instructor's knowledge passes for an effect."""
    worlds = 8
    found = approvals.false_alarms(worlds)
    alarms = sum(worlds - one.drawn.occurrences["once"] for one in found.values())
    biased = sum(worlds - one.answered.occurrences["once"] for one in found.values())
    # Outcomes of a world hang together; two independent ones a world is a cautious count.
    assert alarms / (4 * worlds) <= 0.05 + BINOMIAL * np.sqrt(0.95 * 0.05 / (2 * worlds))
    assert biased / (4 * worlds) > 0.7
    assert np.mean(found["exit"].answered.differences) < -0.1


def test_the_bandit_learns_and_what_it_logged_judges_another_policy() -> None:
    plan = ResponsePlan(positive=0.5, size=4.0, fit=((1.0, 0.0, 0.2), (0.0, 1.0, 0.2)))
    worlds = [variants.potential(plan, 8_000, seed) for seed in range(4)]
    single, oracle = variants.best_of(worlds)
    assert oracle.tolist() == [0, 1]
    runs = [variants.bandit(world, f"test-{number}") for number, world in enumerate(worlds)]
    late = [
        variants.gains(world, run, single, oracle, slice(len(world.without) // 2, None))
        for world, run in zip(worlds, runs, strict=True)
    ]
    gain = {name: np.mean([row[name] for row in late]) for name in late[0]}
    assert gain["random"] < gain["bandit"]
    assert 0.8 * gain["oracle"] < gain["bandit"] <= gain["oracle"]
    truth = variants.oracles_reward(worlds, oracle)
    for world, run in zip(worlds, runs, strict=True):
        for error, width, _ in variants.policy_estimates(world, run, oracle, truth).values():
            assert abs(error) < width
