"""Applies messages about nudges: learners' wishes, notifiers' feedback, instructors' answers to proposals."""

from collections.abc import Callable, Mapping
from typing import Any

from nudges.cancelling import cancel_unwanted, expire
from nudges.choosing import Situation, by_weight
from nudges.judging import Case, Verdict, campaign_of, judge
from nudges.learners import Learner, is_contact_wish, update_learner
from nudges.ledger import DecisionResult, decision_row, nudge_message, sending_of_nudge
from nudges.policy import Campaign, Policy
from schemas.risk import RiskChange

SituationLookup = Callable[[str, str | None], Situation]
"""(course run, next item) → the situation now; without the item if the learner has done it meanwhile."""


def apply_message(
    message: Mapping[str, Any],
    learner: Learner,
    policy: Policy,
    now: int,
    situation_of: SituationLookup = lambda _, item: Situation(next_item=item),
    ahead_s: int | None = None,
) -> DecisionResult:
    """Apply a message of a learner, a notifier or an instructor to the learner's record.

    ``now`` is the newest event time known (epoch seconds): what was planned before it has been sent, and
    counts. A wish that refuses a pending nudge cancels it. ``situation_of`` is called for an approval. Only
    ``now`` decides what is too old: a message dated next year must not undo the caps. A wish dated more than
    ``ahead_s`` seconds after ``now`` is deferred to its time; without ``ahead_s`` none is.
    """
    stream_time, now = now, max(now, int(message["occurred_at"].timestamp()))
    if message["type"] == "feedback" and message["kind"] in ("approved", "declined"):
        expired = expire(message["learner"], learner, policy, stream_time)
        answer = _apply_answer(message, expired.learner, policy, now, situation_of)
        return DecisionResult(
            answer.learner, (*expired.decisions, *answer.decisions), (*expired.messages, *answer.messages)
        )
    early = ahead_s is not None and now > stream_time + ahead_s and is_contact_wish(message)
    updated = learner.defer(message) if early else update_learner(learner, message)
    if updated == learner:
        return DecisionResult(learner)
    expired = expire(message["learner"], updated, policy, stream_time)
    cancelled = cancel_unwanted(message["learner"], learner, expired.learner, policy, now)
    return DecisionResult(
        cancelled.learner,
        (*expired.decisions, *cancelled.decisions),
        (*expired.messages, *cancelled.messages),
    )


def _apply_answer(
    message: Mapping[str, Any],
    learner: Learner,
    policy: Policy,
    now: int,
    situation_of: SituationLookup,
) -> DecisionResult:
    """Apply an instructor's answer to a proposal; nothing happens where none waits.

    After an approval all guards are checked again: the learner may have opted out or been written to since.
    """
    nudge_id = message.get("nudge_id") or ""
    proposal = learner.proposals.get(nudge_id)
    if proposal is None:
        return DecisionResult(learner)
    change = RiskChange.model_validate(proposal.change)
    situation = situation_of(change.course_run, proposal.next_item)
    case = Case(change, learner.without(nudge_id), policy, max(now, proposal.proposed_at), situation)
    if message["kind"] == "declined":
        campaign = campaign_of(case, proposal)
        verdict = Verdict("declined", campaign if isinstance(campaign, Campaign) else None)
        return DecisionResult(case.learner, (decision_row(case, verdict, "declined", nudge_id),))
    verdict = judge(case, by_weight(policy.holdout_key), proposal)
    row = decision_row(case, verdict, "approved", nudge_id)
    if row.decision != "send":
        return DecisionResult(case.learner, (row,))
    nudge = nudge_message(case, verdict, nudge_id)
    return DecisionResult(case.learner.plan(sending_of_nudge(nudge)), (row,), (nudge,))
