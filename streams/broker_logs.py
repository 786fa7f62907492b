"""What the broker says of logs: their topic's id, where they begin and end, where a group stands in them."""

import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from engine.continuity import AppliedPosition, Log
from schemas.errors import HomeroomError
from streams.logging_setup import BROKERS_WORDS
from streams.topic_reader import own_reader

ASK_S = 10.0
PATIENCE_S = 60.0
"""A broker that is just electing leaders answers after some seconds."""

LOOK_S = 5.0

Place = tuple[str, int]
"""Topic and partition."""


class LogsError(HomeroomError, RuntimeError):
    """The broker did not tell of its logs in time."""


class Found(NamedTuple):
    """A log, and the offset that the group has committed in it (0 where none) with the topic's id of then."""

    log: Log
    committed: int
    topic_id: str


class BrokerLogs:
    """Asks on behalf of one group. Every call blocks; none changes anything on the broker."""

    def __init__(self, address: str, group: str) -> None:
        self._address = address
        self._group = group

    def find(self, vouched: Mapping[Place, AppliedPosition]) -> dict[Place, Found]:
        """The logs of these places. Raises ``LogsError`` where the broker does not answer in time.

        vouched: what was applied of each: an end that lies before it is looked at twice.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self._find(vouched)
            except KafkaException as error:
                if time.monotonic() > deadline:
                    words = error.args[0].str()
                    raise LogsError(
                        f"the broker on {self._address} does not tell of its logs: {words}"
                    ) from None
                time.sleep(0.5)

    def _find(self, vouched: Mapping[Place, AppliedPosition]) -> dict[Place, Found]:
        ids = self.topic_ids({topic for topic, _ in vouched})
        consumer = own_reader(self._address, self._group)
        try:
            committed = self._committed(consumer, list(vouched))
            return {
                place: Found(self._log(consumer, place, ids.get(place[0], ""), one), *committed[place])
                for place, one in vouched.items()
            }
        finally:
            consumer.close()

    def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        """By name; without those of which the broker tells no id. Raises ``KafkaException``."""
        admin = AdminClient({"bootstrap.servers": self._address, "log_level": 0}, logger=BROKERS_WORDS)
        asked = admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=ASK_S)
        found = {topic: answer.result(ASK_S).topic_id for topic, answer in asked.items()}
        return {topic: str(one) for topic, one in found.items() if one is not None}

    def _committed(self, consumer: Consumer, places: list[Place]) -> dict[Place, tuple[int, str]]:
        asked = consumer.committed([TopicPartition(*place) for place in places], timeout=ASK_S)
        for one in asked:
            if one.error is not None:
                raise KafkaException(one.error)
        return {(one.topic, one.partition): (max(one.offset, 0), one.metadata or "") for one in asked}

    def _log(self, consumer: Consumer, place: Place, topic_id: str, vouched: AppliedPosition) -> Log:
        start, end = consumer.get_watermark_offsets(TopicPartition(*place), timeout=ASK_S)
        remade = bool(vouched.topic_id) and vouched.topic_id != topic_id
        if start <= vouched.applied >= end and not remade and self._holds(place, vouched.applied):
            end = vouched.applied + 1  # the embedded broker tells an end that is too low
        return Log(start, end, topic_id)

    def _holds(self, place: Place, offset: int) -> bool:
        """Whether the log holds a record at this offset or behind it."""
        consumer = own_reader(self._address, self._group, auto_offset_reset="error")
        try:
            consumer.assign([TopicPartition(*place, offset)])
            deadline = time.monotonic() + LOOK_S
            while time.monotonic() < deadline:
                record = consumer.poll(0.2)
                if record is not None:
                    return record.error() is None
            return False
        finally:
            consumer.close()
