"""How often the intervals contain the truth, and how often they find an effect where there is none."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmarks.experiments.trials import Trial, at_random, in_holdout, live, nobody, world
from nudges.experiments.effects import UNKNOWN, Arm, Effect, anytime, fixed
from nudges.experiments.outcomes import OUTCOMES, OutcomeName
from sources.simulation.cohort import Bools, Floats
from sources.simulation.responses import NO_RESPONSE, ResponsePlan

HOLDOUT = 0.2
LEARNERS = 4_000
POPULATION = 20_000
"""Learners of the world in which the truth is read off: five times the trial's, so that its own error adds
half a hundredth to the width of what is judged."""
SPLITS = 10
"""Draws under other keys that one world without effects is judged by: independent, given the world."""


@dataclass(slots=True)
class Counts:
    """What was found over many trials of one outcome."""

    trials: int = 0
    truths: list[float] = field(default_factory=list)
    differences: list[float] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)

    def share(self, name: str) -> float:
        """How often, of all trials."""
        return self.found[name] / self.trials


def plans(worlds: int, seed: int) -> Iterator[ResponsePlan]:
    """Worlds that differ in who responds, how much, for how long, and in what it changes in the end."""
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
        lived = world(LEARNERS, 2 * number + 1 + 1_000_000 * seed, plan)
        key = f"coverage-{seed}-{number}"
        trial = live(lived, at_random(key, HOLDOUT, LEARNERS, plan.variants))
        nudged = ~in_holdout(key, trial.learner, HOLDOUT)
        for name in OUTCOMES:
            _judge(counts[name], trial, name, nudged, truth[name])
    return counts


def true_effects(plan: ResponsePlan, seed: int) -> dict[OutcomeName, float]:
    """The difference that nudging everybody makes to nudging nobody: the same days lived twice."""
    everybody = live(world(POPULATION, seed, plan), at_random("truth", 0.0, POPULATION, plan.variants))
    without = live(world(POPULATION, seed, plan), nobody)
    return {name: float(everybody.outcomes[name].mean() - without.outcomes[name].mean()) for name in OUTCOMES}


def false_alarms(worlds: int, seed: int = 1) -> dict[OutcomeName, Counts]:
    """A/A: nudges that do nothing, half and half, under several keys a world; each finding is a false one."""
    counts = {name: Counts() for name in OUTCOMES}
    for number in range(worlds):
        trial = live(world(LEARNERS, number + 2_000_000 * seed, NO_RESPONSE), nobody)
        for split in range(SPLITS):
            nudged = ~in_holdout(f"a/a-{number}-{split}", trial.learner, 0.5)
            for name in OUTCOMES:
                _judge(counts[name], trial, name, nudged, 0.0)
    return counts


def _judge(counts: Counts, trial: Trial, name: OutcomeName, nudged: Bools, truth: float) -> None:
    looks = _looks(trial, name, nudged)
    once, last = fixed(*looks[-1]), anytime(*looks[-1])
    counts.trials += 1
    counts.truths.append(truth)
    counts.differences.append(once.difference)
    counts.found["once"] += truth in once.interval
    counts.found["last"] += truth in last.interval
    counts.found["always"] += all(truth in anytime(*look).interval for look in looks)
    counts.found["peeked"] += all(truth in fixed(*look).interval for look in looks)
    counts.found["not yet known"] += last.verdict == "not yet known"
    counts.found["wrong sign"] += _wrong(last, truth)


def _looks(trial: Trial, name: OutcomeName, nudged: Bools) -> list[tuple[Arm, Arm]]:
    """The arms after each outcome that comes to be known; for those known at one time, once."""
    order = np.argsort(trial.known[name], kind="stable")
    known, happened, arm = trial.known[name][order], trial.outcomes[name][order], nudged[order]
    at_once = known[0] == known[-1]
    looks = [len(order) - 1] if at_once else range(len(order))
    columns = [np.cumsum(column).tolist() for column in (arm, arm & happened, ~arm, ~arm & happened)]
    return [(Arm(columns[0][at], columns[1][at]), Arm(columns[2][at], columns[3][at])) for at in looks]


def _wrong(effect: Effect, truth: float) -> bool:
    """Whether it says *more* where it is less, or the other way round."""
    if effect.interval == UNKNOWN:
        return False
    return (effect.verdict == "more" and truth < 0) or (effect.verdict == "less" and truth > 0)


def spread(values: list[float]) -> Floats:
    """The 5th, 50th and 95th percentile."""
    return np.percentile(values, [5, 50, 95])
