"""Gains of ways of choosing between variants, and off-policy estimates of a policy's value.

Every world is simulated once without nudges and once for each variant, so that the outcome of each choice is
known for each first decision (one nudge per learner here: the choice is compared, not the frequency). The
ways of choosing then decide in order of time, and learn an outcome when it is known, a week later, or from
who has come back by now:

- *random*: each variant as likely;
- *best single*: the variant that is best on average, known in advance;
- *bandit*: :mod:`nudges.experiments.bandit`, without prior knowledge;
- *bandit, second term*: the same with other learners, and with what it learned in the previous term;
- *at best*: each variant equally likely on the first day, then the oracle: the upper bound without prior
  knowledge;
- *oracle*: the best variant of each situation, known in advance: the upper bound from observable data.

*hidden* is the gain of choosing by each learner's own hidden response, which is not observable.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.experiments.trials import RUN_NAME, Policy, Trial, new_world, nobody, run_trial
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
class PotentialOutcomes:
    """First decisions, in order of time, with the potential outcomes of each choice.

    ``without``: bool [k], the outcome without a nudge; ``back``: int64 [k, variants], the days until the
    learner was active again.
    """

    trial: Trial
    without: Bools
    back: Ints
    hidden_best: Ints
    """The variant that each learner responds best to."""

    @property
    def after(self) -> Bools:
        """The outcome of each choice, bool [k, variants]."""
        return self.back < STAGES


@dataclass(frozen=True, slots=True)
class BanditRun:
    """The bandit's choices in a world, one row per decision."""

    variants: Ints
    propensities: Floats
    estimates: Floats
    """Its estimated reward of each variant at the time of the decision, [k, variants]."""
    learned: Ints
    """Its sums once all outcomes are known."""


def potential(plan: ResponsePlan, learners: int, seed: int) -> PotentialOutcomes:
    """Simulate the same days once for each choice."""
    trial = run_trial(new_world(learners, seed, plan), nobody)
    back = []
    for variant in range(plan.variants):
        world = new_world(learners, seed, plan)
        back.append(run_trial(world, _nudge_once(variant)).back)
    fit = np.array(plan.fit)[trial.situation]
    sign = world.truth.sign[trial.learner][:, None]
    return PotentialOutcomes(
        trial, trial.outcomes[REWARD], np.stack(back, axis=1), (sign * fit).argmax(axis=1)
    )


def _nudge_once(variant: int) -> Policy:
    def policy(world: World, due: Ints) -> tuple[Ints, Ints]:
        nudged = due[world.nudges[due] == 0]
        return nudged, np.full(len(nudged), variant)

    return policy


def bandit(potential_outcomes: PotentialOutcomes, key: str, before: Ints | None = None) -> BanditRun:
    """Choose day by day, from the outcomes that are known by then and, for weeks that are not over, from who
    is back by then.

    ``before``: the sums learned in an earlier term.
    """
    trial, (count, variants) = potential_outcomes.trial, potential_outcomes.back.shape
    contexts = contexts_of(trial.situation)
    choices, propensities = np.zeros(count, np.int64), np.zeros(count)
    estimates = np.zeros((count, variants))
    inputs = contexts.shape[1]
    learned = np.zeros((variants, inputs, inputs + 1), np.int64) if before is None else before.copy()
    learned_to = 0

    def stage_sums(first: int, last: int, stage: int) -> Ints:
        """Sums of the decisions [first, last), [variants, inputs, inputs + 1]: back by the stage's day."""
        by_variant = []
        for variant in range(variants):
            rows = first + np.flatnonzero(choices[first:last] == variant)
            by_variant.append(
                outcome_sums(
                    contexts[rows], (potential_outcomes.back[rows, variant] <= stage).astype(np.int64)
                )
            )
        return np.stack(by_variant)

    for day in np.unique(trial.day).tolist():
        known_count = int(np.searchsorted(trial.known_on[REWARD], day))
        learned += stage_sums(learned_to, known_count, STAGES - 1)
        learned_to = known_count
        ends = np.searchsorted(trial.day, [day - stage for stage in range(STAGES)]).tolist()
        early = [stage_sums(ends[stage + 1], ends[stage], stage) for stage in range(STAGES - 1)]
        today = np.flatnonzero(trial.day == day)
        model = Bandit.from_sums(np.stack([*early, learned]))
        estimates[today] = model.estimates(contexts[today])
        shares = model.probabilities(contexts[today])
        draws = [
            position(key, str(learner), RUN_NAME, "variant") for learner in trial.learner[today].tolist()
        ]
        choices[today] = [pick(draw, row) for draw, row in zip(draws, shares.tolist(), strict=True)]
        propensities[today] = shares[np.arange(len(today)), choices[today]]
    learned += stage_sums(learned_to, count, STAGES - 1)
    return BanditRun(choices, propensities, estimates, learned)


def contexts_of(situation: Ints) -> Ints:
    """The observable inputs of a learner, [k, 2]: the constant 1 and the situation."""
    return np.stack([np.ones_like(situation), situation], axis=1)


def best_of(worlds: list[PotentialOutcomes]) -> tuple[int, Ints]:
    """The best single variant, and the best variant of each situation [situations], over all worlds."""
    situation = np.concatenate([potential.trial.situation for potential in worlds])
    after = np.concatenate([potential.after for potential in worlds])
    by_situation = [after[situation == code].mean(axis=0).argmax() for code in range(SITUATIONS)]
    return int(after.mean(axis=0).argmax()), np.array(by_situation)


def oracles_reward(worlds: list[PotentialOutcomes], oracle: Ints) -> float:
    """The mean reward of the oracle's choices over all worlds."""
    rewards = [
        potential.after[np.arange(len(potential.after)), oracle[potential.trial.situation]]
        for potential in worlds
    ]
    return float(np.mean([reward.mean() for reward in rewards]))


def gains(
    potential_outcomes: PotentialOutcomes,
    run: BanditRun,
    single: int,
    oracle: Ints,
    part: slice = slice(None),
    later: BanditRun | None = None,
) -> dict[str, float]:
    """Gain of each way of choosing over no nudge, a difference of shares, for a part of the decisions.

    ``later``: the bandit's run in this world with sums from an earlier one.
    """
    after, without = potential_outcomes.after[part], potential_outcomes.without[part]
    rows = np.arange(len(without))
    best = oracle[potential_outcomes.trial.situation[part]]
    choices = {
        "best single": np.full(len(rows), single),
        "bandit": run.variants[part],
        "bandit, second term": (run if later is None else later).variants[part],
        "oracle": best,
        "hidden": potential_outcomes.hidden_best[part],
    }
    gained = {name: float(after[rows, choice].mean() - without.mean()) for name, choice in choices.items()}
    blind = (potential_outcomes.trial.day == potential_outcomes.trial.day.min())[part]
    informed = np.where(blind, after.mean(axis=1), after[rows, best])
    random, at_best = float(after.mean() - without.mean()), float(informed.mean() - without.mean())
    return {"random": random, "at best": at_best} | gained


def policy_estimates(
    potential_outcomes: PotentialOutcomes, run: BanditRun, oracle: Ints, truth: float
) -> dict[str, tuple[float, float, bool]]:
    """Off-policy estimates of the oracle's mean reward from the bandit's log: (error, width, covered)."""
    rows = np.arange(len(run.variants))
    oracle_choices = np.eye(potential_outcomes.after.shape[1])[oracle[potential_outcomes.trial.situation]]
    logged = LoggedDecisions(
        run.variants,
        run.propensities,
        potential_outcomes.after[rows, run.variants].astype(float),
        oracle_choices,
    )
    estimates = (inverse_propensity(logged), self_normalised(logged), doubly_robust(logged, run.estimates))
    return {
        name: (
            float(estimate.value - truth),
            estimate.interval.high - estimate.interval.low,
            truth in estimate.interval,
        )
        for name, estimate in zip(ESTIMATORS, estimates, strict=True)
    }
