"""One decision for every risk change, the *no* included, with its reason: the ledger's rows.

:func:`decide` checks in this order; the first refusal is the reason that is recorded:

1. ``data_quality``: a source of the course run was silent or faulty, so the change is marked *suspect*;
2. ``level_not_nudged``, ``reason_not_nudged``, ``phase_not_nudged``: no campaign answers the change (a
   recovery, for one);
3. ``warming_up``: the estimate is the recency prior and the policy does not trust that with people;
4. ``run_over``, ``suppressed``, ``paused``, ``opted_out``: nothing may go to this learner
   (:mod:`nudges.guards`);
5. ``expired``: the first allowed moment comes after the reason's time;
6. ``cap_reached``, ``campaign_cap_reached``, ``channel_cap_reached``: enough messages, in any course, by any
   sender;
7. ``holdout``: the enrolment was drawn to get none;
8. ``awaiting_approval``: an instructor is asked first; :mod:`nudges.messages` applies the answer.

What is left is sent: at once (``sent``) or later, with ``send_at`` where the night ends (``quiet_hours``),
the learner usually studies (``study_time``) or the next digest is due (``digest``): with all else that is to
go with that digest it is one message, and counts as one. A *fall* of the risk
cancels what is still to be sent for the enrolment, and what is proposed (``recovered``); so does the end of
the enrolment and a wish that makes it unwelcome (:mod:`nudges.cancelling`). A proposal that nobody answered
in time is cancelled as ``expired``.

The holdout is checked after everything that depends on the learner, so a ``holdout`` row is a nudge that was
withheld by the draw and by nothing else. An enrolment's first such row and the first sent (or proposed) row
of the others are the two arms to compare; later rows are not, because by then one arm has had a nudge.
``propensity`` is the probability, over the draws alone, of the decision: the holdout's share for a held-out
nudge, the rest times the variant's share for one that was sent or proposed, 1 where no draw was involved.

The functions are pure: they take the learner's record and return it changed. The same change, record, policy
and time give the same decision and the same ids.
"""

from nudges.cancelling import cancel_for_course_run, expire
from nudges.choosing import Chooser, Situation, by_weight
from nudges.judging import Case, judge
from nudges.learners import Learner, Proposal
from nudges.ledger import DecisionResult, decision_row, nudge_id_of, nudge_message, sending_of_nudge
from nudges.policy import Policy
from nudges.timing import HOUR_S
from schemas.risk import RISK_LEVELS, RiskChange


def decide(
    change: RiskChange,
    learner: Learner,
    policy: Policy,
    now: int,
    situation: Situation | None = None,
    choose: Chooser | None = None,
) -> DecisionResult:
    """Decide on one risk change at event time ``now`` (epoch seconds).

    ``now`` is the first moment at which the change can be known: the end of the day that was closed *plus the
    allowed lateness*. A sending time counted from the bare end of the day would have passed, and the
    learner's night might have begun, before anybody could act on it. ``choose`` picks the variant; by weights
    if omitted.
    """
    learner_id = change.learner
    if RISK_LEVELS.index(change.level) < RISK_LEVELS.index(change.previous_level):
        cancelled = cancel_for_course_run(learner_id, change.course_run, learner, policy, now, "recovered")
    else:
        cancelled = expire(learner_id, learner, policy, now)
    case = Case(change, cancelled.learner, policy, now, situation or Situation())
    verdict = judge(case, choose or by_weight(policy.holdout_key))
    nudge_id = nudge_id_of(policy, change.risk_change_id) if verdict.choice else None
    row = decision_row(case, verdict, "decision", nudge_id)
    learner, messages = cancelled.learner, cancelled.messages
    if row.decision == "send":
        nudge = nudge_message(case, verdict, row.nudge_id or "")
        learner, messages = learner.plan(sending_of_nudge(nudge)), (*messages, nudge)
    elif nudge_id is not None and verdict.campaign is not None:
        expires_at = now + verdict.campaign.expires_after_hours * HOUR_S
        change_json, next_item = change.model_dump(mode="json"), case.situation.next_item
        learner = learner.propose(
            nudge_id, Proposal(change_json, now, expires_at, row.campaign, row.variant, next_item)
        )
    return DecisionResult(learner, (*cancelled.decisions, row), messages)
