"""Judging one risk change: which campaign answers it, and whether, when and on which channel to send.

The order of the questions is that of :mod:`nudges.decisions`. Nothing here makes rows or messages.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from nudges.assignment import held_out
from nudges.choosing import Choice, Chooser, Situation
from nudges.guards import capped, open_channels, unwelcome
from nudges.learners import Learner, Proposal, Sending
from nudges.policy import Campaign, Policy
from nudges.quiet_hours import allowed, next_allowed, zone
from nudges.timing import HOUR_S, next_digest, study_hour
from schemas.learner import Channel
from schemas.nudge import DecisionReason
from schemas.risk import RiskChange

DIGEST_OPEN_S = 24 * HOUR_S
"""How long a digest may still go out after its moment."""

Refusal = DecisionReason | None
"""Why not, or nothing that speaks against it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """When a nudge may be sent, until when (epoch seconds), on which channel, and why then."""

    send_at: int
    expires_at: int
    channel: Channel
    reason: DecisionReason


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision before it has words. A nudge is sent or proposed where there is a ``choice``."""

    reason: DecisionReason
    campaign: Campaign | None = None
    plan: Plan | None = None
    choice: Choice | None = None
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision rests on. ``at``: the event time of the decision, in epoch seconds."""

    change: RiskChange
    learner: Learner
    policy: Policy
    at: int
    situation: Situation

    @property
    def where(self) -> ZoneInfo:
        """The learner's time zone, or the policy's where none is known."""
        return zone(self.learner.zone, self.policy.default_timezone)


def judge(case: Case, choose: Chooser, approved: Proposal | None = None) -> Verdict:
    """Judge a case: the first reason that speaks against a nudge, or how and when one is sent or proposed.

    choose: draws the variant. approved: the proposal that got its yes, which is not proposed again.
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
    asks = campaign.approval == "instructor" and approved is None
    return Verdict(
        "awaiting_approval" if asks else plan.reason,
        campaign,
        plan,
        choice,
        (1.0 - policy.holdout_share) * choice.propensity,
    )


def campaign_of(case: Case, approved: Proposal | None) -> Campaign | DecisionReason:
    """The campaign that answers the change; for a proposal the one that was proposed, while there is one."""
    if approved is None or not approved.campaign:
        return case.policy.campaign(case.change, case.situation.phase)
    named = (campaign for campaign in case.policy.campaigns if campaign.name == approved.campaign)
    return next(named, "expired")


def _learner_refusal(case: Case, campaign: Campaign) -> Refusal:
    """Why nothing of the campaign may go to the learner now, whatever was sent before."""
    if case.change.model_state == "warming_up" and not case.policy.nudge_while_warming_up:
        return "warming_up"
    refusal = unwelcome(case.learner, case.at, in_force=case.situation.in_force)
    if refusal is None and not open_channels(case.learner, campaign.channels):
        return "opted_out"
    return refusal


def _plan(case: Case, campaign: Campaign, approved: Proposal | None) -> Plan | DecisionReason:
    """When and on which channel: the first of those left open that the caps allow; of a digest, the one on
    which it goes anyway before the others."""
    send_at, expires_at, reason = _send_time(case, campaign, approved)
    if send_at >= expires_at:
        return "expired"
    digest = reason == "digest"
    going = {
        sending.channel
        for sending in case.learner.sendings
        if digest and sending.digest and sending.at == send_at
    }
    channels = open_channels(case.learner, campaign.channels)
    refused: list[DecisionReason] = []
    for channel in sorted(channels, key=lambda channel: channel not in going):
        planned = Sending(send_at, "", channel, campaign.name, digest=digest)
        refusal = capped(case.learner, case.policy.caps, planned)
        if refusal is None:
            return Plan(send_at, expires_at, channel, reason)
        refused.append(refusal)
    return refused[0]


def _send_time(case: Case, campaign: Campaign, approved: Proposal | None) -> tuple[int, int, DecisionReason]:
    """When to send, when it is too late for that, and why then."""
    at, quiet = case.at, case.policy.quiet_hours
    if case.learner.wish("digest"):
        send_at = _digest_time(case)
        since = at if approved is None else approved.since
        holds = since + case.policy.digest.expires_after_hours * HOUR_S
        return send_at, min(send_at + DIGEST_OPEN_S, holds), "digest"
    expires_at = at + campaign.expires_after_hours * HOUR_S if approved is None else approved.until
    send_at = next_allowed(at, case.where, quiet)
    reason: DecisionReason = "sent" if send_at == at else "quiet_hours"
    if case.policy.study_time is not None:
        latest = min(at + case.policy.study_time.within_hours * HOUR_S, expires_at - HOUR_S)
        best = study_hour(at, latest, case.where, quiet, case.situation.habit)
        if best is not None and best != send_at:
            return best, expires_at, "sent" if best == at else "study_time"
    return send_at, expires_at, reason


def _digest_time(case: Case) -> int:
    """The learner's next digest: the one that is planned, in whatever course, else the policy's."""
    policy = case.policy
    for sending in case.learner.pending(case.at):
        if sending.digest and allowed(sending.at, case.where, policy.quiet_hours):
            return sending.at
    return next_digest(case.at, case.where, policy.digest, policy.quiet_hours, case.situation.habit)
