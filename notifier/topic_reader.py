"""Reads a whole topic, all partitions, from its beginning or from a time on, and follows it.

For topics that every notifier must read completely, whatever its share of the nudges: the receipts and the
learners' wishes. A consumer group would split the partitions.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from notifier.errors import NotifierError
from notifier.kafka_settings import KafkaSettings

log = logging.getLogger(__name__)

BROKER_TIMEOUT_S = 20.0

RecordHandler = Callable[[bytes], None]
"""Called with a record's value, on the event loop."""


class TopicReader:
    """Reads in a thread of its own and passes the values on in the event loop. ``topic``: without prefix."""

    def __init__(
        self, kafka: KafkaSettings, topic: str, handle: RecordHandler, since: datetime | None = None
    ) -> None:
        self._kafka = kafka
        self._topic = kafka.prefix + topic
        self._handle = handle
        self._since = since
        self._stop = threading.Event()
        self._caught_up = asyncio.Event()

    async def caught_up(self) -> None:
        """Wait until every record that was there at the start has been handled."""
        await self._caught_up.wait()

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            NotifierError: the topic does not exist, or no broker answers.
        """
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, f"follow-{self._topic}") as pool:
            try:
                await loop.run_in_executor(pool, self._read, loop)
            finally:
                self._stop.set()

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._kafka.broker,
                "group.id": "homeroom-notifier-follower",  # never joined: librdkafka wants a name
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "log_level": 3,
            },
            logger=self._kafka.logger,
        )
        try:
            positions = self._start_positions(consumer)
            consumer.assign(positions)
            unread = {position.partition for position in positions}
            while not self._stop.is_set():
                values = []
                for record in consumer.consume(1000, 0.2):
                    error = record.error()
                    if error is None:
                        values.append(record.value())
                    elif error.code() == KafkaError._PARTITION_EOF:
                        unread.discard(record.partition())
                    else:
                        log.warning("%s: %s", self._topic, error.str())
                loop.call_soon_threadsafe(self._deliver, values, not unread)
        finally:
            consumer.close()

    def _start_positions(self, consumer: Consumer) -> list[TopicPartition]:
        partitions = partitions_of(consumer, self._topic)
        if self._since is None:
            return [TopicPartition(self._topic, partition, OFFSET_BEGINNING) for partition in partitions]
        moment = int(self._since.timestamp() * 1000)
        timestamps = [TopicPartition(self._topic, partition, moment) for partition in partitions]
        return consumer.offsets_for_times(timestamps, timeout=BROKER_TIMEOUT_S)

    def _deliver(self, values: Sequence[bytes | None], caught_up: bool) -> None:
        for value in filter(None, values):
            try:
                self._handle(value)
            except Exception as error:  # whatever a record contains, those after it are to be handled
                log.error("%s: a record is skipped: %s", self._topic, type(error).__name__)
        if caught_up:
            self._caught_up.set()


def partitions_of(consumer: Consumer, topic: str) -> list[int]:
    """The topic's partitions.

    Raises:
        NotifierError: the topic does not exist, or no broker answers.
    """
    try:
        metadata = consumer.list_topics(topic, timeout=BROKER_TIMEOUT_S).topics[topic]
    except KafkaException as error:
        raise NotifierError(f"{topic}: no Kafka broker answers: {error.args[0].str()}") from error
    if not metadata.partitions:
        raise NotifierError(f"{topic} is not there; run `homeroom topics create`")
    return sorted(metadata.partitions)
