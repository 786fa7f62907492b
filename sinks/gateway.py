"""A process that puts ClickHouse's native TCP protocol in front of chDB: the embedded store.

    python -m sinks.gateway --directory DIR --port 0

prints ``listening on 127.0.0.1:PORT`` when it is ready, and stops on SIGTERM, SIGINT or, with
``--with-parent``, when its standard input ends. Any native client may then use the real engine: demo,
tests, boards and console run the code that production runs against a server.

It listens on loopback only, and asks for the password that ``HOMEROOM_GATEWAY_PASSWORD`` holds: the
engine reads files as the user it runs as, so others with an account on the machine must not reach it.
Without that variable it asks for none. The user ``reader``, whose password is in
``HOMEROOM_GATEWAY_READER_PASSWORD``, and any statement with the setting ``readonly``, can read tables and
nothing else (:mod:`sinks.reading`); a reader's query is killed when its client disconnects. For more than one
person, use a server. One statement that writes and one that reads run at a time. Every statement gets a chDB
connection of its own (1 ms), so that its settings hold for it alone; ``USE``, ``SET`` and temporary tables
do not outlive their statement.
"""

import argparse
import contextlib
import hmac
import json
import logging
import os
import re
import signal
import socket
import socketserver
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import chdb

from sinks.embedded import FAILED, HOST, PASSWORD, READER_PASSWORD, READY
from sinks.errors import RefusedError
from sinks.native import Columns, Hello, InsertBatch, Query, Wire, lacks_time_zones, plain_type, split_blocks
from sinks.reading import READER, bounded_settings, check_reads
from sinks.statements import Insert, as_insert, one_statement, without_format

log = logging.getLogger(__name__)


def _connect(path: str) -> Any:
    return chdb.connect(path)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Answer:
    """A statement's rows as a Native stream, and the rows and bytes that the engine read from tables."""

    native: bytes
    rows_read: int
    bytes_read: int


ACCESS = Path(__file__).with_name("access.xml")
ABANDONED_CHECK_S = 0.2
"""Seconds between two checks whether clients of running queries are still connected."""


@dataclass(frozen=True, slots=True)
class StatementContext:
    """The database, settings and rights of a statement.

    readonly: it may read tables and nothing else. is_abandoned: whether the client has disconnected or
    cancelled meanwhile.
    """

    database: str
    settings: dict[str, str]
    readonly: bool
    is_abandoned: Callable[[], bool]


class Engine:
    """chDB in one directory; one statement that writes and one that reads at a time. Thread-safe.

    Every method raises :class:`RefusedError` with ClickHouse's error code where the engine raises an error.
    """

    def __init__(self, directory: Path) -> None:
        self._path = str(directory)
        self._locks = {readonly: threading.Lock() for readonly in (False, True)}
        self._running: dict[str, Callable[[], bool]] = {}
        try:  # holds the directory while the process lives
            self._keeper = _connect(f"{self._path}?config-file={ACCESS}&users_config={ACCESS}")
        except Exception as error:
            raise refused_error(error) from error
        version, self.timezone = self._keeper.query("SELECT version(), timezone()", "TSV").data().split()
        major, minor, patch = version.split(".")[:3]
        self.version = (int(major), int(minor), int(patch))
        threading.Thread(target=self._kill_abandoned_queries, daemon=True).start()

    def query(self, sql: str, context: StatementContext) -> Answer:
        """Run one statement. The answer's stream is empty where it has no rows."""
        with self._connection(context) as connection:
            if context.readonly:
                canonical = connection.query(
                    f"SELECT formatQuerySingleLine({quoted(sql, chr(39))})", "RawBLOB"
                )
                check_reads(canonical.data())
            result = connection.query(sql, "Native")
            return Answer(bytes(result.bytes()), result.storage_rows_read(), result.storage_bytes_read())

    def insert(self, insert: Insert, batch: InsertBatch, context: StatementContext) -> None:
        """Insert the blocks' bytes unchanged. On return every row is in the table, or was before.

        As one statement over a file in memory: chDB's streamed insert (``send_insert``) reports rows as
        written that a full disk or a constraint kept out, while a statement raises the engine's error.
        """
        with self._connection(context) as connection, memory_file(batch.blocks) as path:
            rows_read = connection.query(insert.from_file(path), "Native").rows_read()
        if rows_read != batch.rows:  # 319: whether they are in is not known, the same batch again is safe
            raise RefusedError(
                319, f"{rows_read} of {batch.rows} rows were read: unknown status of the insert"
            )

    def describe(self, select: str, context: StatementContext) -> Columns:
        """Names and types of the columns of a SELECT."""
        with self._connection(context) as connection:
            names, types, *_ = json.loads(
                connection.query(f"DESCRIBE (\n{select}\n)", "JSONCompactColumns").data()
            )
        return list(zip(names, types, strict=True))

    @contextlib.contextmanager
    def _connection(self, context: StatementContext) -> Iterator[Any]:
        name = uuid.uuid4().hex
        try:
            with self._locks[context.readonly], contextlib.closing(_connect(self._path)) as connection:
                for statement in setup_statements(context, name):
                    connection.query(statement)
                if context.readonly:
                    self._running[name] = context.is_abandoned
                yield connection
        except Exception as error:  # chDB raises its own error, RuntimeError and ValueError alike
            raise refused_error(error) from error
        finally:
            self._running.pop(name, None)

    def _kill_abandoned_queries(self) -> None:
        """Kill running queries whose client has disconnected or cancelled, to free their memory and lock."""
        while True:
            time.sleep(ABANDONED_CHECK_S)
            for name in [name for name, is_abandoned in list(self._running.items()) if is_abandoned()]:
                with contextlib.suppress(Exception), contextlib.closing(_connect(self._path)) as connection:
                    connection.query(f"KILL QUERY WHERE Settings['log_comment'] = '{name}' ASYNC")

    def close(self) -> None:
        """Wait for the running statements, then release the directory."""
        with self._locks[False], self._locks[True]:
            self._keeper.close()


@contextlib.contextmanager
def memory_file(blocks: list[bytes]) -> Iterator[str]:
    """The path of a file in memory with the blocks: an insert must not need space on a disk."""
    with open(os.memfd_create("insert"), "wb") as file:
        file.writelines(blocks)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def setup_statements(context: StatementContext, name: str) -> Iterator[str]:
    """The statements that set up a connection. A reader's last one prevents undoing the others.

    name: identifies the connection's queries among those running.

    Raises:
        RefusedError: a setting's name is invalid (115).
    """
    if context.database:
        yield f"USE {quoted(context.database, '`')}"
    settings = (bounded_settings(context.settings) if context.readonly else context.settings) | {
        "log_comment": name
    }
    for setting in settings:
        if not re.fullmatch(r"\w+", setting):
            raise RefusedError(115, f"Unknown setting {setting!r}")
    yield "SET " + ", ".join(f"{setting} = {quoted(value, chr(39))}" for setting, value in settings.items())
    if context.readonly:
        yield f"SET ROLE {READER}"
        yield "SET readonly = 1"


def quoted(text: str, mark: str) -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")


def refused_error(error: Exception) -> RefusedError:
    """The engine's error with its code; 1001 (a C++ or Python error) where it has none."""
    if isinstance(error, RefusedError):
        return error
    text = str(error)
    match = _CODE.search(text)
    return RefusedError(int(match[1]), text[match.end() :]) if match else RefusedError(1001, text)


@dataclass(frozen=True, slots=True)
class Passwords:
    """Passwords of the writing and of the reading user; an empty one is not checked."""

    writer: str = field(default="", repr=False)
    reader: str = field(default="", repr=False)


class ClientSession:
    """One client's connection: hello, then statements until it disconnects."""

    def __init__(self, connection: socket.socket, engine: Engine, passwords: Passwords) -> None:
        self._wire = Wire(connection)
        self._engine = engine
        self._passwords = passwords
        self._database, self._user = "", ""

    def run(self) -> None:
        """Serve until the client disconnects, or breaks the protocol."""
        with contextlib.suppress(EOFError, OSError):
            try:
                self._admit(self._wire.read_hello())
                self._wire.send_hello(self._engine.version, self._engine.timezone)
                while True:
                    self._answer(self._wire.next_query())
            except RefusedError as error:  # refused, or the protocol is broken: report it and disconnect
                self._wire.send_exception(error)

    def _admit(self, hello: Hello) -> None:
        password = self._passwords.reader if hello.user == READER else self._passwords.writer
        if password and not hmac.compare_digest(hello.password.encode(), password.encode()):
            raise RefusedError(516, f"{hello.user}: Authentication failed: password is incorrect")
        self._database, self._user = hello.database, hello.user

    def _context(self, settings: dict[str, str]) -> StatementContext:
        readonly = self._user == READER or settings.get("readonly", "0") != "0"
        return StatementContext(self._database, settings, readonly, self._wire.is_abandoned)

    def _answer(self, query: Query) -> None:
        if self._wire.read_blocks().blocks:
            raise RefusedError(344, "external tables are not supported by the embedded store")
        try:
            sql = one_statement(query.sql)
            insert = as_insert(sql)
            if insert is None:
                self._select(without_format(sql), self._context(query.settings))
            else:
                self._insert(insert, self._context(query.settings))
        except RefusedError as error:
            self._wire.send_exception(error)
        else:
            self._wire.send_end()

    def _select(self, sql: str, context: StatementContext) -> None:
        answer = self._engine.query(sql, context)
        blocks = list(split_blocks(answer.native))
        columns = blocks[0].columns if blocks else []
        if re.match(r"\s*(SELECT|WITH)\b", sql, re.IGNORECASE) and (not blocks or lacks_time_zones(columns)):
            columns = self._engine.describe(sql, context)
        if columns:
            self._wire.send_header(columns)
        for block in blocks:
            self._wire.send_block(replace(block, columns=columns))
        self._wire.send_progress(answer.rows_read, answer.bytes_read)

    def _insert(self, insert: Insert, context: StatementContext) -> None:
        if context.readonly:
            raise RefusedError(164, "Cannot execute INSERT in readonly mode")
        columns = self._engine.describe(insert.select, replace(context, settings={}))
        self._wire.send_header([(name, plain_type(kind)) for name, kind in columns])
        batch = self._wire.read_blocks()
        if batch.blocks:
            self._engine.insert(insert, batch, context)


class Gateway(socketserver.ThreadingTCPServer):
    """A thread for each client, one engine for all."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, engine: Engine, port: int, passwords: Passwords) -> None:
        self.engine = engine
        self.passwords = passwords
        super().__init__((HOST, port), _Client)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Client(socketserver.BaseRequestHandler):
    server: Gateway

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            ClientSession(self.request, self.server.engine, self.server.passwords).run()
        except Exception:  # one client's broken stream must not end the others
            log.exception("a client's conversation ended in an error")


def _stop_event(with_parent: bool) -> threading.Event:
    """An event that is set by SIGTERM, SIGINT or, if wanted, the end of standard input."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    def watch() -> None:
        while os.read(0, 1024):  # not sys.stdin: its lock would be held when the interpreter ends
            pass
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    if with_parent:
        threading.Thread(target=watch, daemon=True).start()
    return stop


def serve(directory: Path, port: int, with_parent: bool) -> None:
    """Serve until SIGTERM, SIGINT or, with ``with_parent``, the end of standard input.

    Raises:
        RefusedError: the engine cannot open the directory.
        OSError: the port cannot be listened on, or the directory cannot be created.
    """
    directory.mkdir(parents=True, exist_ok=True)
    engine = Engine(directory)
    writer = os.environ.get(PASSWORD, "")
    passwords = Passwords(writer, os.environ.get(READER_PASSWORD) or writer)
    with Gateway(engine, port, passwords) as gateway:
        stop = _stop_event(with_parent)
        threading.Thread(target=gateway.serve_forever, daemon=True).start()
        print(f"{READY}{gateway.port}", flush=True)
        stop.wait()
        gateway.shutdown()
    engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sinks.gateway", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--directory", type=Path, required=True, help="where the data lies; made if absent")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(options.directory, options.port, options.with_parent)
    except (RefusedError, OSError) as error:
        sys.exit(f"{FAILED} {error}")


if __name__ == "__main__":
    main()
