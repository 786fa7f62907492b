"""The console inside a worker: served by Faust's ASGI support, in a thread with an event loop of its own.

On the worker's own loop, where ``faust.contrib.asgi.serve_asgi`` would run it, applying a batch or closing a
day would block the pages, and a slow page would block the batches. With a loop each, neither waits for the
other. They still share one interpreter: for many readers, run ``homeroom console`` as a process of its own.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import faust
from faust.contrib.asgi import AsgiService
from mode.threads import ServiceThread

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CohostedApp:
    """An ASGI application, and the address on which a worker serves it. Made by the command line."""

    create: Callable[[], AbstractContextManager[Any]]
    """Context of the application; ``app.state.live.end_streams()`` ends its open pages."""
    host: str
    port: int
    uvicorn_options: Mapping[str, Any]


def cohost(app: faust.App, cohosted: CohostedApp) -> None:
    """Let a worker serve the application from its start to its end. Before the worker runs."""

    class ConsoleThread(ServiceThread):
        """Starts and stops with the worker; the server stops before the application's context is left."""

        async def on_start(self) -> None:
            self.api = self.add_context(cohosted.create())
            server = AsgiService(
                self.api,
                host=cohosted.host,
                port=cohosted.port,
                uvicorn_options=cohosted.uvicorn_options,
                loop=self.loop,
                beacon=self.beacon,
            )
            await self.add_runtime_dependency(server)
            log.info("the console is at http://%s:%d", cohosted.host, cohosted.port)

        async def on_thread_stop(self) -> None:
            await self.api.state.live.end_streams()

        def on_crash(self, msg: str, *fmt: Any, **_: Any) -> None:
            log.error(msg.format(*fmt), exc_info=True)

    app.conf.web_enabled = True
    app.web_server(ConsoleThread)
