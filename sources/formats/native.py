"""The native format: the project's own messages as JSON lines.

It judges nothing: whatever a line holds is a record, and whether that is a message of the contract is for the
worker's own decoder to say. (:mod:`sources.native` reads files to be published, and stops at the first
invalid line.)
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from pydantic_core import from_json

from schemas.inbound import FEEDBACK_CLASSES
from schemas.topics import EVENTS, FEEDBACK
from sources.formats.records import OnRead, SourceRecord
from sources.formats.translation import Names
from sources.line_files import LineFile


class NativeFormat:
    """The project's own messages as JSON lines, bare or with their record's key and timestamp.

    A bare line is a message, and its key is the learner that it names, as a publisher must set it. A line
    with a ``value`` and at most ``key`` and ``timestamp`` beside it is a whole record: the value is an object
    or a text that holds one, the key a text, the timestamp epoch milliseconds. No message of the contract
    looks like that. Empty lines are skipped.
    """

    description = "JSON lines of the contract, or {key, timestamp, value}"
    takes_folders = False

    def records(
        self,
        path: Path | str,
        on_read: OnRead = lambda _: None,
        names: Names | None = None,  # noqa: ARG002 - messages are nobody's events but ours
    ) -> Iterator[SourceRecord]:
        """See :class:`sources.formats.EventFormat`."""
        with LineFile(path) as file:
            for number, line in enumerate(file.lines(), 1):
                if number % _LINES_A_CALL == 0:
                    on_read(file.bytes_read)
                if text := line.strip():
                    yield self.record(text, number)

    @staticmethod
    def record(text: bytes, line: int) -> SourceRecord:
        """The record of a line."""
        if b'"value"' in text and (whole := _whole_record(text, line)) is not None:
            return whole
        head = _head(text)
        return SourceRecord(_key(head), text, None, line, _topic(head))


_LINES_A_CALL = 2_000


class _Head(msgspec.Struct, gc=False):
    """What a message says about its record."""

    learner: Any = None
    type: Any = None
    platform: Any = None


class _Wrapped(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A line that holds a whole record."""

    value: msgspec.Raw
    key: str | None = None
    timestamp: int | None = None


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_wrapped = msgspec.json.Decoder(_Wrapped).decode
_decode_text = msgspec.json.Decoder(str).decode
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
_INT64 = 2**63


def _whole_record(text: bytes, line: int) -> SourceRecord | None:
    """The record that a line holds with its key; None where the line is something else."""
    try:
        wrapped = _decode_wrapped(text)
        value = _unwrapped(bytes(wrapped.value))
    except _UNREADABLE:
        return None
    if wrapped.timestamp is not None and not -_INT64 <= wrapped.timestamp < _INT64:
        return None
    key = None if wrapped.key is None else wrapped.key.encode()
    return SourceRecord(key, value, wrapped.timestamp, line, _topic(_head(value or b"")))


def _unwrapped(value: bytes) -> bytes | None:
    if value == b"null":
        return None
    return _decode_text(value).encode() if value.startswith(b'"') else value


def _head(value: bytes) -> _Head:
    try:
        return _decode_head(value)
    except _UNREADABLE:
        pass
    try:
        message = from_json(value)  # the contract's own parser takes more, such as NaN
    except ValueError:
        return _Head()
    if not isinstance(message, dict):
        return _Head()
    return _Head(message.get("learner"), message.get("type"), message.get("platform"))


def _key(head: _Head) -> bytes | None:
    """The key of a message: its learner, after the platform where it names one."""
    if not isinstance(head.learner, str):
        return None
    has_platform = isinstance(head.platform, str) and _topic(head) == EVENTS.name
    platform = f"{head.platform}:" if has_platform else ""
    return f"{platform}{head.learner}".encode()


def _topic(head: _Head) -> str:
    """The topic that a message belongs to: what is no feedback is an event, or meant to be one."""
    is_feedback = isinstance(head.type, str) and head.type in FEEDBACK_CLASSES
    return FEEDBACK.name if is_feedback else EVENTS.name
