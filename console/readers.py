"""Readers of the store for many threads: a connection belongs to one thread at a time."""

import queue
from collections.abc import Mapping
from typing import Any

from sinks.address import StoreAddress
from sinks.store import Result, StoreReader

MAX_IDLE = 8
"""Idle connections that are kept. More are opened when needed at the same time, and closed afterwards."""


class Readers:
    """Queries from any thread, each over a connection of its own for that time."""

    def __init__(self, address: StoreAddress, *, timeout: float = 10.0) -> None:
        self._address = address
        self._timeout = timeout
        self._idle: queue.LifoQueue[StoreReader] = queue.LifoQueue(MAX_IDLE)

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Result:
        """See :meth:`sinks.store.StoreReader.query`."""
        try:
            reader = self._idle.get_nowait()
        except queue.Empty:
            reader = StoreReader(self._address, timeout=self._timeout)
        try:
            return reader.query(sql, params)
        finally:
            try:
                self._idle.put_nowait(reader)
            except queue.Full:
                reader.close()

    def rows(self, sql: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows by column name."""
        result = self.query(sql, params)
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    def close(self) -> None:
        """Close the idle connections."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return
