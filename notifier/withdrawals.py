"""Cancellations and learners' wishes that withdraw a nudge after its decision. Pure.

The policy decides with what is known then; a nudge may wait for hours afterwards, and another process
delivers it. So the nudge topic is read for cancellations, the feedback topic for wishes, and both are checked
before the message is sent. The meaning of a wish is the policy's: :mod:`nudges.learners` and
:mod:`nudges.guards`.
"""

from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from nudges.guards import contact_refusal
from nudges.learners import Learner, is_contact_wish, update_learner
from schemas.inbound import feedback_adapter
from schemas.nudge import DecisionReason, Nudge, NudgeCancelled

MAX_AHEAD = timedelta(days=2)
"""How far ahead of the clock a wish may be dated. One of next year would override all earlier ones."""


class Withdrawals:
    """The cancellations and wishes so far. Records that cannot be decoded are ignored."""

    def __init__(self) -> None:
        self._cancelled: dict[str, NudgeCancelled] = {}
        self._learners: dict[str, Learner] = {}

    def apply_nudge_record(self, value: bytes) -> None:
        """Apply the next record of the nudge topic."""
        if b"nudge_cancelled" not in value:
            return
        try:
            cancelled = NudgeCancelled.model_validate_json(value)
        except ValidationError:
            return
        self._cancelled[cancelled.nudge_id] = cancelled

    def apply_feedback_record(self, value: bytes) -> None:
        """Apply the next record of the feedback topic."""
        try:
            message = feedback_adapter.validate_json(value)
        except ValidationError:
            return
        if is_contact_wish(message) and message["occurred_at"] <= datetime.now(UTC) + MAX_AHEAD:
            learner_id = message["learner"]
            self._learners[learner_id] = update_learner(self._learners.get(learner_id, Learner()), message)

    def reason_against(self, nudge: Nudge, now: datetime) -> DecisionReason | None:
        """Why the nudge must not be sent now; None where it may."""
        cancelled = self._cancelled.get(nudge.nudge_id)
        if cancelled is not None:
            return cancelled.reason
        learner = self._learners.get(nudge.learner)
        if learner is None:
            return None
        if learner.closed(nudge.channel):
            return "opted_out"
        return contact_refusal(learner, int(now.timestamp()))

    def forget(self, before: datetime) -> None:
        """Drop cancellations from before a time, whose nudges have long expired."""
        self._cancelled = {
            nudge_id: cancelled
            for nudge_id, cancelled in self._cancelled.items()
            if cancelled.cancelled_at >= before
        }
