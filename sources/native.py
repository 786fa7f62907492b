"""The native source: one JSON message of the events topic a line, from a file or standard input.

Every line is validated against the contract before it is published, and the first invalid one stops the
source: whoever owns a file can correct it. (What arrives over Kafka is validated by the worker, which
turns invalid records into dead letters and goes on.)
"""

import codecs
import contextlib
import gzip
import itertools
import sys
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from io import BufferedIOBase
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import HomeroomError
from schemas.inbound import event_adapter
from sources.stream import SourceMessage, with_ticks

BROADCAST = frozenset({"calendar", "tick"})
QUOTED = 80
"""Characters of an invalid value that an error quotes."""

MAX_LINE = 1_048_576
"""Bytes of the longest line: Kafka's default limit of a message, and a bound for a file without line ends."""

_READ_ERRORS = (OSError, EOFError, zlib.error)
"""Raised for a file that is missing or a folder, and for one whose compression is wrong or truncated."""


class NativeError(HomeroomError, ValueError):
    """A file or line cannot be read; the message names line, field, value and what was expected."""


def read(path: Path | str, ticks: bool = False) -> Iterator[SourceMessage]:
    """Messages of the JSON lines file at `path`; ``-`` is standard input, ``.gz`` is decompressed.

    With `ticks`, clock ticks are added, and the file must be in event-time order. The file is opened and
    its first bytes are read by this call, not by the first iteration.

    Raises:
        NativeError: the file cannot be read to its end, or a line breaks the contract (or, with `ticks`,
            the order).
    """
    name = "stdin" if str(path) == "-" else str(path)
    messages = _messages(_open(path), name)
    return _add_ticks(messages, str(path)) if ticks else messages


def parse(lines: Iterable[bytes], name: str = "input") -> Iterator[SourceMessage]:
    """Messages of `lines`; empty lines are skipped, errors name the line as ``name:number``."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text:
            yield _message(text, f"{name}:{number}")


def _open(path: Path | str) -> BufferedIOBase:
    """The file, opened, its first bytes readable."""
    if str(path) == "-":
        return cast(BufferedIOBase, sys.stdin.buffer)
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed by the generator that reads the lines
        unpacked = gzip.GzipFile(fileobj=file) if Path(path).suffix == ".gz" else file
        unpacked.peek(1)
    except (*_READ_ERRORS, ValueError) as error:
        raise NativeError(f"{str(path)!r}: {_file_fault(error)}") from None
    return cast(BufferedIOBase, unpacked)


def _messages(file: BufferedIOBase, name: str) -> Iterator[SourceMessage]:
    with contextlib.nullcontext() if name == "stdin" else file:
        yield from parse(_lines(file, name), name)


def _lines(file: BufferedIOBase, name: str) -> Iterator[bytes]:
    """The file's lines, the first without its byte order mark."""
    for number in itertools.count(1):
        try:
            line = file.readline(MAX_LINE + 1)
        except _READ_ERRORS as error:
            raise NativeError(f"{name}:{number}: {_file_fault(error)}") from None
        if len(line) > MAX_LINE:
            raise NativeError(
                f"{name}:{number}: is longer than {MAX_LINE:,} bytes; expected a message a line"
            )
        if not line:
            return
        yield line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _file_fault(error: Exception) -> str:
    """What is wrong with a file and what was expected, as a phrase."""
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return f"is not packed as its name says, or not to its end ({error}); expected gzip"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}; expected a file of JSON lines"


def _add_ticks(messages: Iterator[SourceMessage], name: str) -> Iterator[SourceMessage]:
    try:
        yield from with_ticks(messages, "native")
    except NativeError:
        raise
    except ValueError as error:
        raise NativeError(f"{name}: {error}, or no ticks") from None


def _message(text: bytes, where: str) -> SourceMessage:
    try:
        # TypedDict validation returns a plain dict, whose type in the union only its tag shows.
        message: dict[str, Any] = cast(dict[str, Any], event_adapter.validate_json(text))
    except ValidationError as error:
        raise NativeError(f"{where}: {_reason(error.errors(include_url=False)[0])}") from None
    occurred_at: datetime = message["occurred_at"]
    everybody = message["type"] in BROADCAST
    key = None if everybody else cast(str, message["learner"])
    return SourceMessage(key, text, everybody, int(occurred_at.timestamp()))


def _reason(error: ErrorDetails) -> str:
    # In a tagged union the first part of an error's location is the tag.
    field = ".".join(str(part) for part in error["loc"][1:]) or "message"
    if error["type"] == "missing":
        return f"{field}: missing, expected it to be there"
    value = repr(error["input"])
    quoted = value if len(value) <= QUOTED else value[:QUOTED] + "…"
    return f"{field}: {quoted}, expected: {error['msg']}"
