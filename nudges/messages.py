"""Messages about nudges: learners' wishes, notifiers' feedback, and instructors' answers to proposals."""

from collections.abc import Callable, Mapping
from typing import Any

from nudges.cancelling import cancel_unwanted, expire
from nudges.choosing import Situation, by_weight
from nudges.judging import Case, Verdict, campaign_of, judge
from nudges.learners import Learner, heard, is_wish
from nudges.ledger import Decided, decision_row, nudge_message, sending_of
from nudges.policy import Campaign, Policy
from schemas.risk import RiskChange

SituationOf = Callable[[str, str | None], Situation]
"""Of a course run as it is now, and an item: the next one, unless the learner has done it by now."""


def apply_message(
    message: Mapping[str, Any],
    learner: Learner,
    policy: Policy,
    now: int,
    situation_of: SituationOf = lambda _, item: Situation(next_item=item),
    ahead_s: int | None = None,
) -> Decided:
    """Apply a message of a learner, a notifier or an instructor to the learner's record, and what follows.

    ``now`` is the newest event time known: what was to be sent before it has been, and counts. A wish that
    makes a pending nudge unwelcome cancels it. ``situation_of`` is asked for an approval. What is too old is
    forgotten by ``now`` alone: a message that says it is of next year must not undo the caps. A wish dated
    more than ``ahead_s`` seconds after ``now`` waits for its time; none does where that is not given.
    """
    clock, now = now, max(now, int(message["occurred_at"].timestamp()))
    if message["type"] == "feedback" and message["kind"] in ("approved", "declined"):
        done = expire(message["learner"], learner, policy, clock)
        answer = _answer(message, done.learner, policy, now, situation_of)
        return Decided(
            answer.learner, (*done.decisions, *answer.decisions), (*done.messages, *answer.messages)
        )
    early = ahead_s is not None and now > clock + ahead_s and is_wish(message)
    after = learner.wait(message) if early else heard(learner, message)
    if after == learner:
        return Decided(learner)
    done = expire(message["learner"], after, policy, clock)
    over = cancel_unwanted(message["learner"], learner, done.learner, policy, now)
    return Decided(over.learner, (*done.decisions, *over.decisions), (*done.messages, *over.messages))


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
    case = Case(change, learner.without(nudge_id), policy, max(now, proposal.since), situation)
    if message["kind"] == "declined":
        campaign = campaign_of(case, proposal)
        verdict = Verdict("declined", campaign if isinstance(campaign, Campaign) else None)
        return Decided(case.learner, (decision_row(case, verdict, "declined", nudge_id),))
    verdict = judge(case, by_weight(policy.holdout_key), proposal)
    row = decision_row(case, verdict, "approved", nudge_id)
    if row.decision != "send":
        return Decided(case.learner, (row,))
    nudge = nudge_message(case, verdict, nudge_id)
    return Decided(case.learner.plan(sending_of(nudge)), (row,), (nudge,))
