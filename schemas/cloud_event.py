"""Risk changes and nudges as CloudEvents 1.0.

Source: https://github.com/cloudevents/spec, the core specification, the JSON format and the Kafka binding.
On our own topics they are in binary mode: the value is the message as the contract has it, and the attributes
are headers, which whoever does not know them passes over.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from schemas.nudge import Nudge, NudgeCancelled
from schemas.risk import RiskChange

OutMessage = RiskChange | Nudge | NudgeCancelled
"""What others are told."""

SPEC_VERSION = "1.0"
SOURCE = "https://homeroom.example/"
"""Before the prefix of an installation's topics: a name that nobody else can own (RFC 2606)."""
TYPE_PREFIX = "example.homeroom."
JSON_TYPE = "application/json"
STRUCTURED_TYPE = "application/cloudevents+json; charset=utf-8"

_NO_STRING = re.compile(r"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
"""Characters that a CloudEvents string must not have (core specification, type system)."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """The context attributes of an event. ``source`` and ``id`` together are unique."""

    id: str
    source: str
    type: str
    time: datetime
    subject: str

    @property
    def uuid(self) -> UUID:
        """A name-based UUID (RFC 9562, version 5): the same event has the same."""
        return uuid5(NAMESPACE_URL, f"{self.source}{self.type}/{self.id}")

    def texts(self) -> dict[str, str]:
        """The attributes by name, as text."""
        return {
            "specversion": SPEC_VERSION,
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": timestamp(self.time),
            "subject": self.subject,
        }


def attributes_of(message: OutMessage, prefix: str = "") -> Attributes:
    """The attributes of a message. The subject is the course run: a learner is no public name.

    prefix: of the installation's topics.
    """
    match message:
        case RiskChange():
            name, moment = message.risk_change_id, message.occurred_at
        case Nudge():
            name, moment = message.nudge_id, message.decided_at
        case NudgeCancelled():  # its nudge has the same id, and is another event
            name, moment = f"{message.nudge_id}:cancelled", message.cancelled_at
    return Attributes(
        id=_string(name),
        source=SOURCE + quote(prefix, safe=""),
        type=f"{TYPE_PREFIX}{message.type}.v{message.version}",
        time=moment,
        subject=_string(message.course_run),
    )


def headers_of(message: OutMessage, prefix: str = "") -> list[tuple[str, bytes]]:
    """The record headers of binary mode (Kafka binding, 3.2)."""
    texts = attributes_of(message, prefix).texts()
    return [
        ("content-type", JSON_TYPE.encode()),
        *((f"ce_{name}", text.encode()) for name, text in texts.items()),
    ]


def structured(message: OutMessage, prefix: str = "") -> dict[str, Any]:
    """The event of structured mode (JSON format, 3): the attributes with the message as ``data``."""
    texts: dict[str, Any] = dict(attributes_of(message, prefix).texts())
    return texts | {"datacontenttype": JSON_TYPE, "data": json.loads(message.model_dump_json())}


def timestamp(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC, with milliseconds, as CloudEvents, xAPI and Caliper all take it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _string(text: str) -> str:
    """A text in which characters that may not be in it are percent-encoded."""
    return _NO_STRING.sub(lambda found: quote(found[0], safe=""), text)
