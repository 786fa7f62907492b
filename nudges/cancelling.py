"""Cancels planned and proposed nudges: after a recovery, a run's end or a wish, or when they have expired."""

from collections.abc import Callable

from nudges.guards import contact_refusal
from nudges.judging import Refusal
from nudges.learners import Learner, Sending, update_learner
from nudges.ledger import DecisionResult, cancel_message, cancelled_nudge_row, cancelled_proposal_row
from nudges.policy import Policy
from nudges.quiet_hours import allowed, zone
from schemas.nudge import DecisionReason, Nudge, NudgeCancelled, NudgeDecision


def cancel_unwanted(
    learner_id: str, learner: Learner, updated: Learner, policy: Policy, now: int
) -> DecisionResult:
    """Cancel pending nudges that the wishes between ``learner`` and ``updated`` forbid."""
    quiet = policy.quiet_hours if updated.zone != learner.zone else None
    tz = zone(updated.zone, policy.default_timezone)

    def reason_of(sending: Sending) -> Refusal:
        if updated.closed(sending.channel):
            return "opted_out"
        if not allowed(sending.send_at, tz, quiet):
            return "quiet_hours"
        return contact_refusal(updated, sending.send_at)

    return cancel_pending(learner_id, updated, policy, now, reason_of)


def cancel_for_course_run(
    learner_id: str, course_run: str, learner: Learner, policy: Policy, now: int, reason: DecisionReason
) -> DecisionResult:
    """Cancel all pending nudges of a learner in a course run, and all proposals there."""
    return _cancel_where(learner_id, learner, policy, now, reason, lambda run: run == course_run)


def cancel_all(
    learner_id: str, learner: Learner, policy: Policy, now: int, reason: DecisionReason
) -> DecisionResult:
    """Cancel all pending nudges and proposals of a learner."""
    return _cancel_where(learner_id, learner, policy, now, reason, lambda _: True)


def _cancel_where(
    learner_id: str,
    learner: Learner,
    policy: Policy,
    now: int,
    reason: DecisionReason,
    is_meant: Callable[[str], bool],
) -> DecisionResult:
    expired = expire(learner_id, learner, policy, now)
    waiting = {
        nudge_id: proposal
        for nudge_id, proposal in expired.learner.proposals.items()
        if is_meant(proposal.course_run)
    }
    cancelled = cancel_pending(
        learner_id,
        expired.learner,
        policy,
        now,
        lambda sending: reason if is_meant(sending.course_run) else None,
    )
    learner, rows = cancelled.learner, [*expired.decisions, *cancelled.decisions]
    for nudge_id, proposal in sorted(waiting.items()):
        learner = learner.without(nudge_id)
        rows.append(cancelled_proposal_row(learner_id, nudge_id, proposal, policy, now, reason))
    return DecisionResult(learner, tuple(rows), (*expired.messages, *cancelled.messages))


def expire(learner_id: str, learner: Learner, policy: Policy, now: int) -> DecisionResult:
    """Drop what has expired at ``now`` (epoch seconds), and apply deferred wishes that are due.

    A proposal that nobody answered in time gets a ledger row, dated at its expiry.
    """
    wished = _apply_due_wishes(learner_id, learner, policy, now)
    learner, rows = wished.learner, [*wished.decisions]
    rows += [
        cancelled_proposal_row(learner_id, nudge_id, proposal, policy, proposal.expires_at, "expired")
        for nudge_id, proposal in sorted(learner.expired_proposals(now).items())
    ]
    return DecisionResult(learner.forget(now), tuple(rows), wished.messages)


def _apply_due_wishes(learner_id: str, learner: Learner, policy: Policy, now: int) -> DecisionResult:
    learner, wishes = learner.pop_due_wishes(now)
    rows, messages = list[NudgeDecision](), list[Nudge | NudgeCancelled]()
    for wish in wishes:
        cancelled = cancel_unwanted(
            learner_id, learner, update_learner(learner, wish), policy, wish["occurred_at"]
        )
        learner, rows, messages = (
            cancelled.learner,
            [*rows, *cancelled.decisions],
            [*messages, *cancelled.messages],
        )
    return DecisionResult(learner, tuple(rows), tuple(messages))


def cancel_pending(
    learner_id: str, learner: Learner, policy: Policy, now: int, reason_of: Callable[[Sending], Refusal]
) -> DecisionResult:
    """Cancel each pending nudge of a learner for which ``reason_of`` returns a reason."""
    refused = [
        (sending, reason) for sending in learner.pending(now) if (reason := reason_of(sending)) is not None
    ]
    for sending, _ in refused:
        learner = learner.without(sending.message_id)
    return DecisionResult(
        learner,
        tuple(cancelled_nudge_row(learner_id, sending, policy, now, reason) for sending, reason in refused),
        tuple(cancel_message(learner_id, sending, now, reason) for sending, reason in refused),
    )
