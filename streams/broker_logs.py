"""Reads the state of partitions' logs from the broker: topic id, start and end offset, committed offset."""

import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from engine.continuity import AppliedPosition, Log
from schemas.errors import HomeroomError
from streams.logging_setup import LIBRDKAFKA_LOG
from streams.topic_reader import standalone_consumer

REQUEST_TIMEOUT_S = 10.0
RETRY_FOR_S = 60.0
"""Seconds for which a failed request is repeated: a broker that is electing leaders answers after some."""

PROBE_S = 5.0
"""Seconds in which a record at an offset has to come, else there is none."""

PartitionId = tuple[str, int]
"""Topic and number of a partition."""


class LogsError(HomeroomError, RuntimeError):
    """The broker did not answer a request for its logs in time."""


class LogStatus(NamedTuple):
    """A log, the group's committed offset in it (0 without one), and the topic's id at the commit."""

    log: Log
    committed: int
    committed_topic_id: str


class BrokerLogs:
    """Requests on behalf of one consumer group. Every call blocks; none changes anything on the broker."""

    def __init__(self, address: str, group: str) -> None:
        self._address = address
        self._group = group

    def describe(self, applied: Mapping[PartitionId, AppliedPosition]) -> dict[PartitionId, LogStatus]:
        """Return the status of each partition's log.

        Args:
            applied: the partitions, each with the offset up to which its records are applied. An end offset
                below that is checked by reading the log.

        Raises:
            LogsError: the broker does not answer in time.
        """
        deadline = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                return self._describe(applied)
            except KafkaException as error:
                if time.monotonic() > deadline:
                    words = error.args[0].str()
                    raise LogsError(
                        f"the broker on {self._address} does not answer for its logs: {words}"
                    ) from None
                time.sleep(0.5)

    def _describe(self, applied: Mapping[PartitionId, AppliedPosition]) -> dict[PartitionId, LogStatus]:
        ids = self.topic_ids({topic for topic, _ in applied})
        consumer = standalone_consumer(self._address, self._group)
        try:
            committed = self._committed(consumer, list(applied))
            return {
                (topic, number): LogStatus(
                    self._log(consumer, (topic, number), ids.get(topic, ""), position),
                    *committed[topic, number],
                )
                for (topic, number), position in applied.items()
            }
        finally:
            consumer.close()

    def topic_ids(self, topics: Collection[str]) -> dict[str, str]:
        """Ids by topic name; topics whose id the broker does not give are left out.

        Raises:
            KafkaException: a topic does not exist, or the broker does not answer.
        """
        admin = AdminClient({"bootstrap.servers": self._address, "log_level": 0}, logger=LIBRDKAFKA_LOG)
        requests = admin.describe_topics(TopicCollection(sorted(topics)), request_timeout=REQUEST_TIMEOUT_S)
        topic_ids = {topic: request.result(REQUEST_TIMEOUT_S).topic_id for topic, request in requests.items()}
        return {topic: str(topic_id) for topic, topic_id in topic_ids.items() if topic_id is not None}

    def _committed(
        self, consumer: Consumer, partitions: list[PartitionId]
    ) -> dict[PartitionId, tuple[int, str]]:
        requested = [TopicPartition(*partition_id) for partition_id in partitions]
        commits = consumer.committed(requested, timeout=REQUEST_TIMEOUT_S)
        for commit in commits:
            if commit.error is not None:
                raise KafkaException(commit.error)
        return {
            (commit.topic, commit.partition): (max(commit.offset, 0), commit.metadata or "")
            for commit in commits
        }

    def _log(
        self, consumer: Consumer, partition_id: PartitionId, topic_id: str, applied: AppliedPosition
    ) -> Log:
        start, end = consumer.get_watermark_offsets(TopicPartition(*partition_id), timeout=REQUEST_TIMEOUT_S)
        recreated = bool(applied.topic_id) and applied.topic_id != topic_id
        if (
            start <= applied.applied >= end
            and not recreated
            and self._has_record_from(partition_id, applied.applied)
        ):
            end = applied.applied + 1  # the embedded broker reports an end offset that is too low
        return Log(start, end, topic_id)

    def _has_record_from(self, partition_id: PartitionId, offset: int) -> bool:
        """Whether the log holds a record at this offset or after it."""
        consumer = standalone_consumer(self._address, self._group, auto_offset_reset="error")
        try:
            consumer.assign([TopicPartition(*partition_id, offset)])
            deadline = time.monotonic() + PROBE_S
            while time.monotonic() < deadline:
                record = consumer.poll(0.2)
                if record is not None:
                    return record.error() is None
            return False
        finally:
            consumer.close()
