"""The native source: one JSON message of the events topic a line, from a file or standard input.

Every line is checked against the contract before it is published, and the first bad one stops the
source: a file is something that its owner can mend. (What arrives over Kafka is judged by the
worker, which keeps bad records as dead letters and runs on.)
"""

import gzip
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.inbound import event_adapter
from sources.stream import Published, with_ticks

BROADCAST = frozenset({"calendar", "tick"})
SHOWN = 80
"""Characters of a bad value that an error quotes."""


class NativeError(ValueError):
    """A line that is not a message: says which line and field, the value, and what was expected."""


def read(path: Path | str, ticks: bool = False) -> Iterator[Published]:
    """Messages of the JSON lines file at `path`; ``-`` is standard input, ``.gz`` is unpacked.

    With `ticks`, the file must be in order of time, and clock ticks are added.

    :raises NativeError: on the first line that breaks the contract, or the order where `ticks`
    :raises FileNotFoundError: there is no such file
    """
    messages = _read(path)
    return _ticked(messages, str(path)) if ticks else messages


def parse(lines: Iterable[bytes], name: str = "input") -> Iterator[Published]:
    """Messages of `lines`; empty lines are passed over, errors name the line as ``name:number``."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text:
            yield _published(text, f"{name}:{number}")


def _read(path: Path | str) -> Iterator[Published]:
    if str(path) == "-":
        yield from parse(sys.stdin.buffer, "stdin")
        return
    with _opened(Path(path)) as lines:
        yield from parse(lines, str(path))


def _opened(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


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
