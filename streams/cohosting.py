"""The console inside a worker: served by Faust's ASGI support, in a thread with an event loop of its own.

On the worker's own loop, as ``faust.contrib.asgi.serve_asgi`` would have it, batches are applied and days
closed whole: pages would stand still meanwhile, and a page that takes long would hold the batches back. With
a loop each, neither waits for the other. They still share one interpreter: who has many readers runs
``homeroom console`` as a process of its own.
"""

import logging
from collections.abc import Iterable
from typing import Any

import faust
from faust.contrib.asgi import AsgiService
from mode.threads import ServiceThread

from cli.wiring.console import Place, assembled, server_options, site_of
from console.access import ApiKey, KeyRing
from streams.settings import Settings

log = logging.getLogger(__name__)


def cohost(app: faust.App, settings: Settings, keys: Iterable[ApiKey] | KeyRing) -> None:
    """Let a worker that is not yet running serve the console, from its start to its end.

    Raises ``SettingsError`` where the console's port is taken, or a setting of it is wrong.
    """
    site_of(settings)
    place = Place(settings.console_host, settings.console_port)
    place.check()

    class ConsoleThread(ServiceThread):
        """Starts when the worker does, and ends with it: first the server, then what it reads from."""

        async def on_start(self) -> None:
            self.api = self.add_context(assembled(settings, keys))
            server = AsgiService(
                self.api,
                host=place.host,
                port=place.port,
                uvicorn_options=server_options(settings),
                loop=self.loop,
                beacon=self.beacon,
            )
            await self.add_runtime_dependency(server)
            log.info("the console is at %s", place.url)

        async def on_thread_stop(self) -> None:
            await self.api.state.live.leave()

        def on_crash(self, msg: str, *fmt: Any, **_: Any) -> None:
            log.error(msg.format(*fmt), exc_info=True)

    app.conf.web_enabled = True
    app.web_server(ConsoleThread)
