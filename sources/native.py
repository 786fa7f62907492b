"""The native source: one JSON message of the events topic a line, from a file or standard input.

Every line is validated against the contract before it is published, and the first invalid one stops the
source: whoever owns a file can correct it. (What arrives over Kafka is validated by the worker, which
turns invalid records into dead letters and goes on.)
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.errors import HomeroomError
from schemas.inbound import COURSE_FACT_TYPES, event_adapter
from sources.line_files import MAX_LINE, LineFile
from sources.stream import SourceMessage, with_ticks

BROADCAST = COURSE_FACT_TYPES | {"tick"}
QUOTED = 80
"""Characters of an invalid value that an error quotes."""


class NativeError(HomeroomError, ValueError):
    """A line breaks the contract; the message names line, field, value and what was expected."""


def read(path: Path | str, ticks: bool = False) -> Iterator[SourceMessage]:
    """Messages of the JSON lines file at `path`; ``-`` is standard input, ``.gz`` is decompressed.

    With `ticks`, clock ticks are added, and the file must be in event-time order. The file is opened and
    its first bytes are read by this call, not by the first iteration.

    Raises:
        LineFileError: the file cannot be read to its end.
        NativeError: a line breaks the contract (or, with `ticks`, the order).
    """
    file = LineFile(path)
    messages = parse(_numbered(file), file.name)
    return _add_ticks(messages, str(path)) if ticks else messages


def parse(lines: Iterable[bytes], name: str = "input") -> Iterator[SourceMessage]:
    """Messages of `lines`; empty lines are skipped, errors name the line as ``name:number``."""
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text:
            yield _message(text, f"{name}:{number}")


def _numbered(file: LineFile) -> Iterator[bytes]:
    with file:
        for number, line in enumerate(file.lines(), 1):
            if len(line) > MAX_LINE:
                raise NativeError(
                    f"{file.name}:{number}: is longer than {MAX_LINE:,} bytes; expected a message a line"
                )
            yield line


def _add_ticks(messages: Iterator[SourceMessage], name: str) -> Iterator[SourceMessage]:
    try:
        yield from with_ticks(messages, "native")
    except HomeroomError:
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
