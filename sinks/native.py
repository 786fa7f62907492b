"""The server's side of ClickHouse's native protocol, for :mod:`sinks.gateway`.

Built from clickhouse-driver's own readers, writers and columns, so that client and server cannot
disagree. Revision 54429 is announced: settings travel as strings, columns in their plain form. Not a
general server: LZ4 alone as compression, no external tables, one progress packet a query, at its end.

Source: clickhouse-driver 0.2.11, ``clickhouse_driver/connection.py`` and ``streams/native.py``.
"""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from types import SimpleNamespace

from clickhouse_driver.block import BlockInfo
from clickhouse_driver.bufferedreader import BufferedReader
from clickhouse_driver.bufferedwriter import BufferedSocketWriter
from clickhouse_driver.columns.service import read_column
from clickhouse_driver.context import Context
from clickhouse_driver.protocol import ClientPacketTypes, ServerPacketTypes
from clickhouse_driver.reader import read_binary_str, read_binary_uint8
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_int32, write_binary_str, write_binary_uint8

from sinks.compression import compress_blocks, read_compressed_block
from sinks.errors import RefusedError

REVISION = 54429
"""The newest that sends settings as strings and still has plain columns (custom ones start at 54454)."""

BUFFER = 1 << 20

_CANCEL = bytes([ClientPacketTypes.CANCEL])

Columns = list[tuple[str, str]]
"""Names with their ClickHouse types, in order."""


@dataclass(frozen=True, slots=True)
class Hello:
    """A client's hello: the database and credentials that it sends first."""

    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and its settings."""

    sql: str
    settings: dict[str, str]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a Native stream: its columns, its number of rows, and each column's bytes."""

    columns: Columns
    rows: int
    data: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class InsertBatch:
    """A client's blocks to insert, byte for byte, and the number of their rows."""

    blocks: list[bytes]
    rows: int


class KeepingReader(BufferedReader):  # type: ignore[misc]  # the driver's reader is extended by subclassing
    """A buffered reader that can keep what is read, byte for byte."""

    current_buffer_size: int

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._kept: list[bytes] | None = None
        self._start = 0

    def read_into_buffer(self) -> None:
        """Refill. The driver calls this only when every byte of the buffer has been consumed."""
        if self._kept is not None:
            self._kept.append(bytes(self.buffer[self._start : self.current_buffer_size]))
            self._start = 0
        self.current_buffer_size = self._refill()

    def _refill(self) -> int:
        """Put what comes next into the buffer and say how much it is."""
        raise NotImplementedError

    def keep(self) -> None:
        """From here on, keep what is read."""
        self._kept, self._start = [], self.position

    def kept(self) -> bytes:
        """What has been read since :meth:`keep`; keeping ends."""
        kept, self._kept = self._kept or [], None
        return b"".join(kept) + bytes(self.buffer[self._start : self.position])


class SocketReader(KeepingReader):
    """Reads from a client's socket."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(BUFFER)
        self._socket = connection

    def _refill(self) -> int:
        received = self._socket.recv_into(self.buffer)
        if not received:
            raise EOFError("the client closed the connection")
        return received


class UnpackingReader(KeepingReader):
    """Reads the data of a client's compressed blocks."""

    def __init__(self, source: SocketReader) -> None:
        super().__init__(0)
        self._source = source

    def _refill(self) -> int:
        self.buffer = bytearray(read_compressed_block(self._source))
        return len(self.buffer)


class BytesReader(BufferedReader):  # type: ignore[misc]
    """Reads from bytes in memory; ``position`` is the offset of the next one."""

    def __init__(self, data: bytes) -> None:
        super().__init__(len(data))
        self.buffer[:] = data
        self.current_buffer_size = len(data)

    def read_into_buffer(self) -> None:
        raise EOFError("the stream ends within a block")


WIDTHS = {
    "Bool": 1, "Int8": 1, "UInt8": 1, "Int16": 2, "UInt16": 2, "Date": 2,
    "Int32": 4, "UInt32": 4, "Float32": 4, "Date32": 4, "DateTime": 4,
    "Int64": 8, "UInt64": 8, "Float64": 8, "DateTime64": 8, "UUID": 16,
}  # fmt: skip
"""Bytes a value, by type name. Other types are left to the driver's column readers."""


def _plain_context() -> Context:
    """The context that the driver's column readers need; strings stay bytes, whatever their encoding."""
    context = Context()
    context.server_info = SimpleNamespace(used_revision=0, get_timezone=lambda: "UTC")
    context.settings = {}
    context.client_settings = {"use_numpy": False, "strings_as_bytes": True}
    return context


_CONTEXT = _plain_context()


def _skip_column(kind: str, rows: int, reader: BufferedReader) -> None:
    """Skip a column's values."""
    if not rows:
        return
    if kind.startswith("Nullable("):
        reader.read(rows)
        _skip_column(kind[9:-1], rows, reader)
    elif kind == "String":
        reader.read_strings(rows)
    elif width := WIDTHS.get(kind.partition("(")[0]):
        reader.read(rows * width)
    else:
        read_column(_CONTEXT, kind, rows, reader)


def split_blocks(stream: bytes) -> Iterator[Block]:
    """Split a ``FORMAT Native`` stream (chDB's answer to a query) into its blocks."""
    if not stream:
        return
    reader = BytesReader(stream)
    while reader.position < len(stream):
        width, rows = read_varint(reader), read_varint(reader)
        columns, data = [], []
        for _ in range(width):
            name, kind = read_binary_str(reader), read_binary_str(reader)
            start = reader.position
            _skip_column(kind, rows, reader)
            columns.append((name, kind))
            data.append(stream[start : reader.position])
        yield Block(columns, rows, tuple(data))


def lacks_time_zones(columns: Columns) -> bool:
    """Whether a type may lack its time zone, which FORMAT Native leaves out, unlike the protocol."""
    return any(kind == "DateTime" for _, kind in columns)


_LOW_CARDINALITY = re.compile(r"LowCardinality\(((?:[^()]|\([^()]*\))*)\)")


def plain_type(kind: str) -> str:
    """The type without ``LowCardinality``, which an insert does not need: the engine converts.

    >>> plain_type("Array(LowCardinality(Nullable(String)))")
    'Array(Nullable(String))'
    """
    return _LOW_CARDINALITY.sub(r"\1", kind)


class Wire:
    """One client's connection, packet by packet. Not thread-safe: it belongs to its thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._in = SocketReader(connection)
        self._out = BufferedSocketWriter(connection, BUFFER)
        self._packs = False  # whether blocks are compressed in both directions; each query sets it

    def read_hello(self) -> Hello:
        if (packet := read_varint(self._in)) != ClientPacketTypes.HELLO:
            raise RefusedError(
                101, f"packet {packet} where a client says hello: is this a native protocol client?"
            )
        read_binary_str(self._in)
        for _ in ("major", "minor", "revision"):
            read_varint(self._in)
        return Hello(*(read_binary_str(self._in) for _ in ("database", "user", "password")))

    def send_hello(self, version: tuple[int, int, int], timezone: str) -> None:
        write_varint(ServerPacketTypes.HELLO, self._out)
        write_binary_str("ClickHouse", self._out)
        for number in (version[0], version[1], REVISION):
            write_varint(number, self._out)
        write_binary_str(timezone, self._out)
        write_binary_str("homeroom embedded store (chDB)", self._out)
        write_varint(version[2], self._out)
        self._out.flush()

    def next_query(self) -> Query:
        """Answer pings until a query comes. A cancel between queries has no effect."""
        while (packet := read_varint(self._in)) != ClientPacketTypes.QUERY:
            if packet == ClientPacketTypes.PING:
                write_varint(ServerPacketTypes.PONG, self._out)
                self._out.flush()
            elif packet != ClientPacketTypes.CANCEL:
                raise RefusedError(99, f"packet {ClientPacketTypes.to_str(packet)} is not supported here")
        return self._read_query()

    def _read_query(self) -> Query:
        read_binary_str(self._in)  # query id
        if read_binary_uint8(self._in):
            self._skip_client_info()
        settings = {}
        while name := read_binary_str(self._in):
            read_binary_uint8(self._in)  # flags
            settings[name] = read_binary_str(self._in)
        read_varint(self._in)  # stage
        self._packs = bool(read_varint(self._in))
        return Query(read_binary_str(self._in), settings)

    def _skip_client_info(self) -> None:
        for _ in ("user", "query id", "address"):
            read_binary_str(self._in)
        read_binary_uint8(self._in)  # interface
        for _ in ("os user", "host name", "client name"):
            read_binary_str(self._in)
        for _ in ("major", "minor", "revision"):
            read_varint(self._in)
        read_binary_str(self._in)  # quota key
        read_varint(self._in)  # patch

    def is_abandoned(self) -> bool:
        """Whether a client that waits for an answer has disconnected or sent a cancel packet."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) in (b"", _CANCEL)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def read_blocks(self) -> InsertBatch:
        """The client's blocks up to the empty one that ends them."""
        blocks: list[bytes] = []
        total = 0
        source = UnpackingReader(self._in) if self._packs else self._in
        while True:
            if (packet := read_varint(self._in)) != ClientPacketTypes.DATA:
                raise RefusedError(101, f"packet {ClientPacketTypes.to_str(packet)} where data was expected")
            read_binary_str(self._in)  # name of an external table
            BlockInfo().read(source)
            source.keep()
            width, rows = read_varint(source), read_varint(source)
            for _ in range(width):
                read_binary_str(source)  # name
                _skip_column(read_binary_str(source), rows, source)
            data = source.kept()
            if not width:
                return InsertBatch(blocks, total)
            blocks.append(data)
            total += rows

    def send_block(self, block: Block) -> None:
        write_varint(ServerPacketTypes.DATA, self._out)
        write_binary_str("", self._out)
        if not self._packs:
            _write_block(block, self._out)
            return
        whole = BytesIO()
        _write_block(block, whole)
        for piece in compress_blocks(whole.getbuffer()):
            self._out.write(piece)

    def send_header(self, columns: Columns) -> None:
        """Send a block without rows, which announces the columns."""
        self.send_block(Block(columns, 0, (b"",) * len(columns)))
        self._out.flush()

    def send_progress(self, rows: int, size: int) -> None:
        """Send the rows and bytes that a query has read from its tables."""
        write_varint(ServerPacketTypes.PROGRESS, self._out)
        for count in (rows, size, rows, 0, 0):  # read, bytes, rows to read in all; rows and bytes written
            write_varint(count, self._out)

    def send_end(self) -> None:
        write_varint(ServerPacketTypes.END_OF_STREAM, self._out)
        self._out.flush()

    def send_exception(self, error: RefusedError) -> None:
        write_varint(ServerPacketTypes.EXCEPTION, self._out)
        write_binary_int32(error.code, self._out)
        write_binary_str("DB::Exception", self._out)
        write_binary_str(f"DB::Exception: {error}", self._out)
        write_binary_str("", self._out)  # stack trace
        write_binary_uint8(0, self._out)  # nothing nested
        self._out.flush()


def _write_block(block: Block, out: BufferedSocketWriter | BytesIO) -> None:
    BlockInfo().write(out)
    write_varint(len(block.columns), out)
    write_varint(block.rows, out)
    for (name, kind), data in zip(block.columns, block.data, strict=True):
        write_binary_str(name, out)
        write_binary_str(kind, out)
        out.write(data)
