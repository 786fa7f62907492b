"""An HTTP endpoint on this machine that answers as a test has it, and remembers what it was sent."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

Plan = Callable[[int, bytes], int | dict[str, str] | str]
"""Number of the request from 1, and its body → a status; headers of a 429; or "cut" or "hang"."""


@dataclass
class Endpoint:
    """What was received: headers and bodies in order."""

    plan: Plan = lambda _number, _body: 200
    url: str = ""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    elsewhere: int = 0
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.received.append((dict(request.headers), body))
        answer = self.plan(len(self.received), body)
        if answer == "cut":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if answer == "hang":
            await self.let_go.wait()
            return web.Response()
        if isinstance(answer, dict):
            return web.Response(status=429, headers=answer)
        assert isinstance(answer, int)
        return web.Response(status=answer, headers={"Location": "/elsewhere"} if answer < 400 else {})

    async def handle_elsewhere(self, _: web.Request) -> web.Response:
        self.elsewhere += 1
        return web.Response()


@contextmanager
def endpoint(plan: Plan) -> Iterator[Endpoint]:
    """Serve it in a thread of its own."""
    made = Endpoint(plan)
    loop = asyncio.new_event_loop()
    app = web.Application()
    app.router.add_post("/in", made.handle)
    app.router.add_route("*", "/elsewhere", made.handle_elsewhere)
    runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/in"

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(made.let_go.set)
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
