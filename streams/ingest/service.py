"""The ingest service: a consumer group over the sources' topics, whose messages go to our own topics.

At least once: offsets are committed when all that was made of their records is acknowledged. Event ids are
deterministic, so that what is published twice counts once. Messages go to a partition by the learner,
whatever the key was; a learner's events keep their order where the source keeps it. Any number of processes
share the topics' partitions.
"""

import logging
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from engine.outputs import Columns
from schemas.dead_letter import DeadLetter
from schemas.errors import HomeroomError
from schemas.extras import require_extras
from sinks.errors import StoreError
from sinks.store import Writer
from sources.formats.adapter import Adapter
from sources.formats.records import RawRecord
from sources.formats.wire_schemas import Schemas, SchemasAwayError
from sources.source_list import SourceList
from streams.dead_letters import send_dead_letter
from streams.ingest.batch import TopicRecord, TranslatedBatch, translate_batch
from streams.ingest.counts import TABLE, NameCounts
from streams.ingest.metrics import IngestMetrics
from streams.publisher import Publisher
from streams.settings import Settings
from streams.store_writer import letter_rows
from streams.topic_reader import commit, group_consumer, raise_if_final, require_topics

log = logging.getLogger(__name__)

BATCH = 4_000
POLL_S = 0.5
COMMIT_EVERY_S = 1.0
MAX_UNCOMMITTED = 100_000
"""Records that are published before their delivery is awaited and their offsets committed."""
STORE_EVERY_S = 10.0
MAX_WAITING_LETTERS = 20_000
"""Rows of dead letters that wait for a store that is down; further ones are on their topic alone."""
FLUSH_S = 120.0
MAX_POLL_MS = 600_000
REGISTRY_RETRY_S = 5.0
"""Between two tries where the schema registry does not answer; records wait meanwhile."""


class IngestError(HomeroomError, RuntimeError):
    """The ingest cannot start, or cannot go on."""


def require_sources(sources: SourceList) -> None:
    """Check that there is a topic to read; before anybody waits for a broker.

    Raises:
        IngestError: the list has none.
    """
    if not sources.topics:
        raise IngestError("HOMEROOM_SOURCES names no topics; expected topics with their formats")


class Ingest:
    """Reads, translates and publishes until it is stopped; one thread."""

    def __init__(
        self,
        settings: Settings,
        sources: SourceList,
        publisher: Publisher,
        metrics: IngestMetrics,
        counts: NameCounts,
        writer: Writer | None = None,
    ) -> None:
        """writer: of the store; None without one.

        Raises:
            IngestError: the list has no topic.
        """
        require_sources(sources)
        self._settings = settings
        self._publisher = publisher
        self._metrics, self._counts, self._writer = metrics, counts, writer
        schemas = _schema_registry(sources.schema_registry)
        self._adapters: dict[str, Adapter] = {
            topic.name: sources.adapter(topic, schemas) for topic in sources.topics
        }
        self._stopped = threading.Event()
        self._uncommitted: dict[tuple[str, int], int] = {}
        self._uncommitted_records = 0
        self._waiting_letters: list[DeadLetter] = []

    def stop(self) -> None:
        """End soon, after a last commit. Thread-safe."""
        self._stopped.set()

    def run(self) -> None:
        """Run until :meth:`stop`.

        Raises:
            IngestError: a topic is missing, or may not be read.
            PublishError: the broker does not acknowledge what was published.
        """
        consumer = self._consumer()
        consumer.subscribe(sorted(self._adapters), on_revoke=self._on_revoke)
        committed_at = stored_at = time.monotonic()
        try:
            while not self._stopped.is_set():
                self._apply(consumer.consume(BATCH, POLL_S))
                now = time.monotonic()
                if now - committed_at >= COMMIT_EVERY_S or self._uncommitted_records >= MAX_UNCOMMITTED:
                    self._commit(consumer)
                    committed_at = now
                if now - stored_at >= STORE_EVERY_S:
                    self._store()
                    stored_at = now
            self._commit(consumer)
            self._store()
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        consumer = group_consumer(self._settings, "ingest", max_poll_interval_ms=MAX_POLL_MS)
        require_topics(consumer, self._adapters, IngestError, "HOMEROOM_SOURCES names it")
        return consumer

    def _apply(self, records: Iterable[Message]) -> None:
        by_topic: dict[str, list[TopicRecord]] = {}
        for message in records:
            error = message.error()
            if error is None:
                by_topic.setdefault(str(message.topic()), []).append(_topic_record(message))
            elif error.code() != KafkaError._PARTITION_EOF:
                raise_if_final(error, IngestError)
        for topic, topic_records in by_topic.items():
            batch = self._translated(topic, topic_records)
            if batch is None:
                continue
            self._publish(topic, batch)
            self._metrics.count(topic, len(topic_records), batch)
            for record in topic_records:
                self._uncommitted[topic, record.partition] = record.offset + 1
            self._uncommitted_records += len(topic_records)

    def _translated(self, topic: str, records: list[TopicRecord]) -> TranslatedBatch | None:
        """The translated records; None where the registry is away until the end: they are read again then."""
        while True:
            try:
                return translate_batch(topic, self._adapters[topic], records)
            except SchemasAwayError as error:
                log.warning("records of %s wait: %s", topic, error)
                if self._stopped.wait(REGISTRY_RETRY_S):
                    return None

    def _publish(self, topic: str, batch: TranslatedBatch) -> None:
        send, prefix = self._publisher.send, self._settings.prefix
        for record in batch.records:
            send(prefix + record.topic, record.value, record.key)
        for letter in batch.letters:
            send_dead_letter(self._publisher, prefix, letter)
        if self._writer is not None:
            room = MAX_WAITING_LETTERS - len(self._waiting_letters)
            self._waiting_letters += batch.letters[: max(room, 0)]
        self._counts.add(topic, batch.names)

    def _on_revoke(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self._commit(consumer)

    def _commit(self, consumer: Consumer) -> None:
        """Wait until everything published is acknowledged, then commit the offsets of its records."""
        if not self._uncommitted:
            return
        self._publisher.flush_now(FLUSH_S)
        if commit(consumer, self._uncommitted):
            self._metrics.committed_at.set_to_current_time()
        self._uncommitted.clear()
        self._uncommitted_records = 0

    def _store(self) -> None:
        """Write counts and dead letters to the store; where it does not answer, the next time."""
        writer = self._writer
        if writer is None:
            return
        try:
            if self._waiting_letters:
                writer.write("dead_letters", letter_rows(self._waiting_letters))
                self._waiting_letters = []
            rows: Columns | None = self._counts.changed_rows()
            if rows is not None:
                writer.write(TABLE, rows)
                self._counts.written()
        except StoreError as error:
            log.warning("counts and dead letters wait for the store: %s", error)


def _topic_record(message: Any) -> TopicRecord:
    """A record of librdkafka as the adapters take it. Its types leave out what a header or a key may be."""
    headers = {name.lower(): value for name, value in message.headers() or () if isinstance(value, bytes)}
    _, timestamp = message.timestamp()
    content = RawRecord(message.value(), message.key(), headers, timestamp)
    return TopicRecord(message.partition(), message.offset(), content)


def process_name(host: str, pid: int) -> str:
    """A name of this process, for its counts."""
    return f"{host}:{pid}:{datetime.now(UTC):%Y%m%dT%H%M%S}"


def _schema_registry(address: str) -> Schemas | None:
    """The schema registry at an address; None without one. Its client is an extra, which most do not need."""
    if not address:
        return None
    require_extras("registry")
    from streams.schema_registry import SchemaRegistry  # noqa: PLC0415 - httpx and authlib, for few sources

    return SchemaRegistry(address)
