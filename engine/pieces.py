"""Cuts values of any size into records within the broker's limit, and assembles them again. Pure.

What grows with an installation (a day's report, its package, a partition's counts, the event ids since the
last checkpoint) would exceed the record limit one day, and the worker would then fail at every start. So a
value above ``PIECE_BYTES`` is sent in pieces. Each has the digest of the value, its number and the number of
pieces. A value is complete once all of its pieces are there, in any order, duplicates included.

- **State rows** (:class:`LargeRows`): the first piece is under the row's key, the others under keys derived
  from it. Like all rows, they belong to a checkpoint that its mark completes.
- **Messages** (:func:`records_of`, :class:`PieceAssembler`) are compressed first. Those that fit into one
  record remain plain JSON, so that the topics of a small installation are readable.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from schemas.errors import HomeroomError

PIECE_BYTES = 256 * 1024
"""Most bytes of a value in one record. May be lowered, since older pieces stay readable; not raised."""

RECORD_BYTES = PIECE_BYTES + 64 * 1024
"""Most bytes of any record, or batch of records, that a broker must accept. Messages that are not cut are
smaller: they are made of one input record of at most 64 kB, or of fields with a maximum length. A calendar
may be larger, but only state rows are made of it."""

_MAGIC = b"\x00piece1\x00"
_HEAD = struct.Struct("<8s16sII")
_DIGEST = 16

Row = tuple[bytes, bytes | None]
"""A key of the state topic and its value; None deletes."""

_PIECE = b"p"


class IncompleteError(HomeroomError, ValueError):
    """Pieces of a value are missing, or belong to another value."""


class Piece(NamedTuple):
    """A piece of the value with this digest: number ``part`` of ``parts``, from 0."""

    digest: bytes
    part: int
    parts: int
    content: bytes


def cut(value: bytes, size: int = PIECE_BYTES) -> list[bytes]:
    """Cut a value into records of a header and at most ``size`` bytes each."""
    contents = [value[start : start + size] for start in range(0, len(value), size)] or [b""]
    digest = _digest(value)
    return [
        _HEAD.pack(_MAGIC, digest, part, len(contents)) + content for part, content in enumerate(contents)
    ]


def piece_of(record: bytes) -> Piece | None:
    """Decode a record as a piece; None if it is something else. No JSON begins with the magic bytes."""
    if not record.startswith(_MAGIC) or len(record) < _HEAD.size:
        return None
    _, digest, part, parts = _HEAD.unpack_from(record)
    return Piece(digest, part, parts, record[_HEAD.size :]) if part < parts else None


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=_DIGEST).digest()


# -- rows of the state topic ------------------------------------------------------------------------------


class LargeRows:
    """Cuts large rows, and deletes pieces that a shrunk or deleted row no longer has."""

    def __init__(self, size: int = PIECE_BYTES) -> None:
        self._size = size
        self._parts: dict[bytes, int] = {}

    def cut(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows as records below ``RECORD_BYTES``, in their order."""
        for key, value in rows:
            records: list[bytes | None] = [value]
            if value is not None and len(value) > self._size:
                records = [*cut(value, self._size)]
            yield key, records[0]
            for part, record in enumerate(records[1:], 1):
                yield _piece_key(key, part), record
            for part in range(len(records), self._parts.pop(key, 1)):
                yield _piece_key(key, part), None
            if len(records) > 1:
                self._parts[key] = len(records)

    def join(self, rows: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """Assemble rows from the records by key; returns the rows by key.

        Raises:
            IncompleteError: pieces of a row are missing.
        """
        joined = {}
        for key, value in rows.items():
            if key.startswith(_PIECE + b"|"):
                continue
            # Small rows are never pieces: an enrolment's may begin with the magic bytes by chance.
            first = piece_of(value) if len(value) > self._size else None
            joined[key] = value if first is None else self._join_pieces(key, first, rows)
        return joined

    def _join_pieces(self, key: bytes, first: Piece, rows: Mapping[bytes, bytes]) -> bytes:
        contents = [first.content]
        for part in range(1, first.parts):
            piece = piece_of(rows.get(_piece_key(key, part), b""))
            if piece is None or piece[:3] != (first.digest, part, first.parts):
                name = key[:60].decode(errors="replace")
                raise IncompleteError(
                    f"the row {name!r} is in {first.parts} pieces, and piece {part + 1} is not there"
                )
            contents.append(piece.content)
        self._parts[key] = first.parts
        return b"".join(contents)


def _piece_key(key: bytes, part: int) -> bytes:
    return b"%s|%d|%s" % (_PIECE, part, key)


# -- messages ---------------------------------------------------------------------------------------------


def compress(message: bytes) -> bytes:
    """The payload of a message: its JSON if it is small, compressed JSON if it is large."""
    return message if len(message) <= PIECE_BYTES else zlib.compress(message, 1)


def decompress(payload: bytes) -> bytes:
    """The JSON of a payload made by :func:`compress`.

    Raises:
        IncompleteError: the payload is neither JSON nor compressed.
    """
    if payload[:1] == b"{":
        return payload
    try:
        return zlib.decompress(payload)
    except zlib.error as error:
        raise IncompleteError(f"neither JSON nor a compressed message: {error}") from None


def records_of(payload: bytes, key: str, cut_key: str | None = None) -> list[tuple[str, bytes]]:
    """A payload as (key, record) pairs: one record, or its pieces under keys of their own.

    cut_key: prefix of the keys of pieces; ``key`` by default. Keys include the payload's digest, so that on a
    compacted topic the pieces of one version of a message never replace those of another: if a crash
    interrupts sending, the earlier version stays complete.
    """
    if payload[:1] == b"{":
        return [(key, payload)]
    form = _digest(payload).hex()[:12]
    return [(f"{cut_key or key}/{form}/{part}", record) for part, record in enumerate(cut(payload))]


class AssembledMessage(NamedTuple):
    """A complete message. offset: of its last piece, in its topic."""

    payload: bytes
    offset: int


@dataclass(slots=True)
class _PartialMessage:
    day: int
    contents: dict[int, bytes] = field(default_factory=dict)
    last: int = -1


class PieceAssembler:
    """Assembles messages from their pieces; those of several messages may be interleaved."""

    def __init__(self) -> None:
        self._partial: dict[bytes, _PartialMessage] = {}

    def add(self, piece: Piece, day: int, offset: int) -> AssembledMessage | None:
        """Add a piece of a message of ``day``, at an offset; returns the message once it is complete.

        Of two versions of a message, the one with the greater offset is valid, also after compaction.
        """
        partial = self._partial.setdefault(piece.digest, _PartialMessage(day))
        partial.contents[piece.part] = piece.content
        if piece.part == piece.parts - 1:
            partial.last = offset
        if len(partial.contents) < piece.parts:
            return None
        del self._partial[piece.digest]
        payload = b"".join(partial.contents[part] for part in range(piece.parts))
        return AssembledMessage(payload, partial.last) if _digest(payload) == piece.digest else None

    def forget(self, before: int) -> None:
        """Drop incomplete messages of days before this one."""
        self._partial = {
            digest: partial for digest, partial in self._partial.items() if partial.day >= before
        }

    def __len__(self) -> int:
        return len(self._partial)
