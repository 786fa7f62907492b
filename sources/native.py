"""The native source: one JSON message of the events topic a line, from a file or standard input.

Every line is checked against the contract before it is published, and the first bad one stops the
source: a file is something that its owner can mend. (What arrives over Kafka is judged by the
worker, which keeps bad records as dead letters and runs on.)
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
from sources.stream import Published, with_ticks

BROADCAST = frozenset({"calendar", "tick"})
SHOWN = 80
"""Characters of a bad value that an error quotes."""


MAX_LINE = 1_048_576
"""Bytes: no broker takes a larger message as it comes, and no line is read that would not end."""

_BROKEN = (OSError, EOFError, zlib.error)
"""What reading a file raises that is not there, is a folder, or is packed wrongly or not to its end."""


class NativeError(HomeroomError, ValueError):
    """A file or line that cannot be read: says which line and field, the value, and what was expected."""


def read(path: Path | str, ticks: bool = False) -> Iterator[Published]:
    """Messages of the JSON lines file at `path`; ``-`` is standard input, ``.gz`` is unpacked.

    With `ticks`, the file must be in order of time, and clock ticks are added.

    The file is opened, and its first bytes are read, when this is called, not when the first message is.

    :raises NativeError: the file cannot be read, or not to its end; on the first line that breaks the
        contract, or the order where `ticks`
    """
    name = "stdin" if str(path) == "-" else str(path)
    messages = _parsed(_opened(path), name)
    return _ticked(messages, str(path)) if ticks else messages


def parse(lines: Iterable[bytes], name: str = "input") -> Iterator[Published]:
    """Messages of `lines`; empty lines are passed over, errors name the line as ``name:number``."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text:
            yield _published(text, f"{name}:{number}")


def _opened(path: Path | str) -> BufferedIOBase:
    """The file, of which something could be read. Raises ``NativeError``."""
    if str(path) == "-":
        return cast(BufferedIOBase, sys.stdin.buffer)
    try:
        file = open(path, "rb")  # noqa: SIM115 - whoever reads the lines closes it
        found = gzip.GzipFile(fileobj=file) if Path(path).suffix == ".gz" else file
        found.peek(1)
    except (*_BROKEN, ValueError) as error:
        raise NativeError(f"{str(path)!r}: {_words(error)}") from None
    return cast(BufferedIOBase, found)


def _parsed(file: BufferedIOBase, name: str) -> Iterator[Published]:
    with contextlib.nullcontext() if name == "stdin" else file:
        yield from parse(_lines(file, name), name)


def _lines(file: BufferedIOBase, name: str) -> Iterator[bytes]:
    """Lines without a byte order mark before the first. Raises ``NativeError``."""
    for number in itertools.count(1):
        try:
            line = file.readline(MAX_LINE + 1)
        except _BROKEN as error:
            raise NativeError(f"{name}:{number}: {_words(error)}") from None
        if len(line) > MAX_LINE:
            raise NativeError(
                f"{name}:{number}: is longer than {MAX_LINE:,} bytes; expected a message a line"
            )
        if not line:
            return
        yield line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _words(error: Exception) -> str:
    """What is wrong with a file, and what was expected."""
    if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
        return f"is not packed as its name says, or not to its end ({error}); expected gzip"
    return f"cannot be read: {getattr(error, 'strerror', None) or error}; expected a file of JSON lines"


def _ticked(messages: Iterator[Published], name: str) -> Iterator[Published]:
    try:
        yield from with_ticks(messages, "native")
    except NativeError:
        raise
    except ValueError as error:
        raise NativeError(f"{name}: {error}, or no ticks") from None


def _published(text: bytes, where: str) -> Published:
    try:
        # TypedDict validation hands back a plain dict; the union's type is known by its tag only.
        message: dict[str, Any] = cast(dict[str, Any], event_adapter.validate_json(text))
    except ValidationError as error:
        raise NativeError(f"{where}: {_reason(error.errors(include_url=False)[0])}") from None
    occurred_at: datetime = message["occurred_at"]
    everybody = message["type"] in BROADCAST
    key = None if everybody else cast(str, message["learner"])
    return Published(key, text, everybody, int(occurred_at.timestamp()))


def _reason(error: ErrorDetails) -> str:
    # The first part of a place in a tagged union is the tag itself.
    place = ".".join(str(part) for part in error["loc"][1:]) or "message"
    if error["type"] == "missing":
        return f"{place}: missing, expected it to be there"
    value = repr(error["input"])
    cut = value if len(value) <= SHOWN else value[:SHOWN] + "…"
    return f"{place}: {cut}, expected: {error['msg']}"
