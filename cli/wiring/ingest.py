"""Runs the ingest with Kafka, the store, logging and a metrics port; publishes files of any format."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import orjson

from schemas.topics import COURSE_FACTS, EVENTS
from sinks.store import ClickHouseWriter
from sources.formats.registry import format_named
from sources.formats.translation import key_of
from sources.recorded import ReadingNotes, read_recorded
from sources.source_list import SourceList
from streams.ingest.counts import NameCounts
from streams.ingest.metrics import IngestMetrics
from streams.ingest.service import Ingest, process_name
from streams.logging_setup import configure_logging
from streams.metrics_port import serve_metrics
from streams.publisher import Publisher
from streams.settings import Settings
from streams.shutdown import Shutdown

FLUSH_S = 600.0


def run(settings: Settings, sources: SourceList) -> None:
    """Ingest until a signal.

    Raises:
        IngestError: it cannot start, or cannot go on.
        PublishError: the broker does not acknowledge what was published.
        SettingsError: the metrics' port cannot be listened on.
    """
    shutdown = Shutdown(settings.stop_s)
    configure_logging(settings.log_level)
    metrics = IngestMetrics()
    serve_metrics(
        settings.metrics_host, settings.ingest_metrics_port, metrics.registry, "HOMEROOM_INGEST_METRICS_PORT"
    )
    address = settings.store_address
    ingest = Ingest(
        settings,
        sources,
        Publisher(settings.broker, linger_ms=20),
        metrics,
        NameCounts(process_name(socket.gethostname(), os.getpid())),
        None if address is None else ClickHouseWriter(address),
    )
    shutdown.on_signal(ingest.stop)
    ingest.run()


def publish_files(
    settings: Settings, sources: SourceList, paths: Sequence[tuple[str, Path]], platform: str | None = None
) -> tuple[int, ReadingNotes]:
    """Publish files, given with their formats' names. Returns the number of messages, and what was read.

    Raises:
        FormatError, RecordedError, LineFileError: a format or a file is wrong.
        PublishError: the broker does not acknowledge them.
    """
    notes = ReadingNotes()
    files = [(format_named(name, sources.options(name, platform)), path) for name, path in paths]
    publisher = Publisher(settings.broker, linger_ms=20)
    sent = 0
    for message in read_recorded(files, notes, ticks=False):
        topic = COURSE_FACTS if message.broadcast else EVENTS
        key = message.key or key_of(orjson.loads(message.value))
        publisher.send(settings.prefix + topic.name, message.value, key)
        sent += 1
    publisher.flush_now(FLUSH_S)
    return sent, notes
