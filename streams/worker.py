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
from streams.faust_internals import stop_as_on_sigterm
from streams.logging_setup import configure_logging
from streams.metrics_port import serve_metrics
from streams.settings import Settings
from streams.shutdown import Shutdown, exit_process

log = logging.getLogger(__name__)


def run(settings: Settings, console: CohostedApp | None = None) -> NoReturn:
    """Run until stopped, and end the process: with code 0 after a signal, another one after a failure.

    console: served from this worker, if it is given.

    Raises:
        SettingsError: the metrics' port cannot be listened on.
    """
    shutdown = Shutdown(settings.stop_s)
    uvloop.install()
    collect_seldom()
    configure_logging(settings.log_level)
    pipeline = Pipeline(settings, shutdown)
    if console is not None:
        cohost(pipeline.app, console)
    host, port = settings.metrics_host, settings.metrics_port
    serve_metrics(host, port, pipeline.metrics.registry, "HOMEROOM_METRICS_PORT")
    # Above info Faust sets the root logger to debug to feed its spinner, a sixth of the processor.
    worker = _Worker(pipeline.app, loglevel="info", override_logging=False, redirect_stdouts=False)
    log.info("worker of group %s on %s", settings.group, settings.broker)
    shutdown.on_signal(partial(_stop, worker))
    exit_process(_run_worker(worker, pipeline))


class _Worker(faust.Worker):
    """Faust's worker, with the signals left to ``Shutdown``."""

    def install_signal_handlers(self) -> None:
        """Install none."""


def _stop(worker: faust.Worker) -> None:
    """Stop the worker as Faust does on a signal. Thread-safe."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped
        worker.loop.call_soon_threadsafe(stop_as_on_sigterm, worker)


def _run_worker(worker: faust.Worker, pipeline: Pipeline) -> int:
    """Run the worker until it stops, and return the process's exit code."""
    try:
        worker.execute_from_commandline()
    except SystemExit as exit_request:
        return int(exit_request.code or 0) if pipeline.error is None else 1
    except Exception:  # logged where it was raised
        return 1
    return 0 if pipeline.error is None else 1
