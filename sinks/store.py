"""A writer and a reader of the store, over ClickHouse's native protocol.

They neither batch nor retry: the caller decides what a batch is (10,000 rows or more, if they come within a
second or two) and what to do while the store is down.
"""

import hashlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from clickhouse_driver import Client
from clickhouse_driver import errors as driver

from sinks.address import StoreAddress
from sinks.errors import StoreDown, StoreError, StoreRejected, column_in_message, error_class_of, first_line
from sinks.reading import LIMITS

# The driver logs every failed connection with a traceback; the error that is raised here is enough.
logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)

log = logging.getLogger(__name__)

Column = Sequence[Any] | np.ndarray[Any, Any]
Columns = Mapping[str, Column]
"""Column name → its values, all of one length. Times as aware datetimes, epoch seconds or
``datetime64``; days as dates or ``datetime64[D]``; None where the type is Nullable."""

__all__ = [
    "ClickHouseWriter",
    "Columns",
    "Result",
    "StoreAddress",
    "StoreDown",
    "StoreError",
    "StoreReader",
    "StoreRejected",
    "Writer",
    "wait_until_up",
]

BOUNDS = LIMITS | {"result_overflow_mode": "throw", "timeout_overflow_mode": "throw"}

INSERT_SETTINGS = {
    "async_insert": 0,  # on by default since 26: an insert that is answered must be in the table
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "materialized_views_ignore_errors": 0,  # whatever a server's profile has
}


class Writer(Protocol):
    """Inserts batches. Inserting the same batch twice changes nothing."""

    def write(self, table: str, columns: Columns, token: str | None = None) -> int:
        """Insert a batch and return its number of rows. On return the rows are in the table.

        token: the batch's deduplication token; None: derived from its content.

        Raises:
            StoreDown: the batch may or may not be inserted; write it again later.
            StoreRejected: the batch is not accepted as it is.
        """
        ...

    def ping(self) -> None:
        """Return if the store answers.

        Raises:
            StoreDown, StoreRejected: it does not.
        """
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """A query's result: column names, their ClickHouse types, its rows, and how many rows of tables the store
    read for it."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    rows_read: int = 0


class Connection:
    """A connection that is opened when it is first needed, and again after an error. Not thread-safe."""

    def __init__(self, address: StoreAddress, *, connect_timeout: float = 5.0, timeout: float = 60.0) -> None:
        self.address = address
        self._timeouts = {"connect_timeout": connect_timeout, "send_receive_timeout": timeout}
        self._client: Client | None = None

    def execute(self, sql: str, data: Any = None, *, table: str = "", **options: Any) -> Any:
        """Call ``Client.execute``. After any error the next call reconnects.

        Raises:
            StoreDown, StoreRejected: see :func:`store_error`.
        """
        try:
            if self._client is None:
                self._client = self._connect()
            return self._client.execute(sql, data, **options)
        except StoreError:
            raise
        except Exception as error:
            self.close()
            raise store_error(error, self.address, table) from error

    def _connect(self) -> Client:
        address = self.address
        return Client(
            address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database=address.database,
            secure=address.secure,
            client_name="homeroom",
            **self._timeouts,
        )

    @property
    def rows_read(self) -> int:
        """Rows of tables that the store read for the last statement, by its progress packets."""
        last = None if self._client is None else self._client.last_query
        return 0 if last is None or last.progress is None else int(last.progress.rows)

    def close(self) -> None:
        """Disconnect. The next statement connects again."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()


def store_error(error: Exception, address: StoreAddress, table: str = "") -> StoreError:
    """The driver's error as :class:`StoreDown` or :class:`StoreRejected`."""
    if isinstance(error, driver.ServerException):
        message = first_line(error.message)
        if error_class_of(error.code) == "transient":
            return StoreDown(f"{address}: code {error.code}: {message}")
        return StoreRejected(message, table=table, column=column_in_message(message), code=error.code)
    unreachable = (OSError, EOFError, driver.NetworkError, driver.SocketTimeoutError)
    if isinstance(error, (*unreachable, driver.UnexpectedPacketFromServerError)):
        return StoreDown(f"{address} cannot be reached: {first_line(str(error)) or type(error).__name__}")
    message = first_line(getattr(error, "message", None) or str(error)) or type(error).__name__
    return StoreRejected(message, table=table, column=column_in_message(message))


class ClickHouseWriter:
    """Columnar inserts with clickhouse-driver. Not thread-safe: one for each thread."""

    def __init__(self, address: StoreAddress, *, connect_timeout: float = 5.0, timeout: float = 60.0) -> None:
        self._connection = Connection(address, connect_timeout=connect_timeout, timeout=timeout)

    @property
    def address(self) -> StoreAddress:
        return self._connection.address

    def write(self, table: str, columns: Columns, token: str | None = None) -> int:
        """See :meth:`Writer.write`."""
        names = list(columns)
        values = [plain_list(column) for column in columns.values()]
        rows = _common_length(table, names, values)
        if not rows:
            return 0
        token = token or content_token(table, names, values)
        listed = ", ".join(f"`{name}`" for name in names)
        self._connection.execute(
            f"INSERT INTO {table} ({listed}) VALUES",
            values,
            table=table,
            columnar=True,
            settings=INSERT_SETTINGS | {"insert_deduplication_token": token},
        )
        return rows

    def command(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement of any kind, such as DDL, and return its rows."""
        rows: list[tuple[Any, ...]] = self._connection.execute(sql)
        return rows

    def ping(self) -> None:
        """See :meth:`Writer.ping`. Runs a statement: a server that accepts connections may not serve yet."""
        self._connection.execute("SELECT 1")

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "ClickHouseWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def wait_until_up(address: StoreAddress, seconds: float) -> None:
    """Return once the store serves: it may have been started at the same time, or be restarting.

    Raises:
        StoreDown: it does not serve within ``seconds``.
        StoreRejected: it rejects the connection; raised at once.
    """
    deadline = time.monotonic() + seconds
    with ClickHouseWriter(replace(address, database="default")) as writer:
        while True:
            try:
                return writer.ping()
            except StoreDown as error:
                if time.monotonic() >= deadline:
                    raise
                log.warning("the store is away, waiting for it: %s", error)
                time.sleep(1)


def plain_list(column: Column) -> list[Any]:
    """The values as a new list, since the driver overwrites its argument."""
    if isinstance(column, np.ndarray):
        if column.dtype.kind == "M" and column.dtype != np.dtype("datetime64[D]"):
            column = column.astype("datetime64[s]")  # finer units would become integers
        return column.tolist()  # type: ignore[no-any-return]
    return list(column)


def _common_length(table: str, names: list[str], values: list[list[Any]]) -> int:
    if not names:
        raise StoreRejected("a batch has at least one column, got none", table=table)
    rows = len(values[0])
    for name, column in zip(names, values, strict=True):
        if len(column) != rows:
            raise StoreRejected(
                f"expected {rows} values as in {names[0]!r}, got {len(column)}", table=table, column=name
            )
    return rows


def content_token(table: str, names: list[str], values: list[list[Any]]) -> str:
    """A deduplication token: two batches share it only if they have the same values in the same order."""
    digest = hashlib.blake2b(table.encode(), digest_size=16)
    for name, column in zip(names, values, strict=True):
        digest.update(f"\0{name}\0".encode())
        digest.update(repr(column).encode())
    return digest.hexdigest()


class StoreReader:
    """Runs queries that cannot change anything, within limits that the server enforces.

    ``readonly`` and the limits of :data:`sinks.reading.LIMITS` are set for any user. A user with a profile of
    its own, who has no other right than to read, is safer: see ``clickhouse/users.d/reader.xml``.
    """

    def __init__(self, address: StoreAddress, *, timeout: float = 60.0) -> None:
        self._connection = Connection(address, timeout=timeout)
        self._settings: dict[str, Any] = {"readonly": 1} | ({} if address.bounded else BOUNDS)

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Result:
        """Run one SELECT; ``%(name)s`` in it stands for an escaped parameter.

        Raises:
            StoreDown: the store cannot be reached.
            StoreRejected: it rejected the query; ``message`` is the store's own.
        """
        rows, columns = self._connection.execute(
            sql, dict(params) if params else None, with_column_types=True, settings=self._settings
        )
        names, kinds = (tuple(column[index] for column in columns) for index in (0, 1))
        return Result(names, kinds, rows, self._connection.rows_read)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "StoreReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
