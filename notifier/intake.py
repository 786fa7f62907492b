"""Takes nudges from the topic as a member of a consumer group, and commits what is done.

confluent-kafka's consumer blocks, so it has a thread of its own; the records are handed over on the event
loop, and what is done is told from there.
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

from notifier.following import partitions_of
from notifier.offsets import Offsets
from notifier.places import Place
from schemas.topics import NUDGES

log = logging.getLogger(__name__)

COMMIT_EVERY_S = 1.0
MOST_UNDER_WAY = 50_000
"""Nudges held in memory, about 4 KB each. Beyond it no more are fetched until some are done: by then those
of a whole night wait for the morning."""
RELEASE_S = 60.0


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the nudge topic."""

    partition: int
    offset: int
    value: bytes


class Intake:
    """The member of the notifiers' group.

    ``take`` is given each record on the event loop. ``release`` is awaited there before partitions go to
    another member: it lets go of their records, and what is under way with a provider comes to its end.
    """

    def __init__(
        self,
        place: Place,
        take: Callable[[Record], None],
        release: Callable[[Collection[int]], Coroutine[Any, Any, None]],
    ) -> None:
        self._place = place
        self._topic = place.prefix + NUDGES.name
        self._take = take
        self._release = release
        self._offsets = Offsets()
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._full = False

    def done(self, record: Record) -> None:
        """The record needs nothing more."""
        with self._changing:
            self._offsets.done(record.partition, record.offset)

    async def run(self) -> None:
        """Take records until cancelled; then commit, and leave the group."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "nudges") as pool:
            consuming = loop.run_in_executor(pool, self._consume, loop)
            try:
                await asyncio.shield(consuming)
            finally:
                self._stop.set()
                await asyncio.wait([consuming])

    def _consume(self, loop: asyncio.AbstractEventLoop) -> None:
        session_ms = round(self._place.session_timeout_s * 1000)
        consumer = Consumer(
            {
                "bootstrap.servers": self._place.broker,
                "group.id": f"{self._place.prefix}{self._place.group}-notifier",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": session_ms,
                "heartbeat.interval.ms": min(3000, session_ms // 5),
                "fetch.wait.max.ms": 100,
                "log_level": 3,
            },
            logger=self._place.words,
        )
        partitions_of(consumer, self._topic)

        def on_revoke(_: Consumer, gone: list[TopicPartition]) -> None:
            self._let_go(consumer, loop, [one.partition for one in gone])

        consumer.subscribe([self._topic], on_revoke=on_revoke, on_lost=on_revoke)
        try:
            committed_at = time.monotonic()
            while not self._stop.is_set():
                self._hold_back(consumer)
                self._hand_over(consumer, loop)
                if time.monotonic() - committed_at >= COMMIT_EVERY_S:
                    self._commit(consumer)
                    committed_at = time.monotonic()
            self._commit(consumer)
        finally:
            consumer.close()

    def _hold_back(self, consumer: Consumer) -> None:
        with self._changing:
            full = self._offsets.under_way() >= MOST_UNDER_WAY
        if full != self._full:
            self._full = full
            told = "no more are fetched until some have their end" if full else "more are fetched again"
            log.warning("%d nudges are under way; %s", MOST_UNDER_WAY, told)
        assigned = consumer.assignment()
        if assigned:
            (consumer.pause if full else consumer.resume)(assigned)

    def _hand_over(self, consumer: Consumer, loop: asyncio.AbstractEventLoop) -> None:
        for message in consumer.consume(500, 0.2):
            error = message.error()
            if error is not None:
                log.warning("%s: %s", self._topic, error.str())
                continue
            record = Record(message.partition() or 0, message.offset() or 0, message.value() or b"")
            with self._changing:
                self._offsets.begin(record.partition, record.offset)
            loop.call_soon_threadsafe(self._take, record)

    def _commit(self, consumer: Consumer) -> None:
        with self._changing:
            reached = self._offsets.committable()
        if not reached:
            return
        places = [TopicPartition(self._topic, at, offset) for at, offset in reached.items()]
        try:
            consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as raised:
            error: KafkaError = raised.args[0]
            # The next commit says the same and more; a partition that has gone is its new owner's.
            log.warning("offsets of %s could not be committed: %s", self._topic, error.str())
            return
        with self._changing:
            self._offsets.committed(reached)

    def _let_go(
        self, consumer: Consumer, loop: asyncio.AbstractEventLoop, partitions: Collection[int]
    ) -> None:
        if not self._stop.is_set():  # on the way out the deliveries have ended already
            asyncio.run_coroutine_threadsafe(self._release(partitions), loop).result(RELEASE_S)
        self._commit(consumer)
        with self._changing:
            for partition in partitions:
                self._offsets.drop(partition)
