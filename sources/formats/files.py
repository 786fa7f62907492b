"""Files of a platform's records, translated one by one.

A file holds a record a line; or it is one JSON document, an array whose items are records, or an object over
several lines; or CSV with a header, of which each row becomes a JSON object of texts.
"""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import orjson

from schemas.topics import EVENTS
from sources.formats.adapter import Adapter, Framing
from sources.formats.records import OnRead, RawRecord, SourceRecord
from sources.formats.translation import Names, Translation, encoded, key_of
from sources.line_files import LineFile, LineFileError

MAX_DOCUMENT = 256 * 1024 * 1024
"""Bytes of a file that is one JSON document: it is read whole."""

_LINES_A_CALL = 2_000
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class AdapterFormat:
    """Files of a format with an adapter: see :class:`sources.formats.registry.EventFormat`."""

    takes_folders = False

    def __init__(self, description: str, make: Callable[[], Adapter]) -> None:
        """make: a new adapter for each file."""
        self.description = description
        self._make = make

    def records(
        self, path: Path | str, on_read: OnRead = lambda _: None, names: Names | None = None
    ) -> Iterator[SourceRecord]:
        """The translated records of a file, and those that cannot be translated."""
        adapter = self._make()
        if adapter.foresees and str(path) != "-":
            for _, value in raw_values(path, adapter.framing):
                adapter.foresee(RawRecord(value))
        translation = Translation()
        if names is not None:
            translation.names = names
        for line, value in raw_values(path, adapter.framing, on_read):
            adapter.translate(RawRecord(value), translation)
            yield from take(translation, value, line)


def take(translation: Translation, value: bytes, line: int) -> Iterator[SourceRecord]:
    """The records that a translation holds, which is emptied of them. value: what was translated."""
    for message in translation.messages:
        key, content = key_of(message), encoded(message)
        if isinstance(content, bytes):
            yield SourceRecord(None if key is None else key.encode(errors="replace"), content, None, line)
        else:
            translation.refused.append(content)
    for refused in translation.refused:
        yield SourceRecord(None, value, None, line, EVENTS.name, refused)
    translation.messages.clear()
    translation.refused.clear()


def raw_values(
    path: Path | str, framing: Framing = "lines", on_read: OnRead = lambda _: None
) -> Iterator[tuple[int, bytes]]:
    """The records of a file with their line, from 1 on; ``-`` is standard input. Empty lines are skipped.

    Raises:
        LineFileError: the file cannot be read to its end.
    """
    with LineFile(path) as file:
        if framing == "csv":
            yield from _csv_rows(_counted(file, on_read))
        elif file.starts_with(b"["):
            yield from enumerate(_items(file.document(MAX_DOCUMENT)), 1)
        elif file.starts_with(b"{\n") or file.starts_with(b"{\r\n"):
            yield 1, file.document(MAX_DOCUMENT)
        else:
            for number, line in _counted(file, on_read):
                if not line.isspace():  # tabs at its ends are empty columns of a tab-separated record
                    yield number, line.strip(b" \r\n")


def _counted(file: LineFile, on_read: OnRead) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(file.lines(), 1):
        if number % _LINES_A_CALL == 0:
            on_read(file.bytes_read)
        yield number, line


def _items(document: bytes) -> list[bytes]:
    """The items of a JSON array; its lines, where it is none."""
    try:
        return [bytes(item) for item in _decode_items(document)]
    except (msgspec.DecodeError, RecursionError):
        return [line for line in document.splitlines() if line.strip()]


def _csv_rows(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Each row as a JSON object of texts, by the header's names."""
    numbers = [0]

    def texts() -> Iterator[str]:
        for number, line in lines:
            numbers[0] = number
            yield line.decode("utf-8", errors="replace").replace("\x00", "")

    reader = csv.reader(texts())
    try:
        header = next(reader, None)
        for row in reader:
            if row:
                yield numbers[0], orjson.dumps(dict(zip(header or (), row, strict=False)))
    except csv.Error as error:
        raise LineFileError(f"line {numbers[0]}: {error}; expected CSV") from None
