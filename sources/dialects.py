"""Writes a term in a dialect: the records that a platform would have sent."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO

import orjson

from sources.formats.adapter import Writer
from sources.stream import SourceMessage


@dataclass(slots=True)
class WrittenTerm:
    """How much was written. unsaid: messages that the dialect has no words for, by type."""

    messages: int = 0
    records: int = 0
    unsaid: dict[str, int] = field(default_factory=dict)


def write_term(
    stream: Iterable[SourceMessage], writer: Writer, out: IO[bytes], rest: IO[bytes] | None = None
) -> WrittenTerm:
    """Write a stream's messages, but ticks, as lines of a dialect; native lines of the others to ``rest``."""
    written = WrittenTerm()
    for message in stream:
        content = orjson.loads(message.value)
        if content["type"] == "tick":
            continue
        records = writer.write(content)
        for record in records:
            out.write(record + b"\n")
        if records:
            written.messages += 1
            written.records += len(records)
            continue
        written.unsaid[content["type"]] = written.unsaid.get(content["type"], 0) + 1
        if rest is not None:
            rest.write(message.value + b"\n")
    return written
