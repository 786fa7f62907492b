"""Runs the notifier with Kafka, a publisher, logging and a metrics port."""

import asyncio

from notifier.kafka_settings import KafkaSettings
from notifier.metrics import Metrics
from notifier.preview import preview
from notifier.service import composer_of, serve
from notifier.settings import NotifierSettings
from streams.logging_setup import LIBRDKAFKA_LOG, configure_logging
from streams.metrics_port import serve_metrics
from streams.publisher import Publisher
from streams.settings import Settings, load_kind


def load_notifier() -> NotifierSettings:
    """The notifier's settings in force.

    Raises:
        SettingsError: settings are wrong; one line for each.
    """
    return load_kind(NotifierSettings, {})


def run(settings: Settings, own: NotifierSettings) -> None:
    """Deliver nudges until SIGTERM.

    Raises:
        NotifierError: the notifier cannot start or go on.
        SettingsError: a setting is wrong.
    """
    configure_logging(settings.log_level)
    metrics = Metrics()
    host, port = settings.metrics_host, own.metrics_port
    serve_metrics(host, port, metrics.registry, "HOMEROOM_NOTIFIER_METRICS_PORT")
    asyncio.run(serve(own, place_of(settings), Publisher(settings.broker), metrics))


def show(settings: Settings, own: NotifierSettings, *, once: bool) -> None:
    """Print what would be sent as JSON lines; with ``once``, end after what is in the topic already."""
    configure_logging(settings.log_level)
    asyncio.run(preview(composer_of(own), place_of(settings), print, once=once))


def place_of(settings: Settings, session_timeout_s: float | None = None) -> KafkaSettings:
    """Kafka's address and names for the notifier; librdkafka's messages go to our log, rate-limited."""
    silent_s = settings.session_timeout_s if session_timeout_s is None else session_timeout_s
    return KafkaSettings(settings.broker, settings.prefix, settings.group, LIBRDKAFKA_LOG, silent_s)
