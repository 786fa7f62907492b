"""Judges one risk change: which campaign answers it, and whether, when and on which channel to send.

The order of the checks is that of :mod:`nudges.decisions`. Rows and messages are made in
:mod:`nudges.ledger`.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from nudges.assignment import held_out
from nudges.choosing import Choice, Chooser, Situation
from nudges.guards import cap_refusal, contact_refusal, open_channels
from nudges.learners import Learner, Proposal, Sending
from nudges.policy import Campaign, Policy
from nudges.quiet_hours import allowed, next_allowed, zone
from nudges.timing import HOUR_S, next_digest, study_hour
from schemas.learner import Channel
from schemas.nudge import DecisionReason
from schemas.risk import RiskChange

DIGEST_OPEN_S = 24 * HOUR_S
"""How long after its time a digest may still be sent."""

Refusal = DecisionReason | None
"""The reason of a refusal, or None."""


@dataclass(frozen=True, slots=True)
class Plan:
    """When a nudge may be sent, until when (epoch seconds), on which channel, and why then."""

    send_at: int
    expires_at: int
    channel: Channel
    reason: DecisionReason


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a case. A nudge is sent or proposed where there is a ``choice``."""

    reason: DecisionReason
    campaign: Campaign | None = None
    plan: Plan | None = None
    choice: Choice | None = None
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """The inputs of a decision. ``decided_at``: its event time, in epoch seconds."""

    change: RiskChange
    learner: Learner
    policy: Policy
    decided_at: int
    situation: Situation

    @property
    def zone(self) -> ZoneInfo:
        """The learner's time zone, or the policy's where none is known."""
        return zone(self.learner.zone, self.policy.default_timezone)


def judge(case: Case, choose: Chooser, approved: Proposal | None = None) -> Verdict:
    """Judge a case: the first reason against a nudge, or how and when one is sent or proposed.

    choose: draws the variant. approved: the proposal that was approved, if any; it is not proposed again.
    """
    campaign = campaign_of(case, approved)
    if case.change.data_quality == "suspect":
        return Verdict("data_quality", campaign if isinstance(campaign, Campaign) else None)
    if not isinstance(campaign, Campaign):
        return Verdict(campaign)
    plan = _learner_refusal(case, campaign) or _plan(case, campaign, approved)
    if not isinstance(plan, Plan):
        return Verdict(plan, campaign)
    policy, enrolment = case.policy, (case.change.learner, case.change.course_run)
    if held_out(policy.holdout_key, *enrolment, policy.holdout_share):
        return Verdict("holdout", campaign, propensity=policy.holdout_share)
    choice = choose(campaign, enrolment, case.situation)
    needs_approval = campaign.approval == "instructor" and approved is None
    return Verdict(
        "awaiting_approval" if needs_approval else plan.reason,
        campaign,
        plan,
        choice,
        (1.0 - policy.holdout_share) * choice.propensity,
    )


def campaign_of(case: Case, approved: Proposal | None) -> Campaign | DecisionReason:
    """The campaign that answers the change, or why none does; for a proposal the campaign it was made for."""
    if approved is None or not approved.campaign:
        return case.policy.campaign(case.change, case.situation.phase)
    named = (campaign for campaign in case.policy.campaigns if campaign.name == approved.campaign)
    return next(named, "expired")


def _learner_refusal(case: Case, campaign: Campaign) -> Refusal:
    """Why nothing of the campaign may be sent to the learner now, whatever was sent before."""
    if case.change.model_state == "warming_up" and not case.policy.nudge_while_warming_up:
        return "warming_up"
    refusal = contact_refusal(case.learner, case.decided_at, in_force=case.situation.in_force)
    if refusal is None and not open_channels(case.learner, campaign.channels):
        return "opted_out"
    return refusal


def _plan(case: Case, campaign: Campaign, approved: Proposal | None) -> Plan | DecisionReason:
    """The sending time, and the first open channel that the caps allow; for a digest, a channel on which that
    digest is sent already comes first. A reason where there is none."""
    send_at, expires_at, reason = _send_time(case, campaign, approved)
    if send_at >= expires_at:
        return "expired"
    digest = reason == "digest"
    digest_channels = {
        sending.channel
        for sending in case.learner.sendings
        if digest and sending.digest and sending.send_at == send_at
    }
    channels = open_channels(case.learner, campaign.channels)
    refused: list[DecisionReason] = []
    for channel in sorted(channels, key=lambda channel: channel not in digest_channels):
        planned = Sending(send_at, "", channel, campaign.name, digest=digest)
        refusal = cap_refusal(case.learner, case.policy.caps, planned)
        if refusal is None:
            return Plan(send_at, expires_at, channel, reason)
        refused.append(refusal)
    return refused[0]


def _send_time(case: Case, campaign: Campaign, approved: Proposal | None) -> tuple[int, int, DecisionReason]:
    """The sending time, the expiry (epoch seconds), and the reason of the sending time."""
    now, quiet = case.decided_at, case.policy.quiet_hours
    if case.learner.wish("digest"):
        send_at = _digest_time(case)
        decided_at = now if approved is None else approved.proposed_at
        reason_ends_at = decided_at + case.policy.digest.expires_after_hours * HOUR_S
        return send_at, min(send_at + DIGEST_OPEN_S, reason_ends_at), "digest"
    expires_at = now + campaign.expires_after_hours * HOUR_S if approved is None else approved.expires_at
    send_at = next_allowed(now, case.zone, quiet)
    reason: DecisionReason = "sent" if send_at == now else "quiet_hours"
    if case.policy.study_time is not None:
        latest = min(now + case.policy.study_time.within_hours * HOUR_S, expires_at - HOUR_S)
        best = study_hour(now, latest, case.zone, quiet, case.situation.habit)
        if best is not None and best != send_at:
            return best, expires_at, "sent" if best == now else "study_time"
    return send_at, expires_at, reason


def _digest_time(case: Case) -> int:
    """The time of the learner's next digest: one that is planned, in any course, else the policy's next."""
    policy = case.policy
    for sending in case.learner.pending(case.decided_at):
        if sending.digest and allowed(sending.send_at, case.zone, policy.quiet_hours):
            return sending.send_at
    return next_digest(case.decided_at, case.zone, policy.digest, policy.quiet_hours, case.situation.habit)
