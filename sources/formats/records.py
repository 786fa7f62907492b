"""Records of a source's topic or file: as they were read, and as they would lie in our own topics."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from schemas.dead_letter import DeadLetterReason
from schemas.topics import EVENTS

OnRead = Callable[[int], None]
"""Called now and then with the bytes of the file that were read so far."""

NO_HEADERS: Mapping[str, bytes] = MappingProxyType({})


class RawRecord(NamedTuple):
    """A record of a platform's topic, or a line of its file, before it is translated."""

    value: bytes | None
    key: bytes | None = None
    headers: Mapping[str, bytes] = NO_HEADERS
    """The record's headers; names in lower case. Of a name that is there twice the last value."""
    timestamp: int | None = None
    """Epoch milliseconds, as the broker or the producer set it; None where the file does not say."""


class Refused(NamedTuple):
    """A record, or a part of one, that cannot be translated: as its dead letter will say."""

    reason: DeadLetterReason
    field: str
    """Path of the field at fault; empty where the whole record is."""
    detail: str
    """The value found and what was expected."""


class SourceRecord(NamedTuple):
    """A record as a platform has published it, or would."""

    key: bytes | None
    """None where the record has no key. Where the file holds no keys: the one that its publisher must set."""
    value: bytes | None
    timestamp: int | None
    """Epoch milliseconds, as the broker or the producer set it; None where the file does not say."""
    line: int
    """Of the file, from 1 on."""
    topic: str = EVENTS.name
    refused: Refused | None = None
    """Why a record of another format cannot be translated; ``value`` is then the record itself."""
