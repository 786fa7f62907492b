"""Runs the notifier: gives it Kafka, a publisher, the log and a port for its metrics."""

import asyncio

from nudges.notifier.metrics import Metrics
from nudges.notifier.places import Place
from nudges.notifier.preview import preview
from nudges.notifier.service import composer_of, serve
from nudges.notifier.settings import NotifierSettings
from streams.exporter import start_http_server
from streams.logs import BROKERS_WORDS, configure_logging
from streams.publisher import Publisher
from streams.settings import Settings


def run(settings: Settings, own: NotifierSettings) -> None:
    """Deliver nudges until told to stop. Raises ``NotifierError`` where it cannot go on."""
    configure_logging(settings.log_level)
    metrics = Metrics()
    if own.metrics_port:
        start_http_server(own.metrics_port, settings.metrics_host, metrics.registry)
    asyncio.run(serve(own, place_of(settings), Publisher(settings.broker), metrics))


def show(settings: Settings, own: NotifierSettings, *, once: bool) -> None:
    """Print what would be sent, a line of JSON each; only what is there already where ``once``."""
    configure_logging(settings.log_level)
    asyncio.run(preview(composer_of(own), place_of(settings), print, once=once))


def place_of(settings: Settings, session_timeout_s: float | None = None) -> Place:
    """Where Kafka is; what librdkafka says of it goes to our log, a line now and then."""
    silent_s = settings.session_timeout_s if session_timeout_s is None else session_timeout_s
    return Place(settings.broker, settings.prefix, settings.group, BROKERS_WORDS, silent_s)
