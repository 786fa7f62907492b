"""The state topic: checkpoints written as rows and a mark, and read back in bulk.

A checkpoint is not atomic on the wire, so the reader decides which records are valid. Every record carries
the *epoch* of the assignment that wrote it, which rises from one assignment to the next.

- Rows are committed by the mark that follows them. Rows after the last mark belong to a checkpoint that a
  crash cut off, and are ignored.
- A record with a lower epoch than one before it was written by a worker that had lost the partition without
  noticing. It is fenced off: ignored as well.

Keys whose newest record is ignored are *stale*: compaction could keep that record and drop the valid one.
The next owner writes the valid one again, before its first checkpoint. Until then the topic's
``min.compaction.lag.ms`` protects both.
"""

import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from engine.state.row_keys import MARK, StateRow
from schemas.errors import HomeroomError
from streams.publisher import Publisher
from streams.topic_reader import follow, standalone_consumer

ASSIGN = b"assign|"
_EPOCH = struct.Struct("<Q")
_HEADER = "epoch"
READ_TIMEOUT_S = 60.0


class RestoreError(HomeroomError, RuntimeError):
    """The state topic could not be read to its end."""


@dataclass(slots=True)
class RestoredRows:
    """Committed rows, the mark among them, and the keys whose newest record is not valid."""

    rows: dict[bytes, bytes] = field(default_factory=dict)
    stale_keys: set[bytes] = field(default_factory=set)
    records: int = 0
    highest_epoch: int = 0
    """The highest epoch of all records read."""

    def repairs(self) -> list[StateRow]:
        """The rows that the next owner writes first, to make the newest record of every key valid again."""
        if not self.stale_keys:
            return []
        rows: list[StateRow] = [(key, self.rows.get(key)) for key in sorted(self.stale_keys - {MARK})]
        if MARK in self.rows:
            rows.append((MARK, self.rows[MARK]))
        return rows


class StateReplay:
    """Applies the records of one partition in order, and keeps those that are committed."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._uncommitted: dict[bytes, bytes | None] = {}
        self._stale_keys: set[bytes] = set()
        self._highest_epoch = 0
        self._records = 0

    def apply(self, key: bytes, epoch: int, value: bytes | None) -> None:
        """Apply the next record. ``value`` is the row, None where it was deleted."""
        self._records += 1
        if epoch < self._highest_epoch:
            self._stale_keys.add(key)
            return
        self._highest_epoch = epoch
        if key.startswith(ASSIGN):
            return
        self._stale_keys.discard(key)
        if key == MARK and value is not None:
            self._commit(value)
        else:
            self._uncommitted[key] = value

    def _commit(self, mark: bytes) -> None:
        for key, value in self._uncommitted.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
        self._uncommitted.clear()
        self._rows[MARK] = mark

    def result(self) -> RestoredRows:
        """The committed rows, as of the last record applied."""
        stale_keys = self._stale_keys | self._uncommitted.keys()
        return RestoredRows(dict(self._rows), stale_keys, self._records, self._highest_epoch)


def new_epoch() -> int:
    """Wall clock in nanoseconds: above all earlier epochs, as far as the workers' clocks agree."""
    return time.time_ns()


class StateTopic:
    """One partition of the state topic, for as long as a worker owns it."""

    def __init__(self, publisher: Publisher, address: str, topic: str, partition: int) -> None:
        self._publisher = publisher
        self._address = address
        self._topic = topic
        self._partition = partition
        self.epoch = new_epoch()

    def restore(self) -> RestoredRows:
        """Announce the new epoch, read up to the announcement, and repair stale keys. Blocks.

        Raises:
            RestoreError: no record came for a minute before the end was reached, or reading failed.
            PublishError: the broker did not take the announcement or a repair.
        """
        restored = self._announce_and_read()
        while restored.highest_epoch > self.epoch:  # an earlier owner's clock is ahead of this one's
            self.epoch = restored.highest_epoch + 1
            restored = self._announce_and_read()
        repairs = restored.repairs()
        for rows in (repairs[:-1], repairs[-1:]):  # the mark comes last, after all rows have arrived
            if self._send(rows):
                self._publisher.flush_now()
        return restored

    def _announce_and_read(self) -> RestoredRows:
        """Announce the epoch and read up to that record: the embedded broker's end offsets are unreliable."""
        announcement = ASSIGN + str(self.epoch).encode()
        self._send([(announcement, b"")])
        self._publisher.flush_now()
        replay = StateReplay()
        self._read_until(announcement, replay)
        return replay.result()

    def write(self, rows: Iterable[StateRow]) -> int:
        """Send a checkpoint's rows and return their number; durable after the publisher's next flush."""
        return self._send(rows)

    def _send(self, rows: Iterable[StateRow]) -> int:
        prefix = _EPOCH.pack(self.epoch)
        headers = [(_HEADER, prefix)]
        count = 0
        for key, value in rows:
            if value is None:
                self._publisher.send(self._topic, None, key, self._partition, headers)
            else:
                self._publisher.send(self._topic, prefix + value, key, self._partition)
            count += 1
        return count

    def _read_until(self, last_key: bytes, replay: StateReplay) -> None:
        consumer = standalone_consumer(self._address, "homeroom-restore", fetch_wait_max_ms=100)
        consumer.assign([TopicPartition(self._topic, self._partition, OFFSET_BEGINNING)])
        deadline = time.monotonic() + READ_TIMEOUT_S
        try:
            for records in follow(consumer, lambda: False, self._fail, most=10_000):
                for record in records:
                    key = record.key() or b""
                    replay.apply(key, *_parse(record.value(), record.headers()))
                    if key == last_key:
                        return
                if records:
                    deadline = time.monotonic() + READ_TIMEOUT_S
                elif time.monotonic() > deadline:
                    partition = f"{self._topic}, partition {self._partition}"
                    raise RestoreError(
                        f"{partition}: no record for {READ_TIMEOUT_S:.0f} s before the end was reached"
                    )
        finally:
            consumer.close()

    def _fail(self, error: KafkaError) -> None:
        raise RestoreError(f"reading {self._topic}: {error.str()}")


def _parse(value: bytes | None, headers: Any) -> tuple[int, bytes | None]:
    if value is None:
        epoch = dict(headers or []).get(_HEADER, bytes(8))
        return int(_EPOCH.unpack(epoch)[0]), None
    return int(_EPOCH.unpack_from(value)[0]), value[_EPOCH.size :]
