"""uvicorn's HTTP protocol with a timeout for each head and a bound on connections.

uvicorn closes connections that are idle between two requests, but waits for ever for a head that has begun,
or for the first one, and accepts every connection. Here a head has a timeout, a response that is not read has
one, and where there are too many connections the one that has waited longest for its head is aborted.
"""

import asyncio
import time
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD = 16 * 1024
"""Bytes of a request's line and headers."""


class BoundedProtocol(H11Protocol):
    """One connection. Tests lower the bounds in a class of their own."""

    head_s: ClassVar[float] = 10.0
    """Seconds from the connection, or the last answer, to the end of the next head."""

    write_s: ClassVar[float] = 30.0
    """Seconds for which a client may read nothing of its response."""

    most: ClassVar[int] = 512
    """Connections at once: half of the files that a process may open as a rule."""

    _idle_since = 0.0
    _head: asyncio.TimerHandle | None = None
    _write: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timeout of the first head, and limit the connections."""
        super().connection_made(transport)
        self._watch_head()
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timeouts."""
        super().connection_lost(exc)
        self._end_head()
        self._end_write()

    def data_received(self, data: bytes) -> None:
        """Check whether the head is complete."""
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """Start the timeout of the next head."""
        super().on_response_complete()
        self._watch_head()

    def pause_writing(self) -> None:
        """The client does not read its response: start a timeout."""
        super().pause_writing()
        self._write = self._write or self.loop.call_later(self.write_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads again: cancel the timeout."""
        super().resume_writing()
        self._end_write()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also where the last response has not been read."""
        super().timeout_keep_alive_handler()
        self._write = self._write or self.loop.call_later(self.write_s, self.transport.abort)

    def _watch_head(self) -> None:
        if not self.is_idle or self.transport.is_closing():
            self._end_head()
        elif self._head is None:
            self._idle_since = time.monotonic()
            self._head = self.loop.call_later(self.head_s, self.transport.abort)

    def _make_room(self) -> None:
        open_connections = [
            connection for connection in self.connections if not connection.transport.is_closing()
        ]
        if len(open_connections) <= self.most:
            return
        idle = [
            connection
            for connection in open_connections
            if isinstance(connection, BoundedProtocol) and connection.is_idle and connection is not self
        ]
        oldest = min(idle, key=lambda connection: connection._idle_since, default=self)
        oldest.transport.abort()

    def _end_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _end_write(self) -> None:
        if self._write is not None:
            self._write.cancel()
            self._write = None
