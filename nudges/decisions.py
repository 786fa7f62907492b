"""One decision for every risk change, the *no* included, with its reason: the ledger's rows.

:func:`decide` asks in this order, and the first *no* is the reason that is recorded:

1. ``data_quality``: a source of the course run was quiet or mad, the change is marked *suspect*;
2. ``level_not_nudged``, ``reason_not_nudged``, ``phase_not_nudged``: no campaign answers the change (a
   recovery, for one);
3. ``warming_up``: the estimate is the recency prior and the policy does not trust that with people;
4. ``run_over``, ``suppressed``, ``paused``, ``opted_out``: nothing may go to this learner
   (:mod:`nudges.guards`);
5. ``expired``: the first allowed moment comes after the reason's time;
6. ``cap_reached``, ``campaign_cap_reached``, ``channel_cap_reached``: enough messages, in any course, by any
   sender;
7. ``holdout``: the enrolment was drawn to get none;
8. ``awaiting_approval``: an instructor is asked first; :func:`hear` takes the yes or no.

What is left is sent: at once (``sent``) or later, with ``send_at`` where the night ends (``quiet_hours``),
the learner usually studies (``study_time``) or the next digest is due (``digest``): with all else that is to
go with that digest it is one message, and counts as one. A *fall* of the risk
cancels what is still to be sent for the enrolment, and what is proposed (``recovered``); so does the end of
the enrolment (:func:`call_off`), and a wish that makes it unwelcome (:func:`hear`). A proposal that nobody
answered in time is cancelled as ``expired``.

The holdout is asked after everything that depends on the learner, so a ``holdout`` row is a nudge that was
withheld by the draw and by nothing else. An enrolment's first such row and the first sent (or proposed) row
of the others are the two arms to compare; later rows are not, because by then one arm has had a nudge.
``propensity`` is the probability, over the draws alone, of the decision that was taken: the share for a
held-out one, the rest times the variant's for one that was sent or proposed, 1 where no draw had a say.

The module remembers nothing: it takes the learner's record and gives it back changed. Same change, record,
policy and time: same decision and same ids.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from nudges.assignment import held_out
from nudges.choosing import Choice, Chooser, Situation, by_weight
from nudges.guards import capped, open_channels, unwelcome
from nudges.learners import CHANNELS, Learner, Proposal, Sending, heard, is_wish
from nudges.policy import NO_CAMPAIGN, Campaign, Policy, main_reason, raising
from nudges.quiet_hours import allowed, next_allowed, zone
from nudges.timing import HOUR_S, next_digest, study_hour
from schemas.learner import Channel
from schemas.nudge import DecisionReason, Nudge, NudgeCancelled, NudgeDecision
from schemas.risk import RISK_LEVELS, RiskChange

DIGEST_OPEN_S = 24 * HOUR_S
"""How long a digest may still go out after its moment."""


Refusal = DecisionReason | None
"""Why not, or nothing that speaks against it."""

SituationOf = Callable[[str, str | None], Situation]
"""Of a course run as it is now, and an item: the next one, unless the learner has done it by now."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it: the learner's record after it, ledger rows, and messages for notifiers."""

    learner: Learner
    decisions: tuple[NudgeDecision, ...] = ()
    messages: tuple[Nudge | NudgeCancelled, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """When a nudge may be sent, until when, where, and why then."""

    send_at: int
    expires_at: int
    channel: Channel
    reason: DecisionReason


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A decision before it has words. A nudge is sent or proposed where there is a ``choice``."""

    reason: DecisionReason
    campaign: Campaign | None = None
    plan: _Plan | None = None
    choice: Choice | None = None
    propensity: float = 1.0


@dataclass(frozen=True, slots=True)
class _Case:
    """All that a decision rests on."""

    change: RiskChange
    learner: Learner
    policy: Policy
    at: int
    situation: Situation

    @property
    def where(self) -> ZoneInfo:
        return zone(self.learner.zone, self.policy.default_timezone)


def decide(
    change: RiskChange,
    learner: Learner,
    policy: Policy,
    at: int,
    situation: Situation | None = None,
    choose: Chooser | None = None,
) -> Decided:
    """Decide on one risk change at event time ``at`` (epoch seconds).

    ``at`` is the first moment at which the change can be known, so the end of the day that was closed *plus
    the allowed lateness*: a sending time reckoned from the bare end of the day would have passed, and the
    learner's night might have begun, before anybody could act on it. ``choose`` picks the variant, by
    weights where it is not given.
    """
    who = change.learner
    if RISK_LEVELS.index(change.level) < RISK_LEVELS.index(change.previous_level):
        done = call_off(who, change.course_run, learner, policy, at, "recovered")
    else:
        done = _forget(who, learner, policy, at)
    case = _Case(change, done.learner, policy, at, situation or Situation())
    verdict = _judge(case, choose or by_weight(policy.holdout_key))
    nudge_id = nudge_id_of(policy, change.risk_change_id) if verdict.choice else None
    row = _row(case, verdict, "decision", nudge_id)
    learner, messages = done.learner, done.messages
    if row.decision == "send":
        nudge = _nudge(case, verdict, row.nudge_id or "")
        learner, messages = learner.plan(_sending(nudge)), (*messages, nudge)
    elif nudge_id is not None and verdict.campaign is not None:
        until = at + verdict.campaign.expires_after_hours * HOUR_S
        told, item = change.model_dump(mode="json"), case.situation.next_item
        learner = learner.propose(nudge_id, Proposal(told, at, until, row.campaign, row.variant, item))
    return Decided(learner, (*done.decisions, row), messages)


def hear(
    message: Mapping[str, Any],
    learner: Learner,
    policy: Policy,
    now: int,
    situation_of: SituationOf = lambda _, item: Situation(next_item=item),
    ahead_s: int | None = None,
) -> Decided:
    """Take in what a learner, a notifier or an instructor says, and do what follows from it at once.

    ``now`` is the newest event time known: what was to be sent before it has been, and counts. A wish that
    makes a pending nudge unwelcome cancels it. ``situation_of`` is asked for an approval. What is too old is
    forgotten by ``now`` alone: a message that says it is of next year must not undo the caps. A wish dated
    more than ``ahead_s`` seconds after ``now`` waits for its time; none does where that is not given.
    """
    clock, now = now, max(now, int(message["occurred_at"].timestamp()))
    if message["type"] == "feedback" and message["kind"] in ("approved", "declined"):
        done = _forget(message["learner"], learner, policy, clock)
        answer = _answer(message, done.learner, policy, now, situation_of)
        return Decided(
            answer.learner, (*done.decisions, *answer.decisions), (*done.messages, *answer.messages)
        )
    early = ahead_s is not None and now > clock + ahead_s and is_wish(message)
    after = learner.wait(message) if early else heard(learner, message)
    if after == learner:
        return Decided(learner)
    done = _forget(message["learner"], after, policy, clock)
    over = _unwanted(message["learner"], learner, done.learner, policy, now)
    return Decided(over.learner, (*done.decisions, *over.decisions), (*done.messages, *over.messages))


def _unwanted(who: str, learner: Learner, after: Learner, policy: Policy, now: int) -> Decided:
    """Cancel what a learner no longer wants, ``after`` wishes that ``learner`` had not said yet."""
    quiet = policy.quiet_hours if after.zone != learner.zone else None
    where = zone(after.zone, policy.default_timezone)

    def why(planned: Sending) -> Refusal:
        if after.closed(planned.channel):
            return "opted_out"
        if not allowed(planned.at, where, quiet):
            return "quiet_hours"
        return unwelcome(after, planned.at)

    return _withdraw(who, after, policy, now, why)


def call_off(
    who: str, course_run: str, learner: Learner, policy: Policy, at: int, reason: DecisionReason
) -> Decided:
    """Take back all that learner ``who`` is still to be sent in a course run, and what is proposed there."""
    before = _forget(who, learner, policy, at)
    waiting = {name: one for name, one in before.learner.proposals.items() if one.course_run == course_run}
    done = _withdraw(
        who, before.learner, policy, at, lambda planned: reason if planned.course_run == course_run else None
    )
    learner, rows = done.learner, [*before.decisions, *done.decisions]
    for name, one in sorted(waiting.items()):
        learner = learner.without(name)
        rows.append(_unsent_row(who, name, one, policy, at, reason))
    return Decided(learner, tuple(rows), (*before.messages, *done.messages))


def _forget(who: str, learner: Learner, policy: Policy, now: int) -> Decided:
    """Without what is too old; a proposal that nobody answered in time has its row, as of that time. Wishes
    that waited for theirs are taken in."""
    found = _come_true(who, learner, policy, now)
    learner, rows = found.learner, [*found.decisions]
    rows += [
        _unsent_row(who, name, one, policy, one.until, "expired")
        for name, one in sorted(learner.unanswered(now).items())
    ]
    return Decided(learner.forget(now), tuple(rows), found.messages)


def _come_true(who: str, learner: Learner, policy: Policy, now: int) -> Decided:
    learner, wishes = learner.come_true(now)
    rows, messages = list[NudgeDecision](), list[Nudge | NudgeCancelled]()
    for said in wishes:
        done = _unwanted(who, learner, heard(learner, said), policy, said["occurred_at"])
        learner, rows, messages = done.learner, [*rows, *done.decisions], [*messages, *done.messages]
    return Decided(learner, tuple(rows), tuple(messages))


def _withdraw(
    who: str, learner: Learner, policy: Policy, at: int, why: Callable[[Sending], Refusal]
) -> Decided:
    """Cancel what learner ``who`` is still to be sent after ``at``, where there is a reason to."""
    cancelled = [(one, reason) for one in learner.pending(at) if (reason := why(one)) is not None]
    for one, _ in cancelled:
        learner = learner.without(one.name)
    return Decided(
        learner,
        tuple(_cancelled_row(who, one, policy, at, reason) for one, reason in cancelled),
        tuple(
            NudgeCancelled(
                nudge_id=one.name,
                learner=who,
                course_run=one.course_run,
                cancelled_at=_instant(at),
                reason=reason,
            )
            for one, reason in cancelled
        ),
    )


def _answer(
    message: Mapping[str, Any],
    learner: Learner,
    policy: Policy,
    now: int,
    situation_of: SituationOf,
) -> Decided:
    """An instructor's yes or no to a proposal; nothing where none is waiting.

    After a yes all guards are asked anew: the learner may have opted out since, or been written to.
    """
    nudge_id = message.get("nudge_id") or ""
    proposal = learner.proposals.get(nudge_id)
    if proposal is None:
        return Decided(learner)
    change = RiskChange.model_validate(proposal.change)
    situation = situation_of(change.course_run, proposal.next_item)
    case = _Case(change, learner.without(nudge_id), policy, max(now, proposal.since), situation)
    if message["kind"] == "declined":
        campaign = _campaign(case, proposal)
        verdict = _Verdict("declined", campaign if isinstance(campaign, Campaign) else None)
        return Decided(case.learner, (_row(case, verdict, "declined", nudge_id),))
    verdict = _judge(case, by_weight(policy.holdout_key), proposal)
    row = _row(case, verdict, "approved", nudge_id)
    if row.decision != "send":
        return Decided(case.learner, (row,))
    nudge = _nudge(case, verdict, nudge_id)
    return Decided(case.learner.plan(_sending(nudge)), (row,), (nudge,))


# -- judging --------------------------------------------------------------------------------------------


def _judge(case: _Case, choose: Chooser, approved: Proposal | None = None) -> _Verdict:
    """``approved``: the proposal that got its yes; it is not proposed again."""
    campaign = _campaign(case, approved)
    if case.change.data_quality == "suspect":
        return _Verdict("data_quality", campaign if isinstance(campaign, Campaign) else None)
    if not isinstance(campaign, Campaign):
        return _Verdict(campaign)
    plan = _unfit(case, campaign) or _plan(case, campaign, approved)
    if not isinstance(plan, _Plan):
        return _Verdict(plan, campaign)
    policy, enrolment = case.policy, (case.change.learner, case.change.course_run)
    if held_out(policy.holdout_key, *enrolment, policy.holdout_share):
        return _Verdict("holdout", campaign, propensity=policy.holdout_share)
    choice = choose(campaign, enrolment, case.situation)
    asks = campaign.approval == "instructor" and approved is None
    return _Verdict(
        "awaiting_approval" if asks else plan.reason,
        campaign,
        plan,
        choice,
        (1.0 - policy.holdout_share) * choice.propensity,
    )


def _campaign(case: _Case, approved: Proposal | None) -> Campaign | DecisionReason:
    """The campaign that answers the change; for a proposal the one that was proposed, while there is one."""
    if approved is None or not approved.campaign:
        return case.policy.campaign(case.change, case.situation.phase)
    named = (one for one in case.policy.campaigns if one.name == approved.campaign)
    return next(named, "expired")


def _unfit(case: _Case, campaign: Campaign) -> Refusal:
    """Why nothing of the campaign may go to the learner now, whatever was sent before."""
    if case.change.model_state == "warming_up" and not case.policy.nudge_while_warming_up:
        return "warming_up"
    refusal = unwelcome(case.learner, case.at, in_force=case.situation.in_force)
    if refusal is None and not open_channels(case.learner, campaign.channels):
        return "opted_out"
    return refusal


def _plan(case: _Case, campaign: Campaign, approved: Proposal | None) -> _Plan | DecisionReason:
    """When and on which channel: the first of those left open that the caps allow; of a digest, the one on
    which it goes anyway before the others."""
    send_at, expires_at, reason = _moment(case, campaign, approved)
    if send_at >= expires_at:
        return "expired"
    digest = reason == "digest"
    going = {one.channel for one in case.learner.sendings if digest and one.digest and one.at == send_at}
    channels = open_channels(case.learner, campaign.channels)
    refused: list[DecisionReason] = []
    for channel in sorted(channels, key=lambda one: one not in going):
        planned = Sending(send_at, "", channel, campaign.name, digest=digest)
        refusal = capped(case.learner, case.policy.caps, planned)
        if refusal is None:
            return _Plan(send_at, expires_at, channel, reason)
        refused.append(refusal)
    return refused[0]


def _moment(case: _Case, campaign: Campaign, approved: Proposal | None) -> tuple[int, int, DecisionReason]:
    """When to send, when it is too late for that, and why then."""
    at, quiet = case.at, case.policy.quiet_hours
    if case.learner.wish("digest"):
        send_at = _digest(case)
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


def _digest(case: _Case) -> int:
    """The learner's next digest: the one that is planned, in whatever course, else the policy's."""
    policy = case.policy
    for one in case.learner.pending(case.at):
        if one.digest and allowed(one.at, case.where, policy.quiet_hours):
            return one.at
    return next_digest(case.at, case.where, policy.digest, policy.quiet_hours, case.situation.habit)


# -- words and rows -------------------------------------------------------------------------------------


def _row(case: _Case, verdict: _Verdict, what: str, nudge_id: str | None) -> NudgeDecision:
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


def _unsent_row(
    who: str, nudge_id: str, proposal: Proposal, policy: Policy, at: int, reason: DecisionReason
) -> NudgeDecision:
    """A proposal that is no longer one: nothing was sent, so nothing has to be taken back."""
    change = proposal.change
    was = Sending(
        at, nudge_id, "", proposal.campaign, proposal.variant, change["course_run"], change["risk_change_id"]
    )
    return _cancelled_row(who, was, policy, at, reason)


def _cancelled_row(who: str, one: Sending, policy: Policy, at: int, reason: DecisionReason) -> NudgeDecision:
    return NudgeDecision(
        decision_id=_id("cancelled", policy, one.name),
        risk_change_id=one.risk_change_id,
        nudge_id=one.name,
        learner=who,
        course_run=one.course_run,
        decided_at=_instant(at),
        send_at=None,
        decision="cancel",
        reason=reason,
        campaign=one.campaign,
        variant=one.variant,
        channel=_channel(one.channel),
        policy_version=policy.version,
        propensity=1.0,
    )


def _nudge(case: _Case, verdict: _Verdict, nudge_id: str) -> Nudge:
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


def _sending(nudge: Nudge) -> Sending:
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
