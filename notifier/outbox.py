"""The notifier's outputs: feedback and dead letters. Built here, sent by a publisher."""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Protocol

from pydantic import TypeAdapter

from notifier.errors import NotifierError
from notifier.links import LinkContent
from schemas.dead_letter import MAX_PAYLOAD_CHARS, DeadLetter, DeadLetterReason
from schemas.fields import MAX_ID
from schemas.learner import FeedbackKind, NudgeFeedback
from schemas.nudge import Nudge
from schemas.topics import DEAD_LETTERS, FEEDBACK, NUDGES

MAX_DETAIL = 500
"""Characters of its description, which may contain names from the record."""

_feedback: TypeAdapter[NudgeFeedback] = TypeAdapter(NudgeFeedback)


class Publisher(Protocol):
    """The interface of a producer. ``flush`` raises where a message did not arrive."""

    def send(self, topic: str, value: bytes | None, key: bytes | str | None = None) -> None: ...

    async def flush(self) -> None: ...


class Outbox:
    """Sends feedback and dead letters to the topics with ``prefix``."""

    def __init__(self, publisher: Publisher, prefix: str) -> None:
        self._publisher = publisher
        self._prefix = prefix

    def send_delivered(self, nudge: Nudge) -> None:
        """Report that the provider accepted the nudge. Sent again, it has the same event id."""
        message = _message(nudge.learner, nudge.nudge_id, "delivered", f"{nudge.nudge_id}:delivered")
        self._send_feedback(message | NudgeFeedback(channel=nudge.channel))  # type: ignore[typeddict-item]

    def send_undelivered(self, nudge: Nudge, reason: str) -> None:
        """Report that the nudge ended without being known to have arrived."""
        message = _message(nudge.learner, nudge.nudge_id, "undelivered", f"{nudge.nudge_id}:undelivered")
        self._send_feedback(message | NudgeFeedback(channel=nudge.channel, reason=reason))  # type: ignore[typeddict-item]

    def send_link_feedback(self, content: LinkContent) -> None:
        """Report that the learner followed a link. Each unsubscription has an event id of its own: between
        two of them the learner may have subscribed again."""
        identity = f"{content['nudge_id']}:{content['kind']}"
        if content["kind"] == "unsubscribed":
            identity += f":{int(datetime.now(UTC).timestamp())}"
        message = _message(content["learner"], content["nudge_id"], content["kind"], identity)
        self._send_feedback(message | NudgeFeedback(channel=content["channel"]))  # type: ignore[typeddict-item]

    def send_dead_letter(
        self, partition: int, offset: int, value: bytes, reason: DeadLetterReason, detail: str
    ) -> None:
        """Send the dead letter of a nudge that will not be sent."""
        topic = self._prefix + NUDGES.name
        letter = DeadLetter(
            dead_letter_id=f"{topic}:{partition}:{offset}",
            topic=topic,
            partition=partition,
            offset=offset,
            reason=reason,
            detail=detail[:MAX_DETAIL],
            payload=value.decode("utf-8", errors="replace")[:MAX_PAYLOAD_CHARS],
            received_at=datetime.now(UTC),
        )
        self._send(DEAD_LETTERS.name, letter.model_dump_json().encode(), f"{topic}:{partition}")

    async def flush(self) -> None:
        """Wait until every message has arrived.

        Raises:
            NotifierError: a message did not arrive.
        """
        try:
            await self._publisher.flush()
        except Exception as error:
            raise NotifierError(str(error)) from error

    def _send_feedback(self, message: NudgeFeedback) -> None:
        self._send(FEEDBACK.name, _feedback.dump_json(message), message["learner"])

    def _send(self, topic: str, value: bytes, key: str) -> None:
        try:
            self._publisher.send(self._prefix + topic, value, key)
        except Exception as error:
            raise NotifierError(f"{self._prefix}{topic} takes nothing: {error}") from error


def _message(learner: str, nudge_id: str, kind: FeedbackKind, identity: str) -> NudgeFeedback:
    return NudgeFeedback(
        type="feedback",
        event_id=_as_id(identity),
        learner=learner,
        nudge_id=nudge_id,
        kind=kind,
        occurred_at=datetime.now(UTC),
        source="notifier",
    )


def _as_id(identity: str) -> str:
    """The identity as an event id: its hash where it is too long, as it is for a nudge with a long id."""
    return identity if len(identity) <= MAX_ID else blake2b(identity.encode(), digest_size=16).hexdigest()
