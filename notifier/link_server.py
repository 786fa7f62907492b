"""Serves the links' endpoint on its port, with bounds on the resources that a client can use.

aiohttp waits for ever for a head that has begun, and accepts every connection. Here a connection that has no
request, or has one for too long, is aborted; where there are too many, the one that has waited longest.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

CHECK_EVERY_S = 0.5
LINGER_S = 2.0
"""Seconds for which the rest of an unread body is read."""

Connection = RequestHandler
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """head_s: seconds to the end of a request's head; answer_s: for all the rest; most: connections."""

    head_s: float = 10.0
    answer_s: float = 30.0
    most: int = 256


@dataclass(slots=True)
class ConnectionLimiter:
    """Tracks since when each connection waits for a head, or has a request. Used in one event loop."""

    bounds: Bounds
    waiting: dict[Connection, float] = field(default_factory=dict)
    busy: dict[Connection, float] = field(default_factory=dict)

    def add(self, connection: Connection) -> None:
        """Add a connection; where there are too many, abort the one that has waited longest."""
        self._make_room(self.bounds.most - 1)
        self.waiting[connection] = time.monotonic()

    def middleware(self) -> Any:
        """The middleware that tracks requests, and refuses at once a body that is too long."""

        @web.middleware
        async def answering(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = request.protocol
            self.waiting.pop(connection, None)
            self.busy[connection] = time.monotonic()
            try:
                if (request.content_length or 0) > request.client_max_size:
                    raise web.HTTPRequestEntityTooLarge(0, request.content_length or 0)
                return await handler(request)
            finally:
                del self.busy[connection]
                self.waiting[connection] = time.monotonic()

        return answering

    async def watch(self) -> None:
        """Abort connections that are too slow, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            self._make_room(self.bounds.most)
            now = time.monotonic()
            for connections, limit_s in (
                (self.waiting, self.bounds.head_s),
                (self.busy, self.bounds.answer_s),
            ):
                for connection, since in list(connections.items()):
                    if connection.transport is None and now - since > CHECK_EVERY_S:
                        connections.pop(connection, None)  # closed by the client
                    elif now - since > limit_s:
                        self._cut(connection)

    def _make_room(self, most: int) -> None:
        """Abort those that have waited longest; one without a transport yet cannot be aborted."""
        excess = len(self.waiting) + len(self.busy) - most
        closable = (
            [connection for connection in self.waiting if connection.transport is not None]
            if excess > 0
            else []
        )
        for connection in sorted(closable, key=lambda connection: self.waiting[connection])[: max(excess, 0)]:
            self._cut(connection)

    def _cut(self, connection: Connection) -> None:
        self.waiting.pop(connection, None)
        if connection.transport is not None:
            connection.transport.abort()


@contextlib.asynccontextmanager
async def serve_links(
    app: web.Application, host: str, port: int, bounds: Bounds | None = None
) -> AsyncIterator[None]:
    """Serve the app until the end of the block.

    Raises:
        OSError: the port is in use.
    """
    limiter = ConnectionLimiter(bounds or Bounds())
    app.middlewares.insert(0, limiter.middleware())
    runner = web.AppRunner(app, access_log=None, lingering_time=LINGER_S)
    await runner.setup()
    factory = runner.server
    assert factory is not None, "the runner is set up"  # noqa: S101

    def make_connection() -> Connection:
        connection = factory()
        limiter.add(connection)
        return connection

    watcher = asyncio.create_task(limiter.watch(), name="connection-limiter")
    try:
        server = await asyncio.get_running_loop().create_server(make_connection, host, port)
        try:
            yield
        finally:
            server.close()
    finally:
        watcher.cancel()
        await runner.cleanup()
