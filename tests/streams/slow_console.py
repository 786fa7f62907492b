"""A worker whose console has a page that takes long and lets nobody else on its loop meanwhile.

``python -m tests.streams.slow_console SECONDS``; the page is ``/slow``.
"""

import sys
import time
from pathlib import Path
from typing import Any

from fastapi import FastAPI

import streams.console
from console.access import read_keys
from streams.settings import load
from streams.worker import run


def slow_down(seconds: float) -> None:
    """Add the page to every console that is made."""
    create_app = streams.console.create_app

    def with_slow_page(*args: Any, **options: Any) -> FastAPI:
        app = create_app(*args, **options)

        @app.get("/slow")
        async def slow() -> str:
            time.sleep(seconds)  # noqa: ASYNC251 - the worst that a page can do
            return "done"

        return app

    streams.console.create_app = with_slow_page


if __name__ == "__main__":
    slow_down(float(sys.argv[1]))
    settings = load()
    sys.exit(run(settings, read_keys(Path(settings.console_keys))))
