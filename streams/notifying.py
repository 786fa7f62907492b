"""Runs the notifier: gives it Kafka, a publisher, the log and a port for its metrics."""

import asyncio

from prometheus_client import start_http_server

from nudges.notifier.metrics import Metrics
from nudges.notifier.preview import preview
from nudges.notifier.service import Place, composer_of, serve
from nudges.notifier.settings import NotifierSettings
from schemas.topics import NUDGES
from streams.logs import configure_logging
from streams.publisher import Publisher
from streams.settings import Settings


def run(settings: Settings, own: NotifierSettings) -> None:
    """Deliver nudges until told to stop. Raises ``NotifierError`` where it cannot go on."""
    configure_logging(settings.log_level)
    metrics = Metrics()
    if own.metrics_port:
        start_http_server(own.metrics_port, settings.metrics_host, registry=metrics.registry)
    place = Place(settings.broker, settings.prefix, settings.group, settings.session_timeout_s)
    asyncio.run(serve(own, place, Publisher(settings.broker), metrics))


def show(settings: Settings, own: NotifierSettings, *, once: bool) -> None:
    """Print what would be sent, a line of JSON each; only what is there already where ``once``."""
    configure_logging(settings.log_level)
    topic = settings.prefix + NUDGES.name
    asyncio.run(preview(composer_of(own), settings.broker, topic, print, once=once))
