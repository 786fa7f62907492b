"""Runs the notifier: gives it Kafka, a publisher, the log and a port for its metrics."""

import asyncio

from notifier.metrics import Metrics
from notifier.places import Place
from notifier.preview import preview
from notifier.service import composer_of, serve
from notifier.settings import NotifierSettings
from streams.logging_setup import LIBRDKAFKA_LOG, configure_logging
from streams.metrics_port import serve_metrics
from streams.publisher import Publisher
from streams.settings import Settings, load_kind


def load_notifier() -> NotifierSettings:
    """The notifier's settings in force. Raises ``SettingsError`` with one line for each that is wrong."""
    return load_kind(NotifierSettings, {})


def run(settings: Settings, own: NotifierSettings) -> None:
    """Deliver nudges until told to stop. Raises ``NotifierError``, ``SettingsError`` where it cannot."""
    configure_logging(settings.log_level)
    metrics = Metrics()
    host, port = settings.metrics_host, own.metrics_port
    serve_metrics(host, port, metrics.registry, "HOMEROOM_NOTIFIER_METRICS_PORT")
    asyncio.run(serve(own, place_of(settings), Publisher(settings.broker), metrics))


def show(settings: Settings, own: NotifierSettings, *, once: bool) -> None:
    """Print what would be sent, a line of JSON each; only what is there already where ``once``."""
    configure_logging(settings.log_level)
    asyncio.run(preview(composer_of(own), place_of(settings), print, once=once))


def place_of(settings: Settings, session_timeout_s: float | None = None) -> Place:
    """Where Kafka is; what librdkafka says of it goes to our log, a line now and then."""
    silent_s = settings.session_timeout_s if session_timeout_s is None else session_timeout_s
    return Place(settings.broker, settings.prefix, settings.group, LIBRDKAFKA_LOG, silent_s)
