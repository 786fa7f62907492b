"""Campaigns that need an instructor's approval: arms are compared as drawn, whatever the answer.

The instructor knows more than the random draw: learners who are going to stop mostly get a *no* or no answer.
So approved learners would have done better without a nudge, too, and comparing them with the holdout shows an
effect where there is none. Comparing the arms as drawn (*intention to treat*) measures the effect of
proposing, refusals included, which is also what an instructor's campaign is worth.

First decisions and answers go through the product: :func:`nudges.decisions.decide` and ``apply_message``, and
:func:`nudges.experiments.exposure.exposure_of` determines who is compared. The biased comparison, without
unanswered and declined proposals, is shown beside it.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks.experiments.intervals import HOLDOUT, LEARNERS, POPULATION, Counts, plans
from benchmarks.experiments.trials import RUN_NAME, Policy, Trial, new_world, nobody, run_trial
from features.event_days import event_days
from nudges.decisions import decide
from nudges.experiments.effects import Arm, fixed
from nudges.experiments.exposure import Exposure, exposure_of
from nudges.experiments.outcomes import OUTCOMES, OutcomeName
from nudges.learners import Learner
from nudges.messages import apply_message
from nudges.policy import REACH_OUT
from nudges.policy import Policy as Rules
from schemas.nudge import Nudge, NudgeDecision
from schemas.risk import RiskChange
from sources.simulation.cohort import NEVER, Bools, Ints
from sources.simulation.responses import NO_RESPONSE, ResponsePlan
from sources.simulation.world import World

DAY_S = 86_400
NOON_S = 12 * 3600

YES, UNANSWERED = (0.9, 0.25), (0.05, 0.35)
"""Shares of the proposals for a learner who is going to stay, and for one who is not; the rest is a *no*."""


def instructor_answers(world: World, seed: int) -> tuple[Bools, Bools]:
    """The instructor's answers for each learner today: (yes, no), bool [n]; neither means no answer."""
    draws = np.random.default_rng([seed, world.today, 7]).random(world.run.learners)
    stops = (world.cohort.stops < NEVER).astype(np.int64)
    yes = draws < np.array(YES)[stops]
    return yes, ~yes & (draws >= np.array(YES)[stops] + np.array(UNANSWERED)[stops])


def everybody(seed: int) -> Policy:
    """A policy that proposes for all that are due, with the instructor's answers; it gives the truth."""

    def policy(world: World, due: Ints) -> tuple[Ints, Ints]:
        yes, _ = instructor_answers(world, seed)
        nudged = due[yes[due]]
        return nudged, np.zeros(len(nudged), np.int64)

    return policy


@dataclass
class ApprovalCampaign:
    """The campaign as the product runs it, with its exposures; a trial's policy."""

    key: str
    seed: int
    exposures: dict[int, Exposure] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)
    """Learners whose first proposal led to a nudge."""

    def __post_init__(self) -> None:
        self.rules = Rules(
            campaigns=(REACH_OUT.model_copy(update={"approval": "instructor"}),),
            quiet_hours=None,
            study_time=None,
            holdout_share=HOLDOUT,
            holdout_key=self.key,
        )

    def __call__(self, world: World, due: Ints) -> tuple[Ints, Ints]:
        yes, no = instructor_answers(world, self.seed)
        for learner in due.tolist():
            if learner not in self.exposures:
                self._decide_first(
                    learner, world, "approved" if yes[learner] else "declined" if no[learner] else None
                )
        proposed = np.array([self.exposures[learner].arm == "nudged" for learner in due.tolist()], bool)
        nudged = due[proposed & yes[due]]
        return nudged, np.zeros(len(nudged), np.int64)

    def _decide_first(self, learner: int, world: World, answer: str | None) -> None:
        timestamp = (world.run.starts_on + world.today) * DAY_S + NOON_S
        result = decide(_change(learner, timestamp), Learner(), self.rules, timestamp)
        rows = list(result.decisions)
        if answer is not None:
            result = apply_message(
                _feedback(learner, timestamp, answer, rows[-1]), result.learner, self.rules, timestamp
            )
            rows += result.decisions
        if any(isinstance(message, Nudge) for message in result.messages):
            self.sent.add(learner)
        exposures: list[Exposure] = []
        for row in rows:
            exposure = exposure_of(row, event_days().day(int(row.decided_at.timestamp())), exposures)
            exposures += [] if exposure is None else [exposure]
        (self.exposures[learner],) = exposures


def _change(learner: int, timestamp: int) -> RiskChange:
    return RiskChange(
        risk_change_id=f"{learner}/{timestamp}",
        learner=str(learner),
        course_run=RUN_NAME,
        occurred_at=datetime.fromtimestamp(timestamp, UTC),
        day=timestamp // DAY_S,
        previous_level="low",
        level="high",
        probability=0.9,
        previous_probability=0.3,
        exit_probability=0.1,
        model_state="serving",
        model_version="simulated",
        reasons=[],
        parts={},
    )


def _feedback(learner: int, timestamp: int, answer: str, row: NudgeDecision) -> dict[str, Any]:
    return {
        "type": "feedback",
        "kind": answer,
        "nudge_id": row.nudge_id,
        "learner": str(learner),
        "event_id": f"{learner}/{answer}",
        "occurred_at": datetime.fromtimestamp(timestamp + 3600, UTC),
    }


@dataclass(slots=True)
class Comparison:
    """Counts of both comparisons over many trials of one outcome."""

    drawn: Counts = field(default_factory=Counts)
    answered: Counts = field(default_factory=Counts)
    """Without those to whom nothing was sent: biased."""


def coverage(worlds: int, seed: int = 1) -> dict[OutcomeName, Comparison]:
    """Worlds with effects of nudges, against the true effect of proposing to everybody."""
    comparisons = {name: Comparison() for name in OUTCOMES}
    for number, plan in enumerate(plans(worlds, seed)):
        base = 2 * number + 3_000_000 * seed
        proposed = run_trial(new_world(POPULATION, base, plan), everybody(base))
        untreated = run_trial(new_world(POPULATION, base, plan), nobody)
        truth = {
            name: float(proposed.outcomes[name].mean() - untreated.outcomes[name].mean()) for name in OUTCOMES
        }
        _count_trial(comparisons, plan, base + 1, f"asked-{seed}-{number}", truth)
    return comparisons


def false_alarms(worlds: int, seed: int = 1) -> dict[OutcomeName, Comparison]:
    """A/A: the instructor answers, but nudges have no effect."""
    comparisons = {name: Comparison() for name in OUTCOMES}
    for number in range(worlds):
        base = number + 4_000_000 * seed
        _count_trial(
            comparisons, NO_RESPONSE, base, f"asked-a/a-{seed}-{number}", dict.fromkeys(OUTCOMES, 0.0)
        )
    return comparisons


def _count_trial(
    comparisons: dict[OutcomeName, Comparison],
    plan: ResponsePlan,
    seed: int,
    key: str,
    truth: dict[OutcomeName, float],
) -> None:
    campaign = ApprovalCampaign(key, seed)
    trial = run_trial(new_world(LEARNERS, seed, plan), campaign)
    learners = trial.learner.tolist()
    nudged = np.array([campaign.exposures[learner].arm == "nudged" for learner in learners], bool)
    reached = np.array([learner in campaign.sent for learner in learners], bool)
    for name in OUTCOMES:
        _count_interval(comparisons[name].drawn, trial, name, nudged, ~nudged, truth[name])
        _count_interval(comparisons[name].answered, trial, name, reached, ~nudged, truth[name])


def _count_interval(
    counts: Counts, trial: Trial, name: OutcomeName, arm: Bools, holdout: Bools, truth: float
) -> None:
    happened = trial.outcomes[name]
    effect = fixed(
        Arm(int(arm.sum()), int(happened[arm].sum())),
        Arm(int(holdout.sum()), int(happened[holdout].sum())),
    )
    counts.trials += 1
    counts.truths.append(truth)
    counts.differences.append(effect.difference)
    counts.occurrences["once"] += truth in effect.interval
