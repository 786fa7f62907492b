"""Writes a term in a dialect: the records that a platform would have sent."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import IO

import orjson

from sources.formats.adapter import Writer
from sources.formats.aliases import COLUMNS
from sources.stream import SourceMessage


@dataclass(slots=True)
class WrittenTerm:
    """How much was written. unsaid: messages that the dialect has no words for, by type."""

    messages: int = 0
    records: int = 0
    unsaid: dict[str, int] = field(default_factory=dict)


class _Utf8:
    """A file of texts for :mod:`csv`, over one of bytes that stays its owner's to close."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out

    def write(self, text: str) -> None:
        self._out.write(text.encode())


def _lines(writer: Writer, out: IO[bytes]) -> Callable[[bytes], object]:
    """What writes a record to a file: a line; of a format of CSV a row, after the header."""
    if not writer.columns:
        return lambda record: out.write(record + b"\n")
    rows = csv.DictWriter(_Utf8(out), writer.columns, restval="")
    rows.writeheader()
    return lambda record: rows.writerow(orjson.loads(record))


def write_aliases(writer: Writer, file: IO[bytes]) -> None:
    """Write the alias table that leads from the names of a written term back to its own."""
    table = csv.writer(_Utf8(file))
    table.writerow(COLUMNS)
    for what, names in sorted(writer.aliases.items()):
        table.writerows((what, written, name) for written, name in sorted(names.items()))


def write_term(
    stream: Iterable[SourceMessage], writer: Writer, out: IO[bytes], rest: IO[bytes] | None = None
) -> WrittenTerm:
    """Write a stream's messages, but ticks, as lines of a dialect; native lines of the others to ``rest``."""
    written, lines = WrittenTerm(), _lines(writer, out)
    for message in stream:
        content = orjson.loads(message.value)
        if content["type"] == "tick":
            continue
        records = writer.write(content)
        for record in records:
            lines(record)
        if records:
            written.messages += 1
            written.records += len(records)
            continue
        written.unsaid[content["type"]] = written.unsaid.get(content["type"], 0) + 1
        if rest is not None:
            rest.write(message.value + b"\n")
    return written
