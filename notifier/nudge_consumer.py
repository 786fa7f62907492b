"""Consumes nudges as a member of a consumer group, and commits the offsets of those that are done.

confluent-kafka's consumer blocks, so it has a thread of its own; records are passed to the event loop, which
reports those that are done.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from notifier.kafka_settings import KafkaSettings
from notifier.offsets import Offsets
from notifier.topic_reader import partitions_of
from schemas.topics import NUDGES

log = logging.getLogger(__name__)

COMMIT_EVERY_S = 1.0
MAX_IN_FLIGHT = 50_000
"""Nudges held in memory, about 4 KB each. Beyond it no more are fetched until some are done: so many wait
when those of a whole night wait for the morning."""
RELEASE_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the nudge topic."""

    partition: int
    offset: int
    value: bytes


class NudgeConsumer:
    """A member of the notifiers' consumer group.

    ``handle`` is called with each record on the event loop. ``release`` is awaited there before partitions go
    to another member: it cancels the deliveries of their records, and attempts under way are finished.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        handle: Callable[[Record], None],
        release: Callable[[Collection[int]], Coroutine[Any, Any, None]],
    ) -> None:
        self._kafka = kafka
        self._topic = kafka.prefix + NUDGES.name
        self._handle = handle
        self._release = release
        self._offsets = Offsets()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._full = False

    def done(self, record: Record) -> None:
        """Mark a record as done."""
        with self._lock:
            self._offsets.done(record.partition, record.offset)

    async def run(self) -> None:
        """Consume until cancelled; then commit, and leave the group."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "nudges") as pool:
            consuming = loop.run_in_executor(pool, self._consume, loop)
            try:
                await asyncio.shield(consuming)
            finally:
                self._stop.set()
                await asyncio.wait([consuming])

    def _consume(self, loop: asyncio.AbstractEventLoop) -> None:
        session_ms = round(self._kafka.session_timeout_s * 1000)
        consumer = Consumer(
            {
                "bootstrap.servers": self._kafka.broker,
                "group.id": f"{self._kafka.prefix}{self._kafka.group}-notifier",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": session_ms,
                "heartbeat.interval.ms": min(3000, session_ms // 5),
                "fetch.wait.max.ms": 100,
                "log_level": 3,
            },
            logger=self._kafka.logger,
        )
        partitions_of(consumer, self._topic)

        def on_revoke(_: Consumer, revoked: list[TopicPartition]) -> None:
            self._release_partitions(consumer, loop, [position.partition for position in revoked])

        consumer.subscribe([self._topic], on_revoke=on_revoke, on_lost=on_revoke)
        try:
            committed_at = time.monotonic()
            while not self._stop.is_set():
                self._pause_when_full(consumer)
                self._poll(consumer, loop)
                if time.monotonic() - committed_at >= COMMIT_EVERY_S:
                    self._commit(consumer)
                    committed_at = time.monotonic()
            self._commit(consumer)
        finally:
            consumer.close()

    def _pause_when_full(self, consumer: Consumer) -> None:
        with self._lock:
            full = self._offsets.in_flight() >= MAX_IN_FLIGHT
        if full != self._full:
            self._full = full
            action = "fetching is paused until some are done" if full else "fetching is resumed"
            log.warning("%d nudges are in flight; %s", MAX_IN_FLIGHT, action)
        assigned = consumer.assignment()
        if assigned:
            (consumer.pause if full else consumer.resume)(assigned)

    def _poll(self, consumer: Consumer, loop: asyncio.AbstractEventLoop) -> None:
        for message in consumer.consume(500, 0.2):
            error = message.error()
            if error is not None:
                log.warning("%s: %s", self._topic, error.str())
                continue
            record = Record(message.partition() or 0, message.offset() or 0, message.value() or b"")
            with self._lock:
                self._offsets.begin(record.partition, record.offset)
            loop.call_soon_threadsafe(self._handle, record)

    def _commit(self, consumer: Consumer) -> None:
        with self._lock:
            offsets = self._offsets.committable()
        if not offsets:
            return
        positions = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        try:
            consumer.commit(offsets=positions, asynchronous=False)
        except KafkaException as raised:
            error: KafkaError = raised.args[0]
            # The next commit covers these offsets; a revoked partition is its new owner's.
            log.warning("offsets of %s could not be committed: %s", self._topic, error.str())
            return
        with self._lock:
            self._offsets.committed(offsets)

    def _release_partitions(
        self, consumer: Consumer, loop: asyncio.AbstractEventLoop, partitions: Collection[int]
    ) -> None:
        if not self._stop.is_set():  # when stopping, the deliveries have ended already
            asyncio.run_coroutine_threadsafe(self._release(partitions), loop).result(RELEASE_TIMEOUT_S)
        self._commit(consumer)
        with self._lock:
            for partition in partitions:
                self._offsets.drop(partition)
