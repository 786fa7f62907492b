"""The links' endpoint on its port, with bounds on what anybody on the internet may cost it.

aiohttp waits for ever for a head that has begun, and takes every connection. Here a connection that has no
request, or has one for too long, is cut off; and where there are too many, the one that has waited longest.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

LOOK_S = 0.5
LINGER_S = 2.0
"""Seconds for which what is left of a body is read that nobody asked for."""

Connection = RequestHandler
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """head_s: seconds to the end of a request's head; answer_s: for all the rest; most: connections."""

    head_s: float = 10.0
    answer_s: float = 30.0
    most: int = 256


@dataclass(slots=True)
class Doorkeeper:
    """Knows since when each connection has waited for a head, or has had a request. Of one event loop."""

    bounds: Bounds
    waiting: dict[Connection, float] = field(default_factory=dict)
    busy: dict[Connection, float] = field(default_factory=dict)

    def arrived(self, connection: Connection) -> None:
        """Take one more; the one that has waited longest goes where there are too many."""
        self._make_room(self.bounds.most - 1)
        self.waiting[connection] = time.monotonic()

    def middleware(self) -> Any:
        """What tells that a request is being answered, and refuses a body that is too long at once."""

        @web.middleware
        async def answering(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = request.protocol
            self.waiting.pop(connection, None)
            self.busy[connection] = time.monotonic()
            try:
                if (request.content_length or 0) > request.app._client_max_size:
                    raise web.HTTPRequestEntityTooLarge(0, request.content_length or 0)
                return await handler(request)
            finally:
                del self.busy[connection]
                self.waiting[connection] = time.monotonic()

        return answering

    async def watch(self) -> None:
        """Cut off whoever is too slow, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._make_room(self.bounds.most)
            now = time.monotonic()
            for some, most in ((self.waiting, self.bounds.head_s), (self.busy, self.bounds.answer_s)):
                for connection, since in list(some.items()):
                    if connection.transport is None and now - since > LOOK_S:
                        some.pop(connection, None)  # it has gone by itself
                    elif now - since > most:
                        self._cut(connection)

    def _make_room(self, most: int) -> None:
        """Cut those that have waited longest; who has come in this very moment cannot be cut yet."""
        over = len(self.waiting) + len(self.busy) - most
        there = [one for one in self.waiting if one.transport is not None] if over > 0 else []
        for connection in sorted(there, key=lambda one: self.waiting[one])[: max(over, 0)]:
            self._cut(connection)

    def _cut(self, connection: Connection) -> None:
        self.waiting.pop(connection, None)
        if connection.transport is not None:
            connection.transport.abort()


@contextlib.asynccontextmanager
async def listening(
    app: web.Application, host: str, port: int, bounds: Bounds | None = None
) -> AsyncIterator[None]:
    """The app, listening. Raises ``OSError`` where the port is taken."""
    keeper = Doorkeeper(bounds or Bounds())
    app.middlewares.insert(0, keeper.middleware())
    runner = web.AppRunner(app, access_log=None, lingering_time=LINGER_S)
    await runner.setup()
    factory = runner.server
    assert factory is not None, "the runner is set up"  # noqa: S101

    def arrive() -> Connection:
        connection = factory()
        keeper.arrived(connection)
        return connection

    watching = asyncio.create_task(keeper.watch(), name="doorkeeper")
    try:
        server = await asyncio.get_running_loop().create_server(arrive, host, port)
        try:
            yield
        finally:
            server.close()
    finally:
        watching.cancel()
        await runner.cleanup()
