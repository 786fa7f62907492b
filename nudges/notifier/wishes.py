"""What learners have said since a nudge was decided: a channel closed, a pause. Pure.

The policy knows a learner's wishes when it decides; a nudge may then wait for hours. So the feedback topic
is followed here too, and the newest wish is asked once more before the message goes.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from schemas.inbound import Feedback
from schemas.learner import Channel

NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Wish:
    """One learner's: the channels that are closed, and until when there shall be quiet."""

    said_at: datetime = NEVER
    closed: frozenset[Channel] = frozenset()
    paused_until: datetime = NEVER


class Wishes:
    """The newest wish of every learner who has had one lately."""

    def __init__(self) -> None:
        self._wishes: dict[str, Wish] = {}

    def take(self, message: Feedback) -> None:
        """Take the next message of the feedback topic. Preferences replace, an unsubscription adds."""
        before = self._wishes.get(message["learner"], Wish())
        at = message["occurred_at"]
        if message["type"] == "preferences":
            if at < before.said_at:
                return
            closed = frozenset(message["opted_out"]) if "opted_out" in message else before.closed
            paused = message.get("paused_until", before.paused_until) or NEVER
            self._wishes[message["learner"]] = Wish(at, closed, paused)
        elif message["kind"] == "unsubscribed":
            channel = message.get("channel") or "email"
            self._wishes[message["learner"]] = replace(before, closed=before.closed | {channel})

    def against(self, learner: str, channel: Channel, now: datetime) -> str | None:
        """Why the learner does not want a message on the channel now; None where nothing is against it."""
        wish = self._wishes.get(learner)
        if wish is None:
            return None
        if channel in wish.closed:
            return "opted_out"
        return "paused" if now < wish.paused_until else None
