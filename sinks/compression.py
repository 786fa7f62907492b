"""Compressed blocks of the native protocol, as clients with compression send and expect them.

A compressed block is a CityHash128 (of ClickHouse's own, older version) over all that follows it, a byte for
the method, the size of the header (nine bytes) and the compressed data, the size before compression, and the
compressed data. Written are LZ4 blocks of at most a mebibyte of data, as a server does; read is LZ4 as well.
Pure.

Source: https://clickhouse.com/docs/en/native-protocol/compression
"""

import struct
from collections.abc import Iterator
from typing import Protocol

from clickhouse_cityhash.cityhash import CityHash128
from lz4 import block as lz4

from sinks.errors import RefusedError

LZ4 = 0x82
BLOCK_BYTES = 1 << 20
MAX_BLOCK_BYTES = 1 << 28
"""The largest size that a header may announce: clients send blocks of one mebibyte, or ten."""

_CHECKSUM, _HEADER = struct.Struct("<QQ"), struct.Struct("<BII")
_HALF = (1 << 64) - 1


class Reader(Protocol):
    """What compressed blocks are read from: the driver's buffered readers."""

    def read(self, size: int) -> bytes: ...


def compress_blocks(data: bytes | memoryview) -> Iterator[bytes]:
    """The data as compressed blocks, of at most :data:`BLOCK_BYTES` of data each."""
    for start in range(0, len(data), BLOCK_BYTES):
        block = bytes(data[start : start + BLOCK_BYTES])
        packed = lz4.compress(block, store_size=False)
        body = _HEADER.pack(LZ4, _HEADER.size + len(packed), len(block)) + packed
        yield _CHECKSUM.pack(*_checksum(body)) + body


def read_compressed_block(source: Reader) -> bytes:
    """The data of the next compressed block.

    Raises:
        RefusedError: it has another method (89), invalid sizes (271), or a wrong checksum (40).
    """
    expected = _CHECKSUM.unpack(source.read(_CHECKSUM.size))
    header = source.read(_HEADER.size)
    method, size, plain = _HEADER.unpack(header)
    if method != LZ4:
        raise RefusedError(89, f"compression {method:#x} is not supported by the embedded store: use LZ4")
    if not _HEADER.size < size <= MAX_BLOCK_BYTES or plain > MAX_BLOCK_BYTES:
        raise RefusedError(
            271, f"a compressed block of {size} bytes, {plain} of data: expected at most {MAX_BLOCK_BYTES}"
        )
    packed = source.read(size - _HEADER.size)
    if _checksum(header + packed) != expected:
        raise RefusedError(40, "Checksum doesn't match: the data were changed on their way")
    try:
        return lz4.decompress(packed, uncompressed_size=plain)  # type: ignore[no-any-return]
    except lz4.LZ4BlockError as error:
        raise RefusedError(271, f"Cannot decompress: {error}") from error


def _checksum(data: bytes) -> tuple[int, int]:
    """The checksum as a block begins with it: the high half first."""
    digest = CityHash128(data)
    return digest >> 64, digest & _HALF
