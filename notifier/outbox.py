"""What the notifier says: feedback of its own doing, and dead letters. Built here, sent by a publisher."""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Protocol

from pydantic import TypeAdapter

from notifier.errors import NotifierError
from notifier.links import Said
from schemas.dead_letter import DeadLetter, DeadLetterReason
from schemas.learner import FeedbackKind, NudgeFeedback
from schemas.nudge import Nudge
from schemas.topics import DEAD_LETTERS, FEEDBACK, NUDGES

MAX_PAYLOAD = 4096
"""Characters of a record that a dead letter keeps."""
MAX_DETAIL = 500
"""And of what is said of it, where the record's own names may be in it."""
MAX_ID = 128

_feedback: TypeAdapter[NudgeFeedback] = TypeAdapter(NudgeFeedback)


class Publisher(Protocol):
    """What is needed of a producer. ``flush`` raises where something sent did not arrive."""

    def send(self, topic: str, value: bytes | None, key: bytes | str | None = None) -> None: ...

    async def flush(self) -> None: ...


class Outbox:
    """Feedback and dead letters, to the topics below ``prefix``."""

    def __init__(self, publisher: Publisher, prefix: str) -> None:
        self._publisher = publisher
        self._prefix = prefix

    def delivered(self, nudge: Nudge) -> None:
        """The provider took it. Said again for the same nudge, it is the same event."""
        said = _message(nudge.learner, nudge.nudge_id, "delivered", f"{nudge.nudge_id}:delivered")
        self._say(said | NudgeFeedback(channel=nudge.channel))  # type: ignore[typeddict-item]

    def undelivered(self, nudge: Nudge, reason: str) -> None:
        """The nudge has its end without anybody knowing that it arrived."""
        said = _message(nudge.learner, nudge.nudge_id, "undelivered", f"{nudge.nudge_id}:undelivered")
        self._say(said | NudgeFeedback(channel=nudge.channel, reason=reason))  # type: ignore[typeddict-item]

    def followed(self, said: Said) -> None:
        """The learner followed a link. Each unsubscription is an event of its own: between two of them the
        learner may have subscribed again."""
        identity = f"{said['nudge_id']}:{said['kind']}"
        if said["kind"] == "unsubscribed":
            identity += f":{int(datetime.now(UTC).timestamp())}"
        message = _message(said["learner"], said["nudge_id"], said["kind"], identity)
        self._say(message | NudgeFeedback(channel=said["channel"]))  # type: ignore[typeddict-item]

    def dead_letter(
        self, partition: int, offset: int, value: bytes, reason: DeadLetterReason, detail: str
    ) -> None:
        """A nudge that will not be sent, with its reason."""
        topic = self._prefix + NUDGES.name
        letter = DeadLetter(
            dead_letter_id=f"{topic}:{partition}:{offset}",
            topic=topic,
            partition=partition,
            offset=offset,
            reason=reason,
            detail=detail[:MAX_DETAIL],
            payload=value.decode("utf-8", errors="replace")[:MAX_PAYLOAD],
            received_at=datetime.now(UTC),
        )
        self._send(DEAD_LETTERS.name, letter.model_dump_json().encode(), f"{topic}:{partition}")

    async def flush(self) -> None:
        """Wait until everything said has arrived. Raises ``NotifierError`` where something did not."""
        try:
            await self._publisher.flush()
        except Exception as error:
            raise NotifierError(str(error)) from error

    def _say(self, message: NudgeFeedback) -> None:
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
    """As long as an id may be: a nudge's own may be that long, and what is said of it has more to it."""
    return identity if len(identity) <= MAX_ID else blake2b(identity.encode(), digest_size=16).hexdigest()
