"""Runs the worker: logging, metrics, and Faust's event loop until a signal or a failure ends it."""

import contextlib
import logging
from functools import partial
from typing import NoReturn

import faust
import uvloop

from engine.garbage_collection import collect_seldom
from streams.app import Pipeline
from streams.cohosting import CohostedApp, cohost
from streams.ending import Ending, leave
from streams.logging_setup import configure_logging
from streams.metrics_port import serve_metrics
from streams.settings import Settings

log = logging.getLogger(__name__)


def run(settings: Settings, console: CohostedApp | None = None) -> NoReturn:
    """Work until stopped, and end the process: with code 0 after a signal, not 0 after a failure.

    Raises ``SettingsError`` where a port is taken.
    console: served from this worker, where given.
    """
    ending = Ending(settings.stop_s)
    uvloop.install()
    collect_seldom()
    configure_logging(settings.log_level)
    pipeline = Pipeline(settings, ending)
    if console is not None:
        cohost(pipeline.app, console)
    host, port = settings.metrics_host, settings.metrics_port
    serve_metrics(host, port, pipeline.metrics.registry, "HOMEROOM_METRICS_PORT")
    # Above info Faust sets the root logger to debug to feed its spinner, a sixth of the processor.
    worker = _Worker(pipeline.app, loglevel="info", override_logging=False, redirect_stdouts=False)
    log.info("worker of group %s on %s", settings.group, settings.broker)
    ending.call(partial(_stop, worker))
    leave(_code(worker, pipeline))


class _Worker(faust.Worker):
    """Faust's, which leaves the signals to ``Ending``."""

    def install_signal_handlers(self) -> None:
        """None."""


def _stop(worker: faust.Worker) -> None:
    """As Faust does on a signal. From any thread."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped
        worker.loop.call_soon_threadsafe(worker._on_sigterm)


def _code(worker: faust.Worker, pipeline: Pipeline) -> int:
    """Run it; the process's exit code."""
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        return int(ended.code or 0) if pipeline.failed is None else 1
    except Exception:  # said in the log by who raised it
        return 1
    return 0 if pipeline.failed is None else 1
