"""Blocks of the native protocol as clients with compression send and expect them: pieces with a checksum.

A piece is a CityHash128 (of ClickHouse's own, older version) over what follows, a byte for the method, the
size of what follows with this header of nine bytes, the size before compression, and the data. Written are
LZ4 pieces of at most a mebibyte, as a server does; read is LZ4 as well. Pure.
"""

import struct
from collections.abc import Iterator
from typing import Protocol

from clickhouse_cityhash.cityhash import CityHash128
from lz4 import block as lz4

from sinks.errors import RefusedError

LZ4 = 0x82
PIECE = 1 << 20
LARGEST = 1 << 28
"""Bytes of a piece that are believed: clients' own are of a mebibyte, or ten."""

_SUM, _HEADER = struct.Struct("<QQ"), struct.Struct("<BII")
_HALF = (1 << 64) - 1


class Reader(Protocol):
    """What pieces are read from: the driver's buffered readers."""

    def read(self, size: int) -> bytes: ...


def pieces(data: bytes | memoryview) -> Iterator[bytes]:
    """The data, packed."""
    for start in range(0, len(data), PIECE):
        part = bytes(data[start : start + PIECE])
        packed = lz4.compress(part, store_size=False)
        said = _HEADER.pack(LZ4, _HEADER.size + len(packed), len(part)) + packed
        yield _SUM.pack(*_halves(said)) + said


def read_piece(source: Reader) -> bytes:
    """The data of the next piece.

    Raises:
        RefusedError: it is of another method (89), of impossible sizes (271), or its checksum is wrong (40).
    """
    expected = _SUM.unpack(source.read(_SUM.size))
    header = source.read(_HEADER.size)
    method, size, plain = _HEADER.unpack(header)
    if method != LZ4:
        raise RefusedError(89, f"compression {method:#x} is not supported by the embedded store: use LZ4")
    if not _HEADER.size < size <= LARGEST or plain > LARGEST:
        raise RefusedError(271, f"a piece of {size} bytes, {plain} when unpacked: expected at most {LARGEST}")
    packed = source.read(size - _HEADER.size)
    if _halves(header + packed) != expected:
        raise RefusedError(40, "Checksum doesn't match: the data were changed on their way")
    try:
        return lz4.decompress(packed, uncompressed_size=plain)  # type: ignore[no-any-return]
    except lz4.LZ4BlockError as error:
        raise RefusedError(271, f"Cannot decompress: {error}") from error


def _halves(data: bytes) -> tuple[int, int]:
    """The checksum as it stands in a piece: its high half first."""
    found = CityHash128(data)
    return found >> 64, found & _HALF
