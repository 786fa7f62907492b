"""One decision for every risk change, the *no* included, with its reason: the ledger's rows.

:func:`decide` asks in this order, and the first *no* is the reason that is recorded:

1. ``level_not_nudged``: no campaign answers the transition (every recovery, for one);
2. ``warming_up``: the estimate is the recency prior and the policy does not trust that with people;
3. ``run_over``: the enrolment or its course run has ended;
4. ``opted_out``: the learner does not want the campaign's channel;
5. ``paused``: the learner asked for quiet until later;
6. ``cap_reached``: less than the cap's days after the learner's last nudge, in any course, by any sender;
7. ``holdout``: the enrolment was drawn to get none.

What is left is sent: at once (``sent``), or when the learner's quiet hours end (``quiet_hours``; the
decision is *send* all the same, ``send_at`` is later).

The holdout is asked last, so a ``holdout`` row is a nudge that was withheld by the draw and by nothing
else. An enrolment's first such row and the first sent row of the others are the two arms to compare;
later rows are not, because by then one arm has had a nudge. ``propensity`` is the probability, over the
draw alone, of the decision that was taken: the share for a held-out one, the rest for one that was sent,
and 1 where the draw had no say.

The module remembers nothing: the caller keeps :class:`LearnerHistory`, and after a nudge sets
``last_nudge_at`` to its ``send_at``. Same change, history, policy and time: same decision and same ids.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from nudges.assignment import held_out
from nudges.policy import NO_CAMPAIGN, Campaign, Policy
from nudges.quiet_hours import next_allowed, zone
from schemas.learner import Channel
from schemas.nudge import DecisionReason, Nudge, NudgeDecision
from schemas.risk import Reason, RiskChange

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class LearnerHistory:
    """What is known of the learner, and of the enrolment, when a change is decided.

    Times are epoch seconds in UTC. ``last_nudge_at`` is the latest sending, planned ones and those of
    other systems included; ``in_force`` says that the enrolment and its run have not ended.
    """

    last_nudge_at: int | None = None
    timezone: str | None = None
    opted_out: frozenset[Channel] = frozenset()
    paused_until: int | None = None
    in_force: bool = True


@dataclass(frozen=True, slots=True)
class _Verdict:
    reason: DecisionReason
    campaign: Campaign | None = None
    propensity: float = 1.0
    send_at: int | None = None


def decide(
    change: RiskChange, learner: LearnerHistory, policy: Policy, at: int
) -> tuple[NudgeDecision, Nudge | None]:
    """Decide on one risk change at event time ``at`` (epoch seconds): the ledger's row, and the nudge.

    ``at`` is the first moment at which the change can be known, so the end of the day that was closed *plus
    the allowed lateness*: a sending time reckoned from the bare end of the day would have passed, and the
    learner's night might have begun, before anybody could act on it.
    There is a nudge exactly when the decision is *send*. Its reasons are those that raised the risk.
    """
    verdict = _judge(change, learner, policy, at)
    nudge = _nudge(change, policy, verdict.campaign, at, verdict.send_at)
    decision = NudgeDecision(
        decision_id=_id("decision", policy, change),
        risk_change_id=change.risk_change_id,
        nudge_id=nudge.nudge_id if nudge else None,
        learner=change.learner,
        course_run=change.course_run,
        decided_at=_instant(at),
        send_at=nudge.send_at if nudge else None,
        decision="send" if nudge else "hold",
        reason=verdict.reason,
        campaign=verdict.campaign.name if verdict.campaign else NO_CAMPAIGN,
        policy_version=policy.version,
        propensity=verdict.propensity,
    )
    return decision, nudge


def _judge(change: RiskChange, learner: LearnerHistory, policy: Policy, at: int) -> _Verdict:
    campaign = policy.campaign(change.previous_level, change.level)
    if campaign is None:
        return _Verdict("level_not_nudged")
    if change.model_state == "warming_up" and not policy.nudge_while_warming_up:
        return _Verdict("warming_up", campaign)
    unwelcome = _unwelcome(learner, campaign, at)
    if unwelcome is not None:
        return _Verdict(unwelcome, campaign)
    send_at = next_allowed(at, zone(learner.timezone, policy.default_timezone), policy.quiet_hours)
    if _too_soon(learner, policy, send_at):
        return _Verdict("cap_reached", campaign)
    if held_out(policy.holdout_key, change.learner, change.course_run, policy.holdout_share):
        return _Verdict("holdout", campaign, policy.holdout_share)
    reason: DecisionReason = "sent" if send_at == at else "quiet_hours"
    return _Verdict(reason, campaign, 1.0 - policy.holdout_share, send_at)


def _unwelcome(learner: LearnerHistory, campaign: Campaign, at: int) -> DecisionReason | None:
    """Why a nudge would be wrong for this learner now, whatever was sent before, if it would."""
    if not learner.in_force:
        return "run_over"
    if campaign.channel in learner.opted_out:
        return "opted_out"
    if learner.paused_until is not None and at < learner.paused_until:
        return "paused"
    return None


def _too_soon(learner: LearnerHistory, policy: Policy, send_at: int) -> bool:
    # Measured between moments of sending: a postponed nudge takes its place where it will be read.
    return learner.last_nudge_at is not None and send_at - learner.last_nudge_at < policy.cap_days * DAY_S


def _nudge(
    change: RiskChange, policy: Policy, campaign: Campaign | None, at: int, send_at: int | None
) -> Nudge | None:
    if campaign is None or send_at is None:
        return None
    raising = _raising(change)
    main = raising[0] if raising else None
    return Nudge(
        nudge_id=_id("nudge", policy, change),
        risk_change_id=change.risk_change_id,
        learner=change.learner,
        course_run=change.course_run,
        campaign=campaign.name,
        channel=campaign.channel,
        decided_at=_instant(at),
        send_at=_instant(send_at),
        expires_at=_instant(send_at) + timedelta(hours=policy.expires_after_hours),
        goal=campaign.goal,
        text=campaign.suggestion(main).words(change.course_run, main),
        reasons=[reason.text for reason in raising],
    )


def _raising(change: RiskChange) -> list[Reason]:
    """The reasons that raise the risk, the heaviest first."""
    raising = [reason for reason in change.reasons if reason.contribution > 0]
    return sorted(raising, key=lambda reason: -reason.contribution)


def _id(what: str, policy: Policy, change: RiskChange) -> str:
    """The same change under the same policy gives the same id, so that a repeat is known as one."""
    content = f"{what}:{policy.version}:{change.risk_change_id}".encode()
    return blake2b(content, digest_size=16).hexdigest()


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)
