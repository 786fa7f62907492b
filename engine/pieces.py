"""A value of any size as records that every broker takes: cut into pieces, and put together again. Pure.

What grows with an installation (a day's report, its package, a partition's counts, the event ids since the
last checkpoint) fits into one record until one day it does not, and then a worker dies at every start. So a
value above ``PIECE_BYTES`` goes out as pieces. Each says of which value it is a piece, by the value's digest,
and which; a value counts when all of its pieces are there, in whatever order and however often they came.

- **State rows** (:class:`LargeRows`) lie under their key and, from the second piece on, under keys made of
  it. A row is complete or not by the checkpoint's mark, like all others of its checkpoint.
- **Messages** (:func:`records_of`, :class:`Gathering`) are compressed first. Those that fit into one record
  stay the JSON that they are, so a small installation's topics can be read as ever.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from schemas.errors import HomeroomError

PIECE_BYTES = 256 * 1024
"""The most of a value in one record. It may be lowered: what was cut before can be read. Not raised."""

RECORD_BYTES = PIECE_BYTES + 64 * 1024
"""The most that a broker must take in one record of ours, or in one batch of them. What is not cut is
smaller: it is made of one record of an input, of 64 kB at most, or of fields with a longest length."""

_MAGIC = b"\x00piece1\x00"
_HEAD = struct.Struct("<8s16sII")
_DIGEST = 16

Row = tuple[bytes, bytes | None]
"""A key of the state topic and its value; None deletes."""

_PIECE = b"p"


class IncompleteError(HomeroomError, ValueError):
    """Pieces of a value are missing, or are not of it."""


class Piece(NamedTuple):
    """A piece of the value with a digest: the ``part``-th of ``parts``, from 0."""

    digest: bytes
    part: int
    parts: int
    content: bytes


def cut(value: bytes, most: int = PIECE_BYTES) -> list[bytes]:
    """A value's pieces as records of at most ``most`` bytes and a head."""
    contents = [value[at : at + most] for at in range(0, len(value), most)] or [b""]
    digest = _digest(value)
    return [
        _HEAD.pack(_MAGIC, digest, part, len(contents)) + content for part, content in enumerate(contents)
    ]


def piece_of(record: bytes) -> Piece | None:
    """The piece that a record is; None where it is none. No JSON begins like one."""
    if not record.startswith(_MAGIC) or len(record) < _HEAD.size:
        return None
    _, digest, part, parts = _HEAD.unpack_from(record)
    return Piece(digest, part, parts, record[_HEAD.size :]) if part < parts else None


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=_DIGEST).digest()


# -- rows of the state topic ------------------------------------------------------------------------------


class LargeRows:
    """Cuts rows that are too large, and remembers into how many pieces, so that a row that shrinks or goes
    leaves none behind.
    """

    def __init__(self, most: int = PIECE_BYTES) -> None:
        self._most = most
        self._parts: dict[bytes, int] = {}

    def cut(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows as they are to be written, in their order, all of them below ``RECORD_BYTES``."""
        for key, value in rows:
            records: list[bytes | None] = [value]
            if value is not None and len(value) > self._most:
                records = [*cut(value, self._most)]
            yield key, records[0]
            for part, record in enumerate(records[1:], 1):
                yield _piece_key(key, part), record
            for part in range(len(records), self._parts.pop(key, 1)):
                yield _piece_key(key, part), None
            if len(records) > 1:
                self._parts[key] = len(records)

    def join(self, rows: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        """The rows that were cut, by their keys. Raises ``IncompleteError`` where pieces are missing."""
        found = {}
        for key, value in rows.items():
            if key.startswith(_PIECE + b"|"):
                continue
            # A row's own bytes may be anything, an enrolment's counts among them; but those are few.
            first = piece_of(value) if len(value) > self._most else None
            found[key] = value if first is None else self._joined(key, first, rows)
        return found

    def _joined(self, key: bytes, first: Piece, rows: Mapping[bytes, bytes]) -> bytes:
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


def packed(message: bytes) -> bytes:
    """A message as it is kept: JSON where it is small, compressed JSON where it is large."""
    return message if len(message) <= PIECE_BYTES else zlib.compress(message, 1)


def unpacked(kept: bytes) -> bytes:
    """The JSON of a message as it is kept. Raises ``IncompleteError`` where it is none."""
    if kept[:1] == b"{":
        return kept
    try:
        return zlib.decompress(kept)
    except zlib.error as error:
        raise IncompleteError(f"neither JSON nor a compressed message: {error}") from None


def records_of(kept: bytes, key: str, cut_key: str | None = None) -> list[tuple[str, bytes]]:
    """A packed message as records with their keys: itself, or its pieces under keys of their own.

    Keys of pieces begin with ``cut_key``, where that is another one. On a compacted topic the pieces of one
    form of a message never replace those of another: one that a crash cut off leaves the earlier one whole.
    """
    if kept[:1] == b"{":
        return [(key, kept)]
    form = _digest(kept).hex()[:12]
    return [(f"{cut_key or key}/{form}/{part}", record) for part, record in enumerate(cut(kept))]


class Whole(NamedTuple):
    """A message of which all pieces came. ``place``: that of its last piece."""

    kept: bytes
    place: int


@dataclass(slots=True)
class _Open:
    day: int
    contents: dict[int, bytes] = field(default_factory=dict)
    last: int = -1


class Gathering:
    """Messages whose pieces are coming, those of several at a time."""

    def __init__(self) -> None:
        self._open: dict[bytes, _Open] = {}

    def take(self, piece: Piece, day: int, place: int) -> Whole | None:
        """The next piece, of a message of ``day``, at a place in its topic; the message once it is whole.

        Of two forms of a message that one holds whose last piece came last: so it is whatever was compacted.
        """
        found = self._open.setdefault(piece.digest, _Open(day))
        found.contents[piece.part] = piece.content
        if piece.part == piece.parts - 1:
            found.last = place
        if len(found.contents) < piece.parts:
            return None
        del self._open[piece.digest]
        kept = b"".join(found.contents[part] for part in range(piece.parts))
        return Whole(kept, found.last) if _digest(kept) == piece.digest else None

    def forget(self, before: int) -> None:
        """Messages of days before this one are waited for no longer."""
        self._open = {digest: one for digest, one in self._open.items() if one.day >= before}

    def __len__(self) -> int:
        return len(self._open)
