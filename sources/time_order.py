"""Puts messages of any number into the order of event time, in bounded memory: an external merge sort."""

import heapq
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from sources.stream import SourceMessage

MAX_HELD = 400_000
"""Messages held in memory at a time, some 200 MB; more are written to files of so many, which are merged."""

_LENGTH_BYTES = 4
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SourceMessage).decode


def in_time_order(
    messages: Iterable[SourceMessage], folder: Path | None = None, held: int = MAX_HELD
) -> Iterator[SourceMessage]:
    """The messages by ``occurred_at``; those of one second in the order in which they came.

    folder: for the temporary files, which are deleted at the end; None for the system's.
    """
    with TemporaryDirectory(prefix="homeroom-sort-", dir=folder) as name:
        files: list[Path] = []
        chunk: list[SourceMessage] = []
        for message in messages:
            chunk.append(message)
            if len(chunk) >= held:
                files.append(_write(chunk, Path(name) / str(len(files))))
                chunk = []
        chunk.sort(key=_time)
        yield from heapq.merge(*map(_read, files), chunk, key=_time)


def _time(message: SourceMessage) -> int:
    return message.occurred_at


def _write(chunk: list[SourceMessage], file: Path) -> Path:
    chunk.sort(key=_time)
    with file.open("wb") as out:
        for message in chunk:
            encoded = _encode(message)
            out.write(len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded)
    return file


def _read(file: Path) -> Iterator[SourceMessage]:
    with file.open("rb") as lines:
        while length := lines.read(_LENGTH_BYTES):
            yield _decode(lines.read(int.from_bytes(length, "big")))
