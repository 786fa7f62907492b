"""Makes the outputs of a decision: the ledger's rows and messages for notifiers, each with its id.

Ids are hashes of what was decided under which policy, so a decision that is made again has the same id.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

from nudges.judging import Case, Verdict
from nudges.learners import CHANNELS, Learner, Proposal, Sending
from nudges.policy import NO_CAMPAIGN, Policy, main_reason, raising_reasons
from schemas.learner import Channel
from schemas.nudge import DecisionReason, Nudge, NudgeCancelled, NudgeDecision


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """The result of a decision: the learner's record after it, ledger rows, and messages for notifiers."""

    learner: Learner
    decisions: tuple[NudgeDecision, ...] = ()
    messages: tuple[Nudge | NudgeCancelled, ...] = ()


def decision_row(case: Case, verdict: Verdict, kind: str, nudge_id: str | None) -> NudgeDecision:
    """The ledger's row of a verdict. ``kind``, such as ``decision`` or ``approved``, is part of its id."""
    sends = verdict.choice is not None and verdict.reason != "awaiting_approval"
    return NudgeDecision(
        decision_id=_id(kind, case.policy, case.change.risk_change_id),
        risk_change_id=case.change.risk_change_id,
        nudge_id=nudge_id,
        learner=case.change.learner,
        course_run=case.change.course_run,
        decided_at=_datetime(case.decided_at),
        send_at=_datetime(verdict.plan.send_at) if sends and verdict.plan else None,
        decision="send" if sends else "hold",
        reason=verdict.reason,
        campaign=verdict.campaign.name if verdict.campaign else NO_CAMPAIGN,
        variant=verdict.choice.variant if verdict.choice else "",
        channel=verdict.plan.channel if verdict.plan else None,
        policy_version=case.policy.version,
        propensity=verdict.propensity,
    )


def cancelled_proposal_row(
    learner_id: str, nudge_id: str, proposal: Proposal, policy: Policy, now: int, reason: DecisionReason
) -> NudgeDecision:
    """The ledger's row of a proposal that expired or was cancelled; no message was sent."""
    change = proposal.change
    sending = Sending(
        now, nudge_id, "", proposal.campaign, proposal.variant, change["course_run"], change["risk_change_id"]
    )
    return cancelled_nudge_row(learner_id, sending, policy, now, reason)


def cancelled_nudge_row(
    learner_id: str, sending: Sending, policy: Policy, now: int, reason: DecisionReason
) -> NudgeDecision:
    """The ledger's row of a nudge that is cancelled at ``now`` (epoch seconds)."""
    return NudgeDecision(
        decision_id=_id("cancelled", policy, sending.message_id),
        risk_change_id=sending.risk_change_id,
        nudge_id=sending.message_id,
        learner=learner_id,
        course_run=sending.course_run,
        decided_at=_datetime(now),
        send_at=None,
        decision="cancel",
        reason=reason,
        campaign=sending.campaign,
        variant=sending.variant,
        channel=_channel(sending.channel),
        policy_version=policy.version,
        propensity=1.0,
    )


def nudge_message(case: Case, verdict: Verdict, nudge_id: str) -> Nudge:
    """The message for notifiers, of a verdict with campaign, plan and choice."""
    change, campaign, plan, choice = case.change, verdict.campaign, verdict.plan, verdict.choice
    assert campaign and plan and choice, "it is to be sent"  # noqa: S101, PT018
    reason = main_reason(change)
    variables = campaign.variables(change.course_run, reason)
    return Nudge(
        nudge_id=nudge_id,
        risk_change_id=change.risk_change_id,
        learner=change.learner,
        course_run=change.course_run,
        campaign=campaign.name,
        variant=choice.variant,
        channel=plan.channel,
        digest=plan.reason == "digest",
        decided_at=_datetime(case.decided_at),
        send_at=_datetime(plan.send_at),
        expires_at=_datetime(plan.expires_at),
        goal=campaign.goal,
        text=campaign.variant(choice.variant).suggestion(reason).render(variables),
        suggestion=case.situation.next_item,
        variables=variables,
        reasons=[reason.text for reason in raising_reasons(change)],
    )


def sending_of_nudge(nudge: Nudge) -> Sending:
    """The nudge as the learner's record keeps it."""
    return Sending(
        int(nudge.send_at.timestamp()),
        nudge.nudge_id,
        nudge.channel,
        nudge.campaign,
        nudge.variant,
        nudge.course_run,
        nudge.risk_change_id,
        nudge.digest,
    )


def cancel_message(learner_id: str, sending: Sending, now: int, reason: DecisionReason) -> NudgeCancelled:
    """The message by which notifiers cancel a nudge that they have not sent."""
    return NudgeCancelled(
        nudge_id=sending.message_id,
        learner=learner_id,
        course_run=sending.course_run,
        cancelled_at=_datetime(now),
        reason=reason,
    )


def _channel(name: str) -> Channel | None:
    return next((channel for channel in CHANNELS if channel == name), None)


def nudge_id_of(policy: Policy, risk_change_id: str) -> str:
    """The id of the nudge on a risk change under a policy."""
    return _id("nudge", policy, risk_change_id)


def _id(kind: str, policy: Policy, subject_id: str) -> str:
    """The id of a decision on a subject under a policy: the same each time, so repeats can be dropped."""
    return blake2b(f"{kind}:{policy.version}:{subject_id}".encode(), digest_size=16).hexdigest()


def _datetime(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
