"""Reads the course facts: every worker consumes the whole compacted topic in a thread of its own.

When a partition applies a calendar must not depend on when a worker happened to read it. So each day package
names the offset up to which the trainer knew the course facts, and a partition applies those up to it, no
more and no less: for this, older calendars of a run are kept beside its newest.
"""

import asyncio
import logging
import threading
import time
from bisect import bisect_right
from typing import NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from engine.batch.records import RecordBatch
from engine.continuity import AppliedPosition, Log
from schemas.learning import DayPackage
from schemas.topics import COURSE_FACTS
from streams.broker_logs import BrokerLogs
from streams.topic_reader import standalone_consumer

log = logging.getLogger(__name__)

KEPT_VERSIONS = 100
"""Records of one key in memory. A partition that is further behind applies the later ones of them."""

POLL_S = 0.01
"""Seconds between two looks whether the reading has come far enough; it nearly always has."""


class _Record(NamedTuple):
    """A record, and when it was read where its producer set the timestamp, epoch seconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    read_at: int | None


class CourseFactsReader:
    """Follows the topic from the first ``follow`` until ``stop``."""

    def __init__(self, logs: BrokerLogs, address: str, prefix: str = "") -> None:
        self.topic = prefix + COURSE_FACTS.name
        self._logs = logs
        self._address = address
        self._lock = threading.Lock()
        self._versions: dict[bytes | None, list[_Record]] = {}
        self._position = AppliedPosition()
        self._caught_up = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def position(self) -> AppliedPosition:
        """Up to where the topic was read, and its id."""
        return self._position

    def follow(self, timeout_s: float = 60.0) -> Log:
        """Read to the end, and go on reading; from the beginning if the topic was made anew. Returns its log.

        Raises:
            LogsError: the broker does not answer in time.
            TimeoutError: the end was not reached in time.
        """
        status = self._logs.describe({(self.topic, 0): AppliedPosition()})[self.topic, 0].log
        if self._thread is None or not self._thread.is_alive() or self._position.topic_id != status.topic_id:
            self.stop()
            self._stop, self._caught_up = threading.Event(), threading.Event()
            self._versions, self._position = {}, AppliedPosition(-1, status.topic_id)
            self._thread = threading.Thread(target=self._read, name="course-facts", daemon=True)
            self._thread.start()
        deadline = time.monotonic() + timeout_s
        while not self._caught_up.is_set() or self._position.applied < status.end - 1:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.topic}: its end was not reached within {timeout_s:.0f} s")
            time.sleep(POLL_S)
        return Log(status.start, max(status.end, self._position.applied + 1), status.topic_id)

    def stop(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)

    async def wait(self, package: DayPackage, timeout_s: float | None) -> None:
        """Wait until what a package names has been read, at most ``timeout_s`` seconds (None: without limit).

        Returns at once where the package names another topic of this name, which is gone.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self._is_behind(package) and (deadline is None or time.monotonic() < deadline):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)

    def _is_behind(self, package: DayPackage) -> bool:
        position = self._position
        return package.course_facts_topic == position.topic_id and position.applied < package.course_facts

    def known_by(self, package: DayPackage) -> int:
        """The offset up to which course facts were read and a package names them; −1 without any."""
        position = self._position
        if package.course_facts_topic != position.topic_id:
            return -1
        return min(package.course_facts, position.applied)

    def between(self, after: int, last: int) -> RecordBatch:
        """The records with offsets in (after, last], as far as the topic still holds them."""
        with self._lock:
            found = [
                record
                for records in self._versions.values()
                for record in records[bisect_right(records, after, key=lambda record: record.offset) :]
                if record.offset <= last
            ]
        found.sort(key=lambda record: record.offset)
        return RecordBatch(
            self.topic,
            0,
            [record.offset for record in found],
            [record.key for record in found],
            [record.value for record in found],
            [record.timestamp for record in found],
            max((record.read_at for record in found if record.read_at is not None), default=None),
        )

    def _read(self) -> None:
        consumer, stop = self._consumer(), self._stop
        consumer.assign([TopicPartition(self.topic, 0, OFFSET_BEGINNING)])
        try:
            while not stop.is_set():
                for record in consumer.consume(500, 0.1):
                    self._receive(record)
        except KafkaException:
            log.exception("the course facts can no longer be read")
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        return standalone_consumer(
            self._address, "homeroom-course-facts", fetch_wait_max_ms=50, enable_partition_eof=True
        )

    def _receive(self, record: Message) -> None:
        error, offset = record.error(), record.offset() or 0
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            self._move_to(offset - 1)  # beyond a record that was compacted away, or a transaction's marker
            self._caught_up.set()
        elif error is not None:
            log.warning("course facts: %s", error.str())
        else:
            kind, timestamp = record.timestamp()
            read_at = None if kind == TIMESTAMP_LOG_APPEND_TIME else int(time.time())
            kept = _Record(offset, record.key(), record.value(), timestamp, read_at)
            with self._lock:
                versions = self._versions.setdefault(kept.key, [])
                versions.append(kept)
                del versions[:-KEPT_VERSIONS]
            self._move_to(offset)

    def _move_to(self, offset: int) -> None:
        if offset > self._position.applied:
            self._position = AppliedPosition(offset, self._position.topic_id)
