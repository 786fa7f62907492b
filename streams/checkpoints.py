"""The state topic: checkpoints written as rows and a mark, and read back in bulk.

A checkpoint is not atomic on the wire, so reading decides what counts. Every record carries the *epoch*
of the assignment that wrote it, which rises from one assignment to the next.

- Rows count once a mark follows them. Rows after the last mark are of a checkpoint that a crash cut off.
- A record with a lower epoch than one before it was written by a worker that had lost the partition
  without noticing. It does not count.

Keys that have such a record as their newest are *spoiled*: compaction could keep it and drop the good one.
The next owner writes the good one again, before its first checkpoint. Until then the topic's
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
from streams.topic_reader import own_reader

ASSIGN = b"assign|"
_EPOCH = struct.Struct("<Q")
_HEADER = "epoch"
READ_S = 60.0


class RestoreError(HomeroomError, RuntimeError):
    """The state topic could not be read to its end."""


@dataclass(slots=True)
class Recovered:
    """Rows that count, the mark among them, and the keys whose newest record does not."""

    rows: dict[bytes, bytes] = field(default_factory=dict)
    spoiled: set[bytes] = field(default_factory=set)
    records: int = 0
    highest: int = 0
    """The highest epoch of all records."""

    def repairs(self) -> list[StateRow]:
        """What the next owner writes first, so that the newest record of every key counts again."""
        if not self.spoiled:
            return []
        rows: list[StateRow] = [(key, self.rows.get(key)) for key in sorted(self.spoiled - {MARK})]
        if MARK in self.rows:
            rows.append((MARK, self.rows[MARK]))
        return rows


class Replay:
    """Reads records of one partition in order, and knows at the end which of them count."""

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._open: dict[bytes, bytes | None] = {}
        self._spoiled: set[bytes] = set()
        self._highest = 0
        self._records = 0

    def take(self, key: bytes, epoch: int, value: bytes | None) -> None:
        """The next record. ``value`` is the row, None where it was deleted."""
        self._records += 1
        if epoch < self._highest:
            self._spoiled.add(key)
            return
        self._highest = epoch
        if key.startswith(ASSIGN):
            return
        self._spoiled.discard(key)
        if key == MARK and value is not None:
            self._complete(value)
        else:
            self._open[key] = value

    def _complete(self, mark: bytes) -> None:
        for key, value in self._open.items():
            if value is None:
                self._rows.pop(key, None)
            else:
                self._rows[key] = value
        self._open.clear()
        self._rows[MARK] = mark

    def recovered(self) -> Recovered:
        """What counts, as of the last record taken."""
        spoiled = self._spoiled | self._open.keys()
        return Recovered(dict(self._rows), spoiled, self._records, self._highest)


def new_epoch() -> int:
    """An epoch above all before it, as far as the wall clocks of all workers agree: nanoseconds."""
    return time.time_ns()


class StateTopic:
    """One partition of the state topic, for as long as a worker owns it."""

    def __init__(self, publisher: Publisher, address: str, topic: str, partition: int) -> None:
        self._publisher = publisher
        self._address = address
        self._topic = topic
        self._partition = partition
        self.epoch = new_epoch()

    def restore(self) -> Recovered:
        """Announce the new epoch, then read up to the announcement. Blocks; rows come in bulk.

        Raises ``RestoreError`` where the end of the topic does not come.
        """
        found = self._announce_and_read()
        while found.highest > self.epoch:  # the clock of an owner before us is ahead of ours
            self.epoch = found.highest + 1
            found = self._announce_and_read()
        repairs = found.repairs()
        for rows in (repairs[:-1], repairs[-1:]):  # what comes last, the mark, only behind all others
            if self._send(rows):
                self._publisher.flush_now()
        return found

    def _announce_and_read(self) -> Recovered:
        """The announcement is also the end of the reading: the embedded broker's end offsets are not to be
        trusted."""
        announcement = ASSIGN + str(self.epoch).encode()
        self._send([(announcement, b"")])
        self._publisher.flush_now()
        replay = Replay()
        self._read_until(announcement, replay)
        return replay.recovered()

    def write(self, rows: Iterable[StateRow]) -> int:
        """Send a checkpoint's rows; they are safe after the publisher's next flush. Returns how many."""
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

    def _read_until(self, last: bytes, replay: Replay) -> None:
        consumer = own_reader(self._address, "homeroom-restore", fetch_wait_max_ms=100)
        consumer.assign([TopicPartition(self._topic, self._partition, OFFSET_BEGINNING)])
        deadline = time.monotonic() + READ_S
        try:
            while True:
                for record in consumer.consume(10_000, 0.2):
                    error = record.error()
                    if error is not None:
                        if error.code() == KafkaError._PARTITION_EOF:
                            continue
                        raise RestoreError(f"reading {self._topic}: {error.str()}")
                    deadline = time.monotonic() + READ_S
                    key = record.key() or b""
                    replay.take(key, *_parse(record.value(), record.headers()))
                    if key == last:
                        return
                if time.monotonic() > deadline:
                    where = f"{self._topic}, partition {self._partition}"
                    raise RestoreError(f"{where}: no record for {READ_S:.0f} s before the end was reached")
        finally:
            consumer.close()


def _parse(value: bytes | None, headers: Any) -> tuple[int, bytes | None]:
    if value is None:
        epoch = dict(headers or []).get(_HEADER, bytes(8))
        return int(_EPOCH.unpack(epoch)[0]), None
    return int(_EPOCH.unpack_from(value)[0]), value[_EPOCH.size :]
