"""The contract itself as a dialect: for topics of our own messages that have another key than the learner."""

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from sources.formats.adapter import Adapter, Writer
from sources.formats.fields import parse_object
from sources.formats.records import RawRecord
from sources.formats.translation import InvalidFieldError, Translation


class NativeAdapter(Adapter):
    """Messages of the contract, whatever their key. They are validated by the worker, not here."""

    name: ClassVar[str] = "native"
    description: ClassVar[str] = "JSON lines of the contract, or {key, timestamp, value}"

    def read(self, record: RawRecord, into: Translation) -> None:
        """Take a message over as it is."""
        message = parse_object(record.value)
        kind = message.get("type")
        if not isinstance(kind, str):
            raise InvalidFieldError("type", kind, "the type of a message of the contract")
        if kind == "tick":
            into.count(kind, "ignored")
            return
        name = message.get("learner", message.get("course_run"))
        if not isinstance(name, str) or not name:
            raise InvalidFieldError("learner", name, "a learner, or a calendar's course_run")
        into.count(kind, "translated")
        into.messages.append(message)


class NativeWriter(Writer):
    """Writes messages as they are."""

    limits: ClassVar[Mapping[str, str]] = {"tick": "whoever replays a file makes the ticks"}

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        return [] if message["type"] in self.limits else [orjson.dumps(message)]
