"""Compressed pieces against the driver's own, and against bytes that were harmed."""

from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from clickhouse_driver.compression.lz4 import Compressor
from clickhouse_driver.streams.compressed import CompressedBlockInputStream, CompressedBlockOutputStream
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.compression import BLOCK_BYTES, compress_blocks, read_compressed_block
from sinks.errors import RefusedError
from sinks.native import BytesReader


def reader(data: bytes) -> Any:
    return BytesReader(data)


def as_the_driver_reads(packed: bytes) -> bytes:
    stream = CompressedBlockInputStream(reader(packed), SimpleNamespace())
    return bytes(stream.read_block())


def as_the_driver_writes(data: bytes) -> bytes:
    out = BytesIO()
    stream = CompressedBlockOutputStream(Compressor, 1 << 20, out, SimpleNamespace())
    stream.fout.write(data)
    stream.finalize()
    return out.getvalue()


@settings(max_examples=50)
@given(st.binary(min_size=1, max_size=3_000))
def test_the_drivers_pieces_and_ours_are_the_same_to_either(data: bytes) -> None:
    (packed,) = compress_blocks(data)
    assert as_the_driver_reads(packed) == data
    assert (
        read_compressed_block(reader(packed))
        == read_compressed_block(reader(as_the_driver_writes(data)))
        == data
    )


def test_what_is_long_comes_in_pieces() -> None:
    data = bytes(range(256)) * (BLOCK_BYTES // 100)
    blocks = list(compress_blocks(memoryview(data)))
    assert len(blocks) == -(-len(data) // BLOCK_BYTES)
    assert b"".join(map(as_the_driver_reads, blocks)) == data


@settings(max_examples=50)
@given(st.data())
def test_one_wrong_bit_is_seen(data: st.DataObject) -> None:
    (packed,) = compress_blocks(b"a learner's clicks " * 20)
    bit = data.draw(st.integers(0, len(packed) * 8 - 1))
    harmed = bytearray(packed)
    harmed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((RefusedError, EOFError)):
        read_compressed_block(reader(bytes(harmed)))


def test_another_method_is_named() -> None:
    (packed,) = compress_blocks(b"x")
    with pytest.raises(RefusedError, match=r"0x90 is not supported .* use LZ4") as caught:
        read_compressed_block(reader(packed[:16] + b"\x90" + packed[17:]))
    assert caught.value.code == 89
