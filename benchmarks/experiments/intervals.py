"""How often the intervals contain the truth, and how often they show an effect where there is none."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.experiments.trials import Trial, at_random, in_holdout, new_world, nobody, run_trial
from nudges.experiments.effects import UNKNOWN, Arm, Effect, anytime, fixed
from nudges.experiments.outcomes import OUTCOMES, OutcomeName
from sources.simulation.cohort import Bools, Floats
from sources.simulation.responses import NO_RESPONSE, ResponsePlan

HOLDOUT = 0.2
LEARNERS = 4_000
POPULATION = 20_000
"""Learners of the world that gives the truth: five times the trial's, so that its own error adds half a
hundredth to the width of the intervals."""
SPLITS = 10
"""Random splits of each world without effects: independent, given the world."""


@dataclass(slots=True)
class Counts:
    """Counts over many trials of one outcome."""

    trials: int = 0
    truths: list[float] = field(default_factory=list)
    differences: list[float] = field(default_factory=list)
    occurrences: Counter[str] = field(default_factory=Counter)

    def share(self, name: str) -> float:
        """The share of all trials in which ``name`` occurred."""
        return self.occurrences[name] / self.trials


def plans(worlds: int, seed: int) -> Iterator[ResponsePlan]:
    """Random response plans: shares, sizes, decays and effects on outcomes all differ."""
    rng = np.random.default_rng([seed, 99])
    for _ in range(worlds):
        yield ResponsePlan(
            positive=rng.uniform(0, 0.7),
            negative=rng.uniform(0, 0.2),
            size=rng.uniform(0, 4),
            decay=rng.uniform(0.2, 1),
            half_life=rng.uniform(1, 7),
            rescue=rng.uniform(0, 0.3),
        )


def coverage(worlds: int, seed: int = 1) -> dict[OutcomeName, Counts]:
    """A trial in each world, against the truth of that world.

    *once*: the fixed interval at the end contains it. *always*: every interval of the confidence sequence,
    after each single outcome, does. *peeked*: every fixed one would have. *last*: the sequence's last one.
    """
    counts = {name: Counts() for name in OUTCOMES}
    for number, plan in enumerate(plans(worlds, seed)):
        truth = true_effects(plan, seed=2 * number + 1_000_000 * seed)
        world = new_world(LEARNERS, 2 * number + 1 + 1_000_000 * seed, plan)
        key = f"coverage-{seed}-{number}"
        trial = run_trial(world, at_random(key, HOLDOUT, LEARNERS, plan.variants))
        nudged = ~in_holdout(key, trial.learner, HOLDOUT)
        for name in OUTCOMES:
            _count_trial(counts[name], trial, name, nudged, truth[name])
    return counts


def true_effects(plan: ResponsePlan, seed: int) -> dict[OutcomeName, float]:
    """The difference between nudging everybody and nobody, from simulating the same days twice."""
    everybody = run_trial(
        new_world(POPULATION, seed, plan), at_random("truth", 0.0, POPULATION, plan.variants)
    )
    without = run_trial(new_world(POPULATION, seed, plan), nobody)
    return {name: float(everybody.outcomes[name].mean() - without.outcomes[name].mean()) for name in OUTCOMES}


def false_alarms(worlds: int, seed: int = 1) -> dict[OutcomeName, Counts]:
    """A/A: nudges that do nothing, half and half, under several keys a world; each finding is a false one."""
    counts = {name: Counts() for name in OUTCOMES}
    for number in range(worlds):
        trial = run_trial(new_world(LEARNERS, number + 2_000_000 * seed, NO_RESPONSE), nobody)
        for split in range(SPLITS):
            nudged = ~in_holdout(f"a/a-{number}-{split}", trial.learner, 0.5)
            for name in OUTCOMES:
                _count_trial(counts[name], trial, name, nudged, 0.0)
    return counts


def _count_trial(counts: Counts, trial: Trial, name: OutcomeName, nudged: Bools, truth: float) -> None:
    looks = _looks(trial, name, nudged)
    once, last = fixed(*looks[-1]), anytime(*looks[-1])
    counts.trials += 1
    counts.truths.append(truth)
    counts.differences.append(once.difference)
    counts.occurrences["once"] += truth in once.interval
    counts.occurrences["last"] += truth in last.interval
    counts.occurrences["always"] += all(truth in anytime(*look).interval for look in looks)
    counts.occurrences["peeked"] += all(truth in fixed(*look).interval for look in looks)
    counts.occurrences["not yet known"] += last.verdict == "not yet known"
    counts.occurrences["wrong sign"] += _has_wrong_sign(last, truth)


def _looks(trial: Trial, name: OutcomeName, nudged: Bools) -> list[tuple[Arm, Arm]]:
    """The arms after each outcome that becomes known; once for outcomes that all become known together."""
    order = np.argsort(trial.known_on[name], kind="stable")
    known_on, happened, arm = trial.known_on[name][order], trial.outcomes[name][order], nudged[order]
    at_once = known_on[0] == known_on[-1]
    looks = [len(order) - 1] if at_once else range(len(order))
    columns = [np.cumsum(column).tolist() for column in (arm, arm & happened, ~arm, ~arm & happened)]
    return [
        (Arm(columns[0][index], columns[1][index]), Arm(columns[2][index], columns[3][index]))
        for index in looks
    ]


def _has_wrong_sign(effect: Effect, truth: float) -> bool:
    """Whether the verdict has the opposite sign of the truth."""
    if effect.interval == UNKNOWN:
        return False
    return (effect.verdict == "more" and truth < 0) or (effect.verdict == "less" and truth > 0)


def spread(values: list[float]) -> Floats:
    """The 5th, 50th and 95th percentile."""
    return np.percentile(values, [5, 50, 95])
