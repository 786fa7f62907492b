"""The console inside a worker: served by Faust's ASGI support, in a thread with an event loop of its own.

On the worker's own loop, as ``faust.contrib.asgi.serve_asgi`` would have it, batches are applied and days
closed whole: pages would stand still meanwhile, and a page that takes long would hold the batches back. With
a loop each, neither waits for the other. They still share one interpreter: who has many readers runs
``homeroom console`` as a process of its own.
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
    """An ASGI application, and where a worker serves it. Put together by who starts the worker."""

    create: Callable[[], AbstractContextManager[Any]]
    """The application while the context lasts; ``app.state.live.leave()`` ends its open pages."""
    host: str
    port: int
    uvicorn_options: Mapping[str, Any]


def cohost(app: faust.App, cohosted: CohostedApp) -> None:
    """Let a worker that is not yet running serve the application, from its start to its end."""

    class ConsoleThread(ServiceThread):
        """Starts when the worker does, and ends with it: first the server, then what it reads from."""

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
            await self.api.state.live.leave()

        def on_crash(self, msg: str, *fmt: Any, **_: Any) -> None:
            log.error(msg.format(*fmt), exc_info=True)

    app.conf.web_enabled = True
    app.web_server(ConsoleThread)
