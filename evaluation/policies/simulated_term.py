"""Runs a policy on a simulated term of learners who respond to nudges: its estimated and its true effects.

The same term is simulated three times: under the policy, with everybody nudged, and with nobody nudged. The
first gives counts and the effects that the product would report, from its outcomes against its own holdout;
the difference of the other two is the true effect. Nudges reach learners when they are due, unless they are
cancelled; a simulated instructor answers proposals.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from heapq import heappop, heappush
from itertools import cycle, islice
from typing import get_args

import orjson
from rich.console import Console
from rich.table import Column, Table

from engine.batch.records import RecordBatch
from engine.outputs import Outputs
from engine.pseudonyms import Identity
from engine.rules import Rules
from evaluation.backtest import Backtest
from evaluation.policies.recorded_past import Strength, Trial
from nudges.assignment import position
from nudges.experiments.outcomes import OUTCOMES
from nudges.experiments.report import ALL, EffectLine, OutcomeCount, effect_lines
from nudges.policy import Policy
from schemas.nudge import Nudge, NudgeDecision
from schemas.topics import FEEDBACK
from sources.simulator import RespondingTerm, ResponsePlan, SimulationPlan

STRENGTHS: tuple[Strength, ...] = get_args(Strength)

ANSWER_AFTER = timedelta(hours=9)
"""The delay of a simulated instructor's answers."""

OUTCOME_COLUMNS = ("campaign", "variant", "arm", "outcome", "happened", "first")


def responses(strength: Strength, policy: Policy) -> ResponsePlan:
    """The learners' responses of a strength, for the largest number of variants of the policy's campaigns."""
    most = max(len(campaign.variants) for campaign in policy.campaigns)
    fit = tuple(tuple(islice(cycle(row), most)) for row in ResponsePlan().fit)
    match strength:
        case "none":
            return ResponsePlan(positive=0.0, negative=0.0, fit=fit)
        case "weak":
            return ResponsePlan(positive=0.3, size=1.5, fit=fit)
        case "strong":
            return ResponsePlan(positive=0.5, size=4.0, fit=fit)


@dataclass
class _TermRun:
    """One simulation of the term under one policy."""

    policy: Policy
    term: RespondingTerm
    approval_rate: float
    trial: Trial = field(default_factory=Trial)
    counted: list[OutcomeCount] = field(default_factory=list)
    _due: list[tuple[float, str]] = field(default_factory=list)
    _nudges: dict[str, Nudge] = field(default_factory=dict)
    _answers: int = 0

    def run(self, rules: Rules) -> "_TermRun":
        """Run the whole term; returns itself."""
        learners = sum(run.learners for run in self.term.plan.runs)
        # Small batches: a nudge can only affect days that have not been read yet.
        backtest = Backtest(
            replace(rules, policy=self.policy, nudges_delivered=True),
            Identity(b"of a trial"),
            on_outputs=lambda outputs: self._on_outputs(outputs, backtest),
            batch=max(learners // 4, 20),
        )
        for message in self.term.stream():
            self._deliver(message.occurred_at)
            backtest.feed(message)
        backtest.finish()
        return self

    def _on_outputs(self, outputs: Outputs, backtest: Backtest) -> None:
        self.trial.add(outputs.decisions)
        for message in outputs.nudges:
            if isinstance(message, Nudge):
                self._nudges[message.nudge_id] = message
                heappush(self._due, (message.send_at.timestamp(), message.nudge_id))
            else:
                self._nudges.pop(message.nudge_id, None)
        columns = outputs.rows.get("nudge_outcomes", {})
        for campaign, variant, arm, outcome, happened, first in zip(
            *(columns.get(name, []) for name in OUTCOME_COLUMNS), strict=True
        ):
            if first:
                self.counted.append(OutcomeCount(campaign, variant, arm, outcome, 1, int(happened)))
        for decision in outputs.decisions:
            if decision.reason == "awaiting_approval":
                self._on_outputs(self._answer(decision, backtest), backtest)

    def _answer(self, decision: NudgeDecision, backtest: Backtest) -> Outputs:
        """The outputs of the instructor's answer, which depends on a hash alone."""
        draw = position("instructor", decision.learner, decision.course_run, decision.risk_change_id)
        answer = {
            "type": "feedback",
            "version": 1,
            "event_id": f"answer-{decision.decision_id}",
            "learner": decision.learner,
            "occurred_at": (decision.decided_at + ANSWER_AFTER).isoformat(),
            "kind": "approved" if draw < self.approval_rate else "declined",
            "nudge_id": decision.nudge_id,
        }
        (processor,) = backtest.processors
        number, self._answers = self._answers, self._answers + 1
        key = decision.learner.encode()
        return processor.apply_feedback(
            RecordBatch(FEEDBACK.name, 0, [number], [key], [orjson.dumps(answer)], [0])
        )

    def _deliver(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, name = heappop(self._due)
            nudge = self._nudges.pop(name, None)
            if nudge is not None:
                (campaign,) = (
                    campaign for campaign in self.policy.campaigns if campaign.name == nudge.campaign
                )
                variant = [variant.name for variant in campaign.variants].index(nudge.variant)
                self.term.nudge(nudge.learner, nudge.course_run, variant)


@dataclass(frozen=True, slots=True)
class TermResult:
    """The result of a simulated term under a policy."""

    trial: Trial
    lines: list[EffectLine]
    truth: dict[tuple[str, str], float]
    """(campaign, outcome) → the share with everybody nudged less that with nobody nudged."""


def simulate_term(
    policy: Policy, rules: Rules, plan: SimulationPlan, strength: Strength, approval_rate: float
) -> TermResult:
    """Simulate a term three times. approval_rate: the share of proposals that the instructor approves."""

    def run_term(holdout: float) -> _TermRun:
        changed = policy.model_copy(update={"holdout_share": holdout})
        return _TermRun(changed, RespondingTerm(plan, responses(strength, policy)), approval_rate).run(rules)

    under_policy = run_term(policy.holdout_share)
    everybody, nobody = _shares(run_term(0.0).counted), _shares(run_term(1.0).counted)
    truth = {key: everybody[key] - nobody[key] for key in everybody.keys() & nobody.keys()}
    return TermResult(under_policy.trial, effect_lines(under_policy.counted), truth)


def _shares(counted: Iterable[OutcomeCount]) -> dict[tuple[str, str], float]:
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    for counts in counted:
        before = totals.get((counts.campaign, counts.outcome), (0, 0))
        totals[counts.campaign, counts.outcome] = before[0] + counts.known, before[1] + counts.happened
    return {key: happened / total for key, (total, happened) in totals.items()}


def show(console: Console, term: TermResult) -> None:
    """Print the table of estimated and true effects."""
    table = Table(
        Column("campaign", overflow="fold"),
        Column("outcome", no_wrap=True, min_width=max(map(len, OUTCOMES))),
        *("nudged", "holdout", "difference", "95 % interval", "so it", "true effect"),
        title="What it would be seen to do, and what it does, in this simulated term",
    )
    for line in term.lines:
        if line.variant != ALL:
            continue
        effect, truth = line.effect, term.truth.get((line.campaign, line.outcome))
        both = min(effect.nudged.known, effect.holdout.known) > 0
        table.add_row(
            line.campaign,
            line.outcome,
            *(
                f"{arm.share:.1%} of {arm.known:,}" if arm.known else "nobody"
                for arm in (effect.nudged, effect.holdout)
            ),
            f"{100 * effect.difference:+.1f}" if both else "",
            f"{100 * effect.interval.low:+.1f} to {100 * effect.interval.high:+.1f}" if both else "",
            line.judgement,
            "" if truth is None else f"{100 * truth:+.1f}",
        )
    console.print(table)
