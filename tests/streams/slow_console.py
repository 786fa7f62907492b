"""A worker whose console has a page that takes long and lets nobody else on its loop meanwhile.

``python -m tests.streams.slow_console SECONDS``; the page is ``/slow``.
"""

import sys
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from cli.wiring import console
from console.access import KeyRing
from console.app import create_app
from streams.settings import load
from streams.worker import run


def slow_down(seconds: float) -> None:
    """Add the page to every console that is made."""

    def with_slow_page(*args: Any, **options: Any) -> FastAPI:
        app = create_app(*args, **options)

        @app.get("/slow")
        async def slow() -> str:
            time.sleep(seconds)  # noqa: ASYNC251 - the worst that a page can do
            return "done"

        return app

    setattr(console, "create_app", with_slow_page)  # noqa: B010 - it does not export what it imports


if __name__ == "__main__":
    slow_down(float(sys.argv[1]))
    settings = load()
    keys = KeyRing.of_file(Path(settings.console_keys))
    run(settings, console.cohosted_console(settings, keys))
