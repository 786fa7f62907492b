"""What a decision leaves behind: the ledger's rows, messages for notifiers, and the ids of both.

Ids are hashes of what was decided under which policy, so that the same decision has the same id when it is
made again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

from nudges.judging import Case, Verdict
from nudges.learners import CHANNELS, Learner, Proposal, Sending
from nudges.policy import NO_CAMPAIGN, Policy, main_reason, raising
from schemas.learner import Channel
from schemas.nudge import DecisionReason, Nudge, NudgeCancelled, NudgeDecision


@dataclass(frozen=True, slots=True)
class Decided:
    """The result of a decision: the learner's record after it, ledger rows, and messages for notifiers."""

    learner: Learner
    decisions: tuple[NudgeDecision, ...] = ()
    messages: tuple[Nudge | NudgeCancelled, ...] = ()


def decision_row(case: Case, verdict: Verdict, what: str, nudge_id: str | None) -> NudgeDecision:
    """The ledger's row of a verdict. ``what`` was decided is part of its id: ``decision``, ``approved`` …"""
    sends = verdict.choice is not None and verdict.reason != "awaiting_approval"
    return NudgeDecision(
        decision_id=_id(what, case.policy, case.change.risk_change_id),
        risk_change_id=case.change.risk_change_id,
        nudge_id=nudge_id,
        learner=case.change.learner,
        course_run=case.change.course_run,
        decided_at=_instant(case.at),
        send_at=_instant(verdict.plan.send_at) if sends and verdict.plan else None,
        decision="send" if sends else "hold",
        reason=verdict.reason,
        campaign=verdict.campaign.name if verdict.campaign else NO_CAMPAIGN,
        variant=verdict.choice.variant if verdict.choice else "",
        channel=verdict.plan.channel if verdict.plan else None,
        policy_version=case.policy.version,
        propensity=verdict.propensity,
    )


def unsent_row(
    who: str, nudge_id: str, proposal: Proposal, policy: Policy, at: int, reason: DecisionReason
) -> NudgeDecision:
    """A proposal that is no longer one: nothing was sent, so nothing has to be taken back."""
    change = proposal.change
    was = Sending(
        at, nudge_id, "", proposal.campaign, proposal.variant, change["course_run"], change["risk_change_id"]
    )
    return cancelled_row(who, was, policy, at, reason)


def cancelled_row(
    who: str, sending: Sending, policy: Policy, at: int, reason: DecisionReason
) -> NudgeDecision:
    """The ledger's row of what learner ``who`` was to be sent and is not, since ``at`` (epoch seconds)."""
    return NudgeDecision(
        decision_id=_id("cancelled", policy, sending.name),
        risk_change_id=sending.risk_change_id,
        nudge_id=sending.name,
        learner=who,
        course_run=sending.course_run,
        decided_at=_instant(at),
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
    main = main_reason(change)
    variables = campaign.variables(change.course_run, main)
    return Nudge(
        nudge_id=nudge_id,
        risk_change_id=change.risk_change_id,
        learner=change.learner,
        course_run=change.course_run,
        campaign=campaign.name,
        variant=choice.variant,
        channel=plan.channel,
        digest=plan.reason == "digest",
        decided_at=_instant(case.at),
        send_at=_instant(plan.send_at),
        expires_at=_instant(plan.expires_at),
        goal=campaign.goal,
        text=campaign.variant(choice.variant).suggestion(main).words(variables),
        suggestion=case.situation.next_item,
        variables=variables,
        reasons=[reason.text for reason in raising(change)],
    )


def sending_of(nudge: Nudge) -> Sending:
    """What the learner's record keeps of a nudge."""
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


def cancellation(who: str, sending: Sending, at: int, reason: DecisionReason) -> NudgeCancelled:
    """The message for notifiers that takes back what learner ``who`` was to be sent."""
    return NudgeCancelled(
        nudge_id=sending.name,
        learner=who,
        course_run=sending.course_run,
        cancelled_at=_instant(at),
        reason=reason,
    )


def _channel(name: str) -> Channel | None:
    return next((channel for channel in CHANNELS if channel == name), None)


def nudge_id_of(policy: Policy, risk_change_id: str) -> str:
    """The id that a nudge on a risk change has, if there is one."""
    return _id("nudge", policy, risk_change_id)


def _id(what: str, policy: Policy, of: str) -> str:
    """The same decision on the same thing under the same policy has the same id: a repeat is known as one."""
    return blake2b(f"{what}:{policy.version}:{of}".encode(), digest_size=16).hexdigest()


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
