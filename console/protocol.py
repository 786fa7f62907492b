"""How the console's server reads: uvicorn's protocol with a time for each head and a bound on connections.

uvicorn closes what is idle between two requests, but waits for ever for a head that has begun, or for the
first one, and takes every connection. Here a head has its time, an answer that nobody reads has one, and
where there are too many connections the one that has waited longest for its head makes room for the next.
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
    """Seconds for which a client may take nothing of its answer."""

    most: ClassVar[int] = 512
    """Connections at once: half of the files that a process may open as a rule."""

    _since = 0.0
    _head: asyncio.TimerHandle | None = None
    _write: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether it has no request that is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Watch the first head, and make room."""
        super().connection_made(transport)
        self._watch_head()
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Watch nothing more."""
        super().connection_lost(exc)
        self._end_head()
        self._end_write()

    def data_received(self, data: bytes) -> None:
        """Look whether the head is whole."""
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """Watch the next head."""
        super().on_response_complete()
        self._watch_head()

    def pause_writing(self) -> None:
        """The client does not take its answer: not for ever."""
        super().pause_writing()
        self._write = self._write or self.loop.call_later(self.write_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It takes it again."""
        super().resume_writing()
        self._end_write()

    def timeout_keep_alive_handler(self) -> None:
        """Close what is idle, also where the last answer is still to be taken."""
        super().timeout_keep_alive_handler()
        self._write = self._write or self.loop.call_later(self.write_s, self.transport.abort)

    def _watch_head(self) -> None:
        if not self.waits or self.transport.is_closing():
            self._end_head()
        elif self._head is None:
            self._since = time.monotonic()
            self._head = self.loop.call_later(self.head_s, self.transport.abort)

    def _make_room(self) -> None:
        there = [one for one in self.connections if not one.transport.is_closing()]
        if len(there) <= self.most:
            return
        waiting = [one for one in there if isinstance(one, BoundedProtocol) and one.waits and one is not self]
        oldest = min(waiting, key=lambda one: one._since, default=self)
        oldest.transport.abort()

    def _end_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _end_write(self) -> None:
        if self._write is not None:
            self._write.cancel()
            self._write = None
