"""A process that puts ClickHouse's native TCP protocol in front of chDB: the embedded store.

    python -m sinks.gateway --directory DIR --port 0

prints ``listening on 127.0.0.1:PORT`` when it is ready, and stops on SIGTERM, SIGINT or, with
``--with-parent``, when its standard input ends. Any native client may then use the real engine: demo,
tests, boards and console run the code that production runs against a server.

It listens on loopback only, and asks for the password that ``HOMEROOM_GATEWAY_PASSWORD`` holds: the
engine reads files as the user it runs as, so others with an account on the machine must not reach it.
Without that variable it asks for none. A server is for more than one person. One statement runs at a
time. Every statement gets a chDB connection of its own (1 ms), so that its settings hold for it
alone, ``readonly`` included; ``USE``, ``SET`` and temporary tables do not outlive their statement.
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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import chdb

from sinks.embedded import FAILED, HOST, PASSWORD, READY
from sinks.native import Columns, Hello, Query, RefusedError, Sent, Wire, cut, lacks_zones, plain_type
from sinks.statements import Insert, as_insert, one_statement, without_format

log = logging.getLogger(__name__)


def _connect(path: str) -> Any:
    return chdb.connect(path)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a statement as a Native stream, and what the engine read from tables to find them."""

    native: bytes
    rows_read: int
    bytes_read: int


class Engine:
    """chDB in one directory, one statement at a time. Thread-safe.

    Every method raises :class:`RefusedError` with ClickHouse's error code where the engine says no.
    """

    def __init__(self, directory: Path) -> None:
        self._path = str(directory)
        self._lock = threading.Lock()
        try:
            self._first = _connect(self._path)  # holds the directory while the process lives
        except Exception as error:
            raise refusal(error) from error
        version, self.timezone = self._first.query("SELECT version(), timezone()", "TSV").data().split()
        major, minor, patch = version.split(".")[:3]
        self.version = (int(major), int(minor), int(patch))

    def query(self, sql: str, database: str, settings: dict[str, str]) -> Answer:
        """Run one statement. The stream is empty where it has no rows."""
        with self._connection(database, settings) as connection:
            found = connection.query(sql, "Native")
            return Answer(bytes(found.bytes()), found.storage_rows_read(), found.storage_bytes_read())

    def insert(self, insert: Insert, sent: Sent, database: str, settings: dict[str, str]) -> None:
        """Insert the blocks' bytes as they came. On return every row is in the table, or was before.

        As one statement over a file in memory: chDB's streamed insert (``send_insert``) reports rows as
        written that a full disk or a constraint kept out, a statement raises what the engine said.
        """
        with self._connection(database, settings) as connection, in_memory(sent.blocks) as path:
            read = connection.query(insert.from_file(path), "Native").rows_read()
        if read != sent.rows:  # 319: whether they are in is not known, the same batch again is safe
            raise RefusedError(319, f"{read} of {sent.rows} rows were read: unknown status of the insert")

    def describe(self, select: str, database: str, settings: dict[str, str]) -> Columns:
        """The columns that a SELECT answers with."""
        with self._connection(database, settings) as connection:
            names, types, *_ = json.loads(
                connection.query(f"DESCRIBE (\n{select}\n)", "JSONCompactColumns").data()
            )
        return list(zip(names, types, strict=True))

    @contextlib.contextmanager
    def _connection(self, database: str, settings: dict[str, str]) -> Iterator[Any]:
        try:
            with self._lock, contextlib.closing(_connect(self._path)) as connection:
                for statement in prologue(database, settings):
                    connection.query(statement)
                yield connection
        except Exception as error:  # chDB raises its own error, RuntimeError and ValueError alike
            raise refusal(error) from error

    def close(self) -> None:
        """Let the running statement end, then give the directory back."""
        with self._lock:
            self._first.close()


@contextlib.contextmanager
def in_memory(blocks: list[bytes]) -> Iterator[str]:
    """The path of a file that holds the blocks, on no disk: a full one must not stand in an insert's way."""
    with open(os.memfd_create("insert"), "wb") as file:
        file.writelines(blocks)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def prologue(database: str, settings: dict[str, str]) -> Iterator[str]:
    """The statements that set a connection up; ``readonly`` last, as nothing can be set after it."""
    if database:
        yield f"USE {quoted(database, '`')}"
    for name, value in sorted(settings.items(), key=lambda item: item[0] == "readonly"):
        if not re.fullmatch(r"\w+", name):
            raise RefusedError(115, f"Unknown setting {name!r}")
        yield f"SET {name} = {quoted(value, chr(39))}"


def quoted(text: str, mark: str) -> str:
    return mark + text.replace("\\", "\\\\").replace(mark, "\\" + mark) + mark


_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")


def refusal(error: Exception) -> RefusedError:
    """The engine's error with its code; 1001 (a C++ or Python error) where it gives none."""
    if isinstance(error, RefusedError):
        return error
    text = str(error)
    found = _CODE.search(text)
    return RefusedError(int(found[1]), text[found.end() :]) if found else RefusedError(1001, text)


class Conversation:
    """One client: hello, then statements until it leaves."""

    def __init__(self, connection: socket.socket, engine: Engine, password: str) -> None:
        self._wire = Wire(connection)
        self._engine = engine
        self._password = password
        self._database = ""

    def run(self) -> None:
        """Returns when the client has gone, or when what it sends can no longer be followed."""
        with contextlib.suppress(EOFError, OSError):
            try:
                self._admit(self._wire.read_hello())
                self._wire.send_hello(self._engine.version, self._engine.timezone)
                while True:
                    self._answer(self._wire.next_query())
            except RefusedError as error:  # the conversation itself is broken: say so and hang up
                self._wire.send_exception(error)

    def _admit(self, hello: Hello) -> None:
        if self._password and not hmac.compare_digest(hello.password.encode(), self._password.encode()):
            raise RefusedError(516, f"{hello.user}: Authentication failed: password is incorrect")
        self._database = hello.database

    def _answer(self, query: Query) -> None:
        if query.compressed:
            raise RefusedError(344, "compression is not supported by the embedded store: connect without it")
        if self._wire.read_blocks().blocks:
            raise RefusedError(344, "external tables are not supported by the embedded store")
        try:
            sql = one_statement(query.sql)
            insert = as_insert(sql)
            if insert is None:
                self._select(without_format(sql), query.settings)
            else:
                self._insert(insert, query.settings)
        except RefusedError as error:
            self._wire.send_exception(error)
        else:
            self._wire.send_end()

    def _select(self, sql: str, settings: dict[str, str]) -> None:
        answer = self._engine.query(sql, self._database, settings)
        blocks = list(cut(answer.native))
        columns = blocks[0].columns if blocks else []
        if re.match(r"\s*(SELECT|WITH)\b", sql, re.IGNORECASE) and (not blocks or lacks_zones(columns)):
            columns = self._engine.describe(sql, self._database, settings)
        if columns:
            self._wire.send_header(columns)
        for block in blocks:
            self._wire.send_block(replace(block, columns=columns))
        self._wire.send_progress(answer.rows_read, answer.bytes_read)

    def _insert(self, insert: Insert, settings: dict[str, str]) -> None:
        columns = self._engine.describe(insert.select, self._database, {})
        self._wire.send_header([(name, plain_type(kind)) for name, kind in columns])
        sent = self._wire.read_blocks()
        if sent.blocks:
            self._engine.insert(insert, sent, self._database, settings)


class Gateway(socketserver.ThreadingTCPServer):
    """A thread for each client, one engine for all."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, engine: Engine, port: int, password: str) -> None:
        self.engine = engine
        self.password = password
        super().__init__((HOST, port), _Client)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Client(socketserver.BaseRequestHandler):
    server: Gateway

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            Conversation(self.request, self.server.engine, self.server.password).run()
        except Exception:  # one client's broken stream must not end the others
            log.exception("a client's conversation ended in an error")


def _stop_when_told(with_parent: bool) -> threading.Event:
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
    """Serve until told to stop. Raises ``RefusedError`` or ``OSError`` where it cannot start."""
    directory.mkdir(parents=True, exist_ok=True)
    engine = Engine(directory)
    with Gateway(engine, port, os.environ.get(PASSWORD, "")) as gateway:
        stop = _stop_when_told(with_parent)
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
