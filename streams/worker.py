"""Runs the worker: logging, metrics, and Faust's event loop until a signal or a failure ends it."""

import logging

import faust
import uvloop

from console.access import KeyRing
from streams.app import Pipeline
from streams.exporter import start_http_server
from streams.logs import configure_logging
from streams.memory import collect_seldom
from streams.settings import Settings

log = logging.getLogger(__name__)


def run(settings: Settings, keys: KeyRing | None = None) -> int:
    """Work until stopped. Returns the process's exit code: 0 after a signal, not 0 after a failure.

    keys: who may use the console; it is served from this worker where they are given.
    """
    uvloop.install()
    collect_seldom()
    configure_logging(settings.log_level)
    pipeline = Pipeline(settings)
    if keys is not None:
        from streams.cohosting import cohost  # noqa: PLC0415 - the web's libraries take a while to import

        cohost(pipeline.app, settings, keys)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, settings.metrics_host, pipeline.metrics.registry)
    # Above info Faust sets the root logger to debug to feed its spinner, a sixth of the processor.
    worker = faust.Worker(pipeline.app, loglevel="info", override_logging=False, redirect_stdouts=False)
    log.info("worker of group %s on %s", settings.group, settings.broker)
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        return int(ended.code or 0) if pipeline.failed is None else 1
    return 0 if pipeline.failed is None else 1
