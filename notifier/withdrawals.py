"""What has been said since a nudge was decided that takes it back: cancellations and learners' wishes. Pure.

The policy knows what there is to know when it decides; a nudge may then wait for hours, and another
process delivers it. So the nudge topic is read for cancellations, the feedback topic for wishes, and both
are asked once more before the message goes. What a wish means is said where the policy says it, in
:mod:`nudges.learners` and :mod:`nudges.guards`.
"""

from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from nudges.guards import contact_refusal
from nudges.learners import Learner, is_contact_wish, update_learner
from schemas.inbound import feedback_adapter
from schemas.nudge import DecisionReason, Nudge, NudgeCancelled

AHEAD = timedelta(days=2)
"""How far ahead of the clock a wish may be dated. One of next year would win over all that come before."""


class Withdrawals:
    """What stands against nudges. A record that cannot be read says nothing here."""

    def __init__(self) -> None:
        self._cancelled: dict[str, NudgeCancelled] = {}
        self._learners: dict[str, Learner] = {}

    def take_nudge(self, value: bytes) -> None:
        """Take the next record of the nudge topic."""
        if b"nudge_cancelled" not in value:
            return
        try:
            cancelled = NudgeCancelled.model_validate_json(value)
        except ValidationError:
            return
        self._cancelled[cancelled.nudge_id] = cancelled

    def take_feedback(self, value: bytes) -> None:
        """Take the next record of the feedback topic."""
        try:
            message = feedback_adapter.validate_json(value)
        except ValidationError:
            return
        if is_contact_wish(message) and message["occurred_at"] <= datetime.now(UTC) + AHEAD:
            who = message["learner"]
            self._learners[who] = update_learner(self._learners.get(who, Learner()), message)

    def against(self, nudge: Nudge, now: datetime) -> DecisionReason | None:
        """Why the nudge must not go now; None where nothing stands against it."""
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
        """Forget cancellations from before a moment, of nudges that have long expired."""
        self._cancelled = {name: one for name, one in self._cancelled.items() if one.cancelled_at >= before}
