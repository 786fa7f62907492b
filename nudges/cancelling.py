"""Cancelling what was planned or proposed: a recovery, a run's end, a wish, or time that has run out."""

from collections.abc import Callable

from nudges.guards import unwelcome
from nudges.judging import Refusal
from nudges.learners import Learner, Sending, heard
from nudges.ledger import Decided, cancellation, cancelled_row, unsent_row
from nudges.policy import Policy
from nudges.quiet_hours import allowed, zone
from schemas.nudge import DecisionReason, Nudge, NudgeCancelled, NudgeDecision


def cancel_unwanted(who: str, learner: Learner, after: Learner, policy: Policy, now: int) -> Decided:
    """Cancel what a learner no longer wants, ``after`` wishes that ``learner`` had not said yet."""
    quiet = policy.quiet_hours if after.zone != learner.zone else None
    where = zone(after.zone, policy.default_timezone)

    def reason_of(planned: Sending) -> Refusal:
        if after.closed(planned.channel):
            return "opted_out"
        if not allowed(planned.at, where, quiet):
            return "quiet_hours"
        return unwelcome(after, planned.at)

    return withdraw(who, after, policy, now, reason_of)


def call_off(
    who: str, course_run: str, learner: Learner, policy: Policy, at: int, reason: DecisionReason
) -> Decided:
    """Take back all that learner ``who`` is still to be sent in a course run, and what is proposed there."""
    before = expire(who, learner, policy, at)
    waiting = {
        name: proposal
        for name, proposal in before.learner.proposals.items()
        if proposal.course_run == course_run
    }
    done = withdraw(
        who, before.learner, policy, at, lambda planned: reason if planned.course_run == course_run else None
    )
    learner, rows = done.learner, [*before.decisions, *done.decisions]
    for name, proposal in sorted(waiting.items()):
        learner = learner.without(name)
        rows.append(unsent_row(who, name, proposal, policy, at, reason))
    return Decided(learner, tuple(rows), (*before.messages, *done.messages))


def expire(who: str, learner: Learner, policy: Policy, now: int) -> Decided:
    """Forget what is too old at ``now`` (epoch seconds), and apply wishes whose time has come.

    A proposal that nobody answered in time has its row, as of that time.
    """
    applied = _apply_due_wishes(who, learner, policy, now)
    learner, rows = applied.learner, [*applied.decisions]
    rows += [
        unsent_row(who, name, proposal, policy, proposal.until, "expired")
        for name, proposal in sorted(learner.unanswered(now).items())
    ]
    return Decided(learner.forget(now), tuple(rows), applied.messages)


def _apply_due_wishes(who: str, learner: Learner, policy: Policy, now: int) -> Decided:
    learner, wishes = learner.come_true(now)
    rows, messages = list[NudgeDecision](), list[Nudge | NudgeCancelled]()
    for wish in wishes:
        done = cancel_unwanted(who, learner, heard(learner, wish), policy, wish["occurred_at"])
        learner, rows, messages = done.learner, [*rows, *done.decisions], [*messages, *done.messages]
    return Decided(learner, tuple(rows), tuple(messages))


def withdraw(
    who: str, learner: Learner, policy: Policy, at: int, reason_of: Callable[[Sending], Refusal]
) -> Decided:
    """Cancel what learner ``who`` is still to be sent after ``at``, where ``reason_of`` gives a reason."""
    cancelled = [
        (sending, reason) for sending in learner.pending(at) if (reason := reason_of(sending)) is not None
    ]
    for sending, _ in cancelled:
        learner = learner.without(sending.name)
    return Decided(
        learner,
        tuple(cancelled_row(who, sending, policy, at, reason) for sending, reason in cancelled),
        tuple(cancellation(who, sending, at, reason) for sending, reason in cancelled),
    )
