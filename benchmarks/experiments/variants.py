"""Ways of choosing between variants, compared by what they gain; and policies judged without being run.

Every world is lived once with nobody nudged and once for each variant, so that it is known of each first
decision what each choice would have led to (one nudge a learner here: what is judged is the choosing, not
the frequency). The ways of choosing then decide in order of time, and learn an outcome when it is known, a
week later, or from who has come back by now:

- *random*: each variant as likely;
- *best single*: the one variant that is best on average, known beforehand;
- *bandit*: :mod:`nudges.experiments.bandit`, which starts knowing nothing;
- *bandit, second term*: the same with other learners, and with what it learned in the term before;
- *at best*: each variant as likely on the first day, and then the oracle. Nobody who starts knowing nothing
  can do better;
- *oracle*: the best variant of each situation, known beforehand. Nobody can do better from what is seen.

Beside these, what a choice by each learner's own hidden response would gain; no one can know that.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.experiments.trials import RUN_NAME, Policy, Trial, live, nobody, world
from nudges.assignment import pick, position
from nudges.experiments.bandit import Bandit, outcome_sums
from nudges.experiments.off_policy import LoggedDecisions, doubly_robust, inverse_propensity, self_normalised
from nudges.experiments.outcomes import REWARD, STAGES
from sources.simulation.cohort import Bools, Floats, Ints
from sources.simulation.responses import SITUATIONS, ResponsePlan
from sources.simulation.world import World

LEARNERS = 20_000
ESTIMATORS = ("inverse propensity", "self-normalised", "doubly robust")


@dataclass(frozen=True, slots=True)
class Potential:
    """First decisions, in order of time, with what each choice would have led to.

    ``without``: bool [k], the outcome without a nudge; ``back``: int64 [k, variants], the days until the
    learner was active again.
    """

    trial: Trial
    without: Bools
    back: Ints
    hidden_best: Ints
    """The variant that this very learner responds best to."""

    @property
    def after(self) -> Bools:
        """The outcome of each choice, bool [k, variants]."""
        return self.back < STAGES


@dataclass(frozen=True, slots=True)
class Run:
    """What the bandit did in a world, a row a decision."""

    variants: Ints
    propensities: Floats
    estimates: Floats
    """What it took each variant to be worth when it decided, [k, variants]."""
    learned: Ints
    """What it has learned when all outcomes are known."""


def potential(plan: ResponsePlan, learners: int, seed: int) -> Potential:
    """Live the same days once for each choice."""
    trial = live(world(learners, seed, plan), nobody)
    back = []
    for variant in range(plan.variants):
        lived = world(learners, seed, plan)
        back.append(live(lived, _once(variant)).back)
    fit = np.array(plan.fit)[trial.situation]
    sign = lived.truth.sign[trial.learner][:, None]
    return Potential(trial, trial.outcomes[REWARD], np.stack(back, axis=1), (sign * fit).argmax(axis=1))


def _once(variant: int) -> Policy:
    def policy(lived: World, due: Ints) -> tuple[Ints, Ints]:
        who = due[lived.nudges[due] == 0]
        return who, np.full(len(who), variant)

    return policy


def bandit(found: Potential, key: str, before: Ints | None = None) -> Run:
    """Choose in order of time, day by day, from the outcomes that were known by then, and from who was back
    by then of those whose week was not over.

    ``before``: what was learned in a term that is over.
    """
    trial, (count, variants) = found.trial, found.back.shape
    contexts = contexts_of(trial.situation)
    chosen, propensities = np.zeros(count, np.int64), np.zeros(count)
    estimates = np.zeros((count, variants))
    inputs = contexts.shape[1]
    learned = np.zeros((variants, inputs, inputs + 1), np.int64) if before is None else before.copy()
    learned_to = 0

    def seen(first: int, last: int, stage: int) -> Ints:
        """What decisions teach, [variants, inputs, inputs + 1]: who was back by the stage's day."""
        taught = []
        for variant in range(variants):
            rows = first + np.flatnonzero(chosen[first:last] == variant)
            taught.append(outcome_sums(contexts[rows], (found.back[rows, variant] <= stage).astype(np.int64)))
        return np.stack(taught)

    for day in np.unique(trial.day).tolist():
        known = int(np.searchsorted(trial.known[REWARD], day))
        learned += seen(learned_to, known, STAGES - 1)
        learned_to = known
        ends = np.searchsorted(trial.day, [day - stage for stage in range(STAGES)]).tolist()
        early = [seen(ends[stage + 1], ends[stage], stage) for stage in range(STAGES - 1)]
        now = np.flatnonzero(trial.day == day)
        knowing = Bandit.from_sums(np.stack([*early, learned]))
        estimates[now] = knowing.estimates(contexts[now])
        shares = knowing.probabilities(contexts[now])
        places = [position(key, str(one), RUN_NAME, "variant") for one in trial.learner[now].tolist()]
        chosen[now] = [pick(place, row) for place, row in zip(places, shares.tolist(), strict=True)]
        propensities[now] = shares[np.arange(len(now)), chosen[now]]
    learned += seen(learned_to, count, STAGES - 1)
    return Run(chosen, propensities, estimates, learned)


def contexts_of(situation: Ints) -> Ints:
    """What is seen of a learner: [k, 2], always one and the situation."""
    return np.stack([np.ones_like(situation), situation], axis=1)


def best_of(worlds: list[Potential]) -> tuple[int, Ints]:
    """The best single variant, and the best of each situation [situations]: over all these worlds."""
    situation = np.concatenate([found.trial.situation for found in worlds])
    after = np.concatenate([found.after for found in worlds])
    by_situation = [after[situation == one].mean(axis=0).argmax() for one in range(SITUATIONS)]
    return int(after.mean(axis=0).argmax()), np.array(by_situation)


def oracles_reward(worlds: list[Potential], oracle: Ints) -> float:
    """The mean reward of the oracle's choices over all these worlds."""
    rewards = [found.after[np.arange(len(found.after)), oracle[found.trial.situation]] for found in worlds]
    return float(np.mean([one.mean() for one in rewards]))


def gains(
    found: Potential, run: Run, single: int, oracle: Ints, part: slice = slice(None), later: Run | None = None
) -> dict[str, float]:
    """What each way of choosing gained over no nudge, a difference of shares; of a part of the decisions.

    ``later``: what the bandit did in this world when it came to it from another.
    """
    after, without = found.after[part], found.without[part]
    rows = np.arange(len(without))
    best = oracle[found.trial.situation[part]]
    choices = {
        "best single": np.full(len(rows), single),
        "bandit": run.variants[part],
        "bandit, second term": (run if later is None else later).variants[part],
        "oracle": best,
        "hidden": found.hidden_best[part],
    }
    gained = {name: float(after[rows, choice].mean() - without.mean()) for name, choice in choices.items()}
    blind = (found.trial.day == found.trial.day.min())[part]
    knowing = np.where(blind, after.mean(axis=1), after[rows, best])
    random, at_best = float(after.mean() - without.mean()), float(knowing.mean() - without.mean())
    return {"random": random, "at best": at_best} | gained


def judged(found: Potential, run: Run, oracle: Ints, truth: float) -> dict[str, tuple[float, float, bool]]:
    """The oracle's mean reward as estimated from what the bandit did: error, width, and whether covered."""
    rows = np.arange(len(run.variants))
    wanted = np.eye(found.after.shape[1])[oracle[found.trial.situation]]
    logged = LoggedDecisions(
        run.variants, run.propensities, found.after[rows, run.variants].astype(float), wanted
    )
    estimates = (inverse_propensity(logged), self_normalised(logged), doubly_robust(logged, run.estimates))
    return {
        name: (float(one.value - truth), one.interval.high - one.interval.low, truth in one.interval)
        for name, one in zip(ESTIMATORS, estimates, strict=True)
    }
