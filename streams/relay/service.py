"""The relay service: a consumer group over risk changes and nudges, each delivered to one endpoint.

At least once: offsets are committed when their messages are delivered, or are dead letters. A learner's
messages are delivered in the order of the topic, those of several learners side by side. Records are fetched
a round at a time, so an endpoint that is slow or away holds the topics up and memory stays as it is.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import ClientSession, DummyCookieJar
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from pydantic import TypeAdapter, ValidationError

from schemas.cloud_event import OutMessage
from schemas.dead_letter import DeadLetterReason
from schemas.topics import NUDGES, RISK_CHANGES
from streams.dead_letters import send_dead_letter
from streams.publisher import Publisher
from streams.relay.delivery import Delivery, RelayError
from streams.relay.forms import Forms
from streams.relay.metrics import RelayMetrics
from streams.relay.records import OutRecord, committable, lanes, letter_of
from streams.relay.settings import RelaySettings
from streams.settings import Settings
from streams.topic_reader import commit, group_consumer, raise_if_final, require_topics

log = logging.getLogger(__name__)

ROUND = 200
"""Records of a round: what is held in memory."""
POLL_S = 0.2
TOPICS = (RISK_CHANGES, NUDGES)


class Relay:
    """Reads and delivers until it is stopped; one thread."""

    def __init__(
        self, settings: Settings, own: RelaySettings, publisher: Publisher, metrics: RelayMetrics
    ) -> None:
        self._settings, self._own, self._publisher, self._metrics = settings, own, publisher, metrics
        self._adapters: Mapping[str, TypeAdapter[Any]] = {
            settings.prefix + topic.name: topic.adapter for topic in TOPICS if topic.adapter is not None
        }
        self._stopped = threading.Event()
        self._revoked = False
        self._done: set[OutRecord] = set()
        self._round: list[OutRecord] = []

    def stop(self) -> None:
        """End soon: requests under way are cut off, and come again at the next start. Thread-safe."""
        self._stopped.set()

    def run(self) -> None:
        """Run until :meth:`stop`.

        Raises:
            RelayError: a topic is missing or may not be read, or the endpoint is gone.
            PublishError: the broker does not take a dead letter.
        """
        asyncio.run(self._run())

    async def _run(self) -> None:
        consumer = self._consumer()
        consumer.subscribe(sorted(self._adapters), on_revoke=self._on_revoke, on_lost=self._on_revoke)
        try:
            async with ClientSession(cookie_jar=DummyCookieJar()) as session:
                forms = Forms(self._own, self._settings.identity, self._settings.prefix)
                delivery = Delivery(self._own, forms, session, self._metrics)
                while not self._stopped.is_set():
                    _resume(consumer)
                    records = self._records(consumer.consume(ROUND, POLL_S))
                    if records:
                        await self._deliver_round(consumer, delivery, records)
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        consumer = group_consumer(
            self._settings,
            self._own.name,
            enable_auto_offset_store=False,
            queued_max_messages_kbytes=4_096,
        )
        require_topics(consumer, self._adapters, RelayError, "run `homeroom topics create`")
        return consumer

    def _records(self, messages: Iterable[Message]) -> list[OutRecord]:
        records = []
        for message in messages:
            error = message.error()
            if error is None:
                records.append(OutRecord.of(message))
            elif error.code() != KafkaError._PARTITION_EOF:
                raise_if_final(error, RelayError)
        return records

    async def _deliver_round(self, consumer: Consumer, delivery: Delivery, records: list[OutRecord]) -> None:
        """Deliver records, while the group hears from this member; then commit what is done of them.

        Where partitions are revoked meanwhile, those records are committed that are done; all others come
        again, here or elsewhere.
        """
        self._round, self._done, self._revoked = records, set(), False
        free = asyncio.Semaphore(self._own.concurrency)
        tasks = [asyncio.create_task(self._deliver_lane(delivery, lane, free)) for lane in lanes(records)]
        consumer.pause(consumer.assignment())
        try:
            await self._until_done(consumer, asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if not self._revoked:
                self._commit(consumer)
            self._round = []

    async def _until_done(self, consumer: Consumer, delivering: "asyncio.Future[Any]") -> None:
        while not delivering.done() and not self._stopped.is_set() and not self._revoked:
            await asyncio.wait([delivering], timeout=POLL_S)
            record = consumer.poll(0)  # says to the group that this member lives, and nothing more:
            if record is not None and record.error() is None:  # after a rebalance, a record may come
                self._seek_back(consumer, record)
        if delivering.done():
            delivering.result()
        else:
            delivering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await delivering

    def _seek_back(self, consumer: Consumer, record: Message) -> None:
        """Have a record come again that was read out of turn."""
        position = TopicPartition(str(record.topic()), record.partition() or 0, record.offset() or 0)
        with contextlib.suppress(KafkaException):  # the partition is another member's by now
            consumer.seek(position)

    async def _deliver_lane(self, delivery: Delivery, lane: list[OutRecord], free: asyncio.Semaphore) -> None:
        for record in lane:
            async with free:
                await self._deliver(delivery, record)
            self._done.add(record)

    async def _deliver(self, delivery: Delivery, record: OutRecord) -> None:
        try:
            message: OutMessage = self._adapters[record.topic].validate_json(record.value or b"")
        except ValidationError as errors:
            first = errors.errors(include_url=False, include_context=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"]))
            self._refuse(record, "invalid", f"{field}: {first['msg']}".removeprefix(": "), field)
            return
        refusal = await delivery.deliver(message)
        if refusal is None:
            self._metrics.messages.labels(self._plain(record), "delivered").inc()
        else:
            self._refuse(record, "rejected", refusal)

    def _refuse(self, record: OutRecord, reason: DeadLetterReason, detail: str, field: str = "") -> None:
        letter = letter_of(record, self._plain(record), reason, detail, field)
        send_dead_letter(self._publisher, self._settings.prefix, letter)
        self._metrics.messages.labels(letter.topic, reason).inc()
        log.warning("%s is a dead letter: %s", letter.dead_letter_id, reason)

    def _plain(self, record: OutRecord) -> str:
        return record.topic.removeprefix(self._settings.prefix)

    def _on_revoke(self, consumer: Consumer, _: list[TopicPartition]) -> None:
        self._revoked = True
        self._commit(consumer)

    def _commit(self, consumer: Consumer) -> None:
        """Commit what is done of the round, once its dead letters are durable."""
        offsets = committable(self._round, self._done)
        if not offsets:
            return
        self._publisher.flush_now()
        if commit(consumer, offsets):
            self._metrics.committed_at.set_to_current_time()


def _resume(consumer: Consumer) -> None:
    """Fetch from all partitions again. Those that a rebalance brought may be paused from before, too."""
    if assigned := consumer.assignment():
        consumer.resume(assigned)
