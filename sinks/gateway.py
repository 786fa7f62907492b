"""A process that puts ClickHouse's native TCP protocol in front of chDB: the embedded store.

    python -m sinks.gateway --directory DIR --port 0

prints ``listening on 127.0.0.1:PORT`` when it is ready, and stops on SIGTERM, SIGINT or, with
``--with-parent``, when its standard input ends. Any native client may then use the real engine: demo,
tests, boards and console run the code that production runs against a server.

It listens on loopback only, and asks for the password that ``HOMEROOM_GATEWAY_PASSWORD`` holds: the
engine reads files as the user it runs as, so others with an account on the machine must not reach it.
Without that variable it asks for none. The user ``reader``, whose password is in
``HOMEROOM_GATEWAY_READER_PASSWORD``, and any statement that brings ``readonly``, can read tables and
nothing else (:mod:`sinks.reading`); what a reader asked for ends when the reader leaves. A server is for
more than one person. One statement that writes and one that reads run at a time. Every statement gets a
chDB connection of its own (1 ms), so that its settings hold for it alone; ``USE``, ``SET`` and temporary
tables do not outlive their statement.
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
from sinks.native import Columns, Hello, Query, Sent, Wire, cut, lacks_zones, plain_type
from sinks.reading import READER, check_reads, limited
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


ACCESS = Path(__file__).with_name("access.xml")
LOOK_S = 0.2
"""How often is looked whether those who asked are still there."""


@dataclass(frozen=True, slots=True)
class Asking:
    """From whom a statement comes, and what holds for it.

    reads: it may read tables and nothing else. left: whether the client has gone meanwhile.
    """

    database: str
    settings: dict[str, str]
    reads: bool
    left: Callable[[], bool]


class Engine:
    """chDB in one directory; one statement that writes and one that reads at a time. Thread-safe.

    Every method raises :class:`RefusedError` with ClickHouse's error code where the engine says no.
    """

    def __init__(self, directory: Path) -> None:
        self._path = str(directory)
        self._locks = {reads: threading.Lock() for reads in (False, True)}
        self._running: dict[str, Callable[[], bool]] = {}
        try:  # holds the directory while the process lives
            self._first = _connect(f"{self._path}?config-file={ACCESS}&users_config={ACCESS}")
        except Exception as error:
            raise refusal(error) from error
        version, self.timezone = self._first.query("SELECT version(), timezone()", "TSV").data().split()
        major, minor, patch = version.split(".")[:3]
        self.version = (int(major), int(minor), int(patch))
        threading.Thread(target=self._end_what_nobody_waits_for, daemon=True).start()

    def query(self, sql: str, asking: Asking) -> Answer:
        """Run one statement. The stream is empty where it has no rows."""
        with self._connection(asking) as connection:
            if asking.reads:
                canonical = connection.query(
                    f"SELECT formatQuerySingleLine({quoted(sql, chr(39))})", "RawBLOB"
                )
                check_reads(canonical.data())
            found = connection.query(sql, "Native")
            return Answer(bytes(found.bytes()), found.storage_rows_read(), found.storage_bytes_read())

    def insert(self, insert: Insert, sent: Sent, asking: Asking) -> None:
        """Insert the blocks' bytes as they came. On return every row is in the table, or was before.

        As one statement over a file in memory: chDB's streamed insert (``send_insert``) reports rows as
        written that a full disk or a constraint kept out, a statement raises what the engine said.
        """
        with self._connection(asking) as connection, in_memory(sent.blocks) as path:
            read = connection.query(insert.from_file(path), "Native").rows_read()
        if read != sent.rows:  # 319: whether they are in is not known, the same batch again is safe
            raise RefusedError(319, f"{read} of {sent.rows} rows were read: unknown status of the insert")

    def describe(self, select: str, asking: Asking) -> Columns:
        """The columns that a SELECT answers with."""
        with self._connection(asking) as connection:
            names, types, *_ = json.loads(
                connection.query(f"DESCRIBE (\n{select}\n)", "JSONCompactColumns").data()
            )
        return list(zip(names, types, strict=True))

    @contextlib.contextmanager
    def _connection(self, asking: Asking) -> Iterator[Any]:
        name = uuid.uuid4().hex
        try:
            with self._locks[asking.reads], contextlib.closing(_connect(self._path)) as connection:
                for statement in prologue(asking, name):
                    connection.query(statement)
                if asking.reads:
                    self._running[name] = asking.left
                yield connection
        except Exception as error:  # chDB raises its own error, RuntimeError and ValueError alike
            raise refusal(error) from error
        finally:
            self._running.pop(name, None)

    def _end_what_nobody_waits_for(self) -> None:
        """A reader that was killed, or that cancelled, must not hold memory and others for what it asked."""
        while True:
            time.sleep(LOOK_S)
            for name in [name for name, left in list(self._running.items()) if left()]:
                with contextlib.suppress(Exception), contextlib.closing(_connect(self._path)) as connection:
                    connection.query(f"KILL QUERY WHERE Settings['log_comment'] = '{name}' ASYNC")

    def close(self) -> None:
        """Let the running statements end, then give the directory back."""
        with self._locks[False], self._locks[True]:
            self._first.close()


@contextlib.contextmanager
def in_memory(blocks: list[bytes]) -> Iterator[str]:
    """The path of a file that holds the blocks, on no disk: a full one must not stand in an insert's way."""
    with open(os.memfd_create("insert"), "wb") as file:
        file.writelines(blocks)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


def prologue(asking: Asking, name: str) -> Iterator[str]:
    """The statements that set a connection up. A reader's last one takes all rights to undo the others.

    name: by which what runs is found among others.
    """
    if asking.database:
        yield f"USE {quoted(asking.database, '`')}"
    settings = (limited(asking.settings) if asking.reads else asking.settings) | {"log_comment": name}
    for setting in settings:
        if not re.fullmatch(r"\w+", setting):
            raise RefusedError(115, f"Unknown setting {setting!r}")
    yield "SET " + ", ".join(f"{setting} = {quoted(value, chr(39))}" for setting, value in settings.items())
    if asking.reads:
        yield f"SET ROLE {READER}"
        yield "SET readonly = 1"


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


@dataclass(frozen=True, slots=True)
class Passwords:
    """Of who writes and of who only reads; an empty one is not asked for."""

    writer: str = field(default="", repr=False)
    reader: str = field(default="", repr=False)


class Conversation:
    """One client: hello, then statements until it leaves."""

    def __init__(self, connection: socket.socket, engine: Engine, passwords: Passwords) -> None:
        self._wire = Wire(connection)
        self._engine = engine
        self._passwords = passwords
        self._database, self._user = "", ""

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
        password = self._passwords.reader if hello.user == READER else self._passwords.writer
        if password and not hmac.compare_digest(hello.password.encode(), password.encode()):
            raise RefusedError(516, f"{hello.user}: Authentication failed: password is incorrect")
        self._database, self._user = hello.database, hello.user

    def _asking(self, settings: dict[str, str]) -> Asking:
        reads = self._user == READER or settings.get("readonly", "0") != "0"
        return Asking(self._database, settings, reads, self._wire.left)

    def _answer(self, query: Query) -> None:
        if self._wire.read_blocks().blocks:
            raise RefusedError(344, "external tables are not supported by the embedded store")
        try:
            sql = one_statement(query.sql)
            insert = as_insert(sql)
            if insert is None:
                self._select(without_format(sql), self._asking(query.settings))
            else:
                self._insert(insert, self._asking(query.settings))
        except RefusedError as error:
            self._wire.send_exception(error)
        else:
            self._wire.send_end()

    def _select(self, sql: str, asking: Asking) -> None:
        answer = self._engine.query(sql, asking)
        blocks = list(cut(answer.native))
        columns = blocks[0].columns if blocks else []
        if re.match(r"\s*(SELECT|WITH)\b", sql, re.IGNORECASE) and (not blocks or lacks_zones(columns)):
            columns = self._engine.describe(sql, asking)
        if columns:
            self._wire.send_header(columns)
        for block in blocks:
            self._wire.send_block(replace(block, columns=columns))
        self._wire.send_progress(answer.rows_read, answer.bytes_read)

    def _insert(self, insert: Insert, asking: Asking) -> None:
        if asking.reads:
            raise RefusedError(164, "Cannot execute INSERT in readonly mode")
        columns = self._engine.describe(insert.select, replace(asking, settings={}))
        self._wire.send_header([(name, plain_type(kind)) for name, kind in columns])
        sent = self._wire.read_blocks()
        if sent.blocks:
            self._engine.insert(insert, sent, asking)


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
            Conversation(self.request, self.server.engine, self.server.passwords).run()
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
    writer = os.environ.get(PASSWORD, "")
    passwords = Passwords(writer, os.environ.get(READER_PASSWORD) or writer)
    with Gateway(engine, port, passwords) as gateway:
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
