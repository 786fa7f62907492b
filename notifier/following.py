"""Follows the whole of a topic, all partitions, from its beginning or from a moment on.

For what every notifier must know alike, whatever share of the nudges it has: the receipts and the learners'
wishes. A consumer group would share the topic out.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from notifier.errors import NotifierError
from notifier.places import Place

log = logging.getLogger(__name__)

ANSWER_S = 20.0

Take = Callable[[bytes], None]
"""Takes a record's value, on the event loop."""


class Follower:
    """Reads in a thread of its own and hands the values over on the event loop. ``topic``: without prefix."""

    def __init__(self, place: Place, topic: str, take: Take, since: datetime | None = None) -> None:
        self._place = place
        self._topic = place.prefix + topic
        self._take = take
        self._since = since
        self._stop = threading.Event()
        self._caught_up = asyncio.Event()

    async def caught_up(self) -> None:
        """Wait until everything that was there at the start has been taken."""
        await self._caught_up.wait()

    async def run(self) -> None:
        """Follow until cancelled. Raises ``NotifierError`` where the topic is not there."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, f"follow-{self._topic}") as pool:
            try:
                await loop.run_in_executor(pool, self._follow, loop)
            finally:
                self._stop.set()

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._place.broker,
                "group.id": "homeroom-notifier-follower",  # never joined: librdkafka wants a name
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
                "log_level": 3,
            },
            logger=self._place.words,
        )
        try:
            places = self._places(consumer)
            consumer.assign(places)
            behind = {place.partition for place in places}
            while not self._stop.is_set():
                values = []
                for record in consumer.consume(1000, 0.2):
                    error = record.error()
                    if error is None:
                        values.append(record.value())
                    elif error.code() == KafkaError._PARTITION_EOF:
                        behind.discard(record.partition())
                    else:
                        log.warning("%s: %s", self._topic, error.str())
                loop.call_soon_threadsafe(self._hand_over, values, not behind)
        finally:
            consumer.close()

    def _places(self, consumer: Consumer) -> list[TopicPartition]:
        partitions = partitions_of(consumer, self._topic)
        if self._since is None:
            return [TopicPartition(self._topic, at, OFFSET_BEGINNING) for at in partitions]
        moment = int(self._since.timestamp() * 1000)
        wanted = [TopicPartition(self._topic, at, moment) for at in partitions]
        return consumer.offsets_for_times(wanted, timeout=ANSWER_S)

    def _hand_over(self, values: Sequence[bytes | None], caught_up: bool) -> None:
        for value in filter(None, values):
            try:
                self._take(value)
            except Exception as error:  # of whatever is in a record: those behind it are to be taken
                log.error("%s: a record is left out: %s", self._topic, type(error).__name__)
        if caught_up:
            self._caught_up.set()


def partitions_of(consumer: Consumer, topic: str) -> list[int]:
    """The topic's partitions. Raises ``NotifierError`` where it is not there, or no broker answers."""
    try:
        found = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
    except KafkaException as error:
        raise NotifierError(f"{topic}: no Kafka broker answers: {error.args[0].str()}") from error
    if not found.partitions:
        raise NotifierError(f"{topic} is not there; run `homeroom topics create`")
    return sorted(found.partitions)
