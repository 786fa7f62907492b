"""Campaigns that wait for an instructor's yes: the arms are those that were drawn, whatever was answered.

The instructor sees more than chance does: who is to stop mostly gets a *no* or no answer. So those with
a *yes* would have done better without any nudge, and comparing them with the holdout finds an effect where
there is none. Compared as they were drawn (*intention to treat*) it finds what proposing does, refusals
included, which is also what an instructor's campaign is worth.

First decisions and answers go through the product: :func:`nudges.decisions.decide` and ``apply_message``, and
:func:`nudges.experiments.exposure.exposure_of` says who is compared. Beside its arms stand those without the
unanswered and declined, the error that this is to guard against.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmarks.experiments.intervals import HOLDOUT, LEARNERS, POPULATION, Counts, plans
from benchmarks.experiments.trials import RUN_NAME, Policy, Trial, live, nobody, world
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
"""Shares of the proposals for a learner who is to stay, and for one who is to stop; the rest is a *no*."""


def answers(lived: World, seed: int) -> tuple[Bools, Bools]:
    """What the instructor would answer for each learner today: (yes, no) bool [n]; neither is no answer."""
    draw = np.random.default_rng([seed, lived.today, 7]).random(lived.run.learners)
    stops = (lived.cohort.stops < NEVER).astype(np.int64)
    yes = draw < np.array(YES)[stops]
    return yes, ~yes & (draw >= np.array(YES)[stops] + np.array(UNANSWERED)[stops])


def everybody(seed: int) -> Policy:
    """Proposed for all that are due, with the instructor's answers; what the truth is read off."""

    def policy(lived: World, due: Ints) -> tuple[Ints, Ints]:
        yes, _ = answers(lived, seed)
        who = due[yes[due]]
        return who, np.zeros(len(who), np.int64)

    return policy


@dataclass
class Asking:
    """The campaign as the product runs it, with its ledger. Called as a trial's policy."""

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

    def __call__(self, lived: World, due: Ints) -> tuple[Ints, Ints]:
        yes, no = answers(lived, self.seed)
        for one in due.tolist():
            if one not in self.exposures:
                self._first(one, lived, "approved" if yes[one] else "declined" if no[one] else None)
        proposed = np.array([self.exposures[one].arm == "nudged" for one in due.tolist()], bool)
        who = due[proposed & yes[due]]
        return who, np.zeros(len(who), np.int64)

    def _first(self, learner: int, lived: World, answer: str | None) -> None:
        at = (lived.run.starts_on + lived.today) * DAY_S + NOON_S
        done = decide(_change(learner, at), Learner(), self.rules, at)
        rows = list(done.decisions)
        if answer is not None:
            done = apply_message(_said(learner, at, answer, rows[-1]), done.learner, self.rules, at)
            rows += done.decisions
        if any(isinstance(message, Nudge) for message in done.messages):
            self.sent.add(learner)
        found: list[Exposure] = []
        for row in rows:
            exposure = exposure_of(row, found)
            found += [] if exposure is None else [exposure]
        (self.exposures[learner],) = found


def _change(learner: int, at: int) -> RiskChange:
    return RiskChange(
        risk_change_id=f"{learner}/{at}",
        learner=str(learner),
        course_run=RUN_NAME,
        occurred_at=datetime.fromtimestamp(at, UTC),
        day=at // DAY_S,
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


def _said(learner: int, at: int, answer: str, row: NudgeDecision) -> dict[str, Any]:
    return {
        "type": "feedback",
        "kind": answer,
        "nudge_id": row.nudge_id,
        "learner": str(learner),
        "event_id": f"{learner}/{answer}",
        "occurred_at": datetime.fromtimestamp(at + 3600, UTC),
    }


@dataclass(slots=True)
class Found:
    """What both comparisons found over many trials of one outcome."""

    drawn: Counts = field(default_factory=Counts)
    answered: Counts = field(default_factory=Counts)
    """Without those to whom nothing was sent."""


def coverage(worlds: int, seed: int = 1) -> dict[OutcomeName, Found]:
    """Worlds whose nudges do something, against the truth: what proposing to everybody does."""
    found = {name: Found() for name in OUTCOMES}
    for number, plan in enumerate(plans(worlds, seed)):
        base = 2 * number + 3_000_000 * seed
        asked = live(world(POPULATION, base, plan), everybody(base))
        alone = live(world(POPULATION, base, plan), nobody)
        truth = {name: float(asked.outcomes[name].mean() - alone.outcomes[name].mean()) for name in OUTCOMES}
        _judge(found, plan, base + 1, f"asked-{seed}-{number}", truth)
    return found


def false_alarms(worlds: int, seed: int = 1) -> dict[OutcomeName, Found]:
    """A/A: the instructor answers, and nudges do nothing."""
    found = {name: Found() for name in OUTCOMES}
    for number in range(worlds):
        base = number + 4_000_000 * seed
        _judge(found, NO_RESPONSE, base, f"asked-a/a-{seed}-{number}", dict.fromkeys(OUTCOMES, 0.0))
    return found


def _judge(
    found: dict[OutcomeName, Found], plan: ResponsePlan, seed: int, key: str, truth: dict[OutcomeName, float]
) -> None:
    asking = Asking(key, seed)
    trial = live(world(LEARNERS, seed, plan), asking)
    learners = trial.learner.tolist()
    nudged = np.array([asking.exposures[one].arm == "nudged" for one in learners], bool)
    reached = np.array([one in asking.sent for one in learners], bool)
    for name in OUTCOMES:
        _note(found[name].drawn, trial, name, nudged, ~nudged, truth[name])
        _note(found[name].answered, trial, name, reached, ~nudged, truth[name])


def _note(counts: Counts, trial: Trial, name: OutcomeName, arm: Bools, holdout: Bools, truth: float) -> None:
    happened = trial.outcomes[name]
    effect = fixed(
        Arm(int(arm.sum()), int(happened[arm].sum())),
        Arm(int(holdout.sum()), int(happened[holdout].sum())),
    )
    counts.trials += 1
    counts.truths.append(truth)
    counts.differences.append(effect.difference)
    counts.found["once"] += truth in effect.interval
