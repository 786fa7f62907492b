"""Reads and publishes day packages: every worker consumes the whole compacted topic in a thread of its own.

Not through Faust: a consumer group splits a topic among its members, and here each worker needs all of it.
Packages are kept as bytes and parsed when they are requested. A package grows with the number of course runs:
a large one comes in pieces (:mod:`engine.pieces`), and is complete once the last of them has come.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition

from engine.pieces import PieceAssembler, compress, decompress, piece_of, records_of
from schemas.learning import DayPackage
from streams.publisher import Publisher
from streams.topic_reader import follow, standalone_consumer

log = logging.getLogger(__name__)

KEPT_DAYS = 60
"""Days whose packages are kept in memory. A partition that is further behind the others gets none."""

RETENTION_DAYS = 2 * KEPT_DAYS
"""Days after which a package is deleted from the topic: every worker reads all of it when it starts."""

_MARKER_PREFIX = b"@"


class _StoredPackage(NamedTuple):
    """A package's bytes, and the offset of its last record in the topic."""

    raw: bytes
    offset: int


class PackageReader:
    """Consumes the topic from its beginning, from ``start`` or the first ``catch_up`` until ``stop``."""

    def __init__(self, publisher: Publisher, address: str, topic: str) -> None:
        self._publisher = publisher
        self._address = address
        self._topic = topic
        self._packages: dict[int, _StoredPackage] = {}
        self._pieces = PieceAssembler()
        self._keys: dict[int, set[str]] = {}
        self._position = -1
        self._last_parsed: tuple[bytes, DayPackage] | None = None  # all partitions get the same day
        self._lock = threading.Lock()
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._caught_up = threading.Event()
        self._first_package = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="day-packages", daemon=True)
        self._marker_key = _MARKER_PREFIX + str(time.time_ns()).encode()
        self._end_token = b""

    def start(self, patience_s: float = 0.0) -> None:
        """Start reading, and wait up to ``patience_s`` for a first package. The broker may be down."""
        self._thread.start()
        self._first_package.wait(patience_s)

    def catch_up(self, timeout_s: float = 60.0) -> None:
        """Read to the end as of now; the first call starts the reading.

        A worker that resumes another one's partitions must know all packages which that one published.

        Raises:
            TimeoutError: no record came for ``timeout_s`` before the end was reached.
        """
        self._caught_up.clear()
        self._end_token = str(time.time_ns()).encode()
        self._publisher.send(self._topic, self._end_token, self._marker_key, 0)
        self._publisher.flush_now()
        if not self._thread.is_alive():
            self._thread.start()
        while not self._caught_up.is_set():
            before = self._position
            if not self._caught_up.wait(timeout_s) and self._position == before:
                raise TimeoutError(
                    f"{self._topic}: no record for {timeout_s:.0f} s before the end was reached"
                )

    def stop(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def newest(self) -> DayPackage | None:
        """The package of the latest day, None without any."""
        with self._lock:
            newest = self._packages.get(max(self._packages)) if self._packages else None
        return None if newest is None else _parse(newest.raw)

    def recent(self) -> list[DayPackage]:
        """The packages kept, at most :data:`KEPT_DAYS`, oldest first."""
        with self._lock:
            packages = [self._packages[day].raw for day in sorted(self._packages)]
        return [_parse(raw) for raw in packages]

    def get(self, day: int) -> DayPackage | None:
        """The package of a day, None where it has not arrived."""
        with self._lock:
            stored = self._packages.get(day)
            parsed = self._last_parsed
        raw = None if stored is None else stored.raw
        if raw is None or (parsed is not None and parsed[0] is raw):
            return None if raw is None or parsed is None else parsed[1]
        package = _parse(raw)
        self._last_parsed = raw, package
        return package

    def publish(self, package: DayPackage) -> None:
        """Send a package to the topic and make it available here at once; it also comes back by the topic."""
        raw = compress(package.model_dump_json().encode())
        for key, record in records_of(raw, str(package.day)):
            self._publisher.send(self._topic, record, key, 0)
            self._remember_key(package.day, key)
        for key in self._pop_expired_keys(package.day - RETENTION_DAYS):
            self._publisher.send(self._topic, None, key, 0)
        stored = self._store(package.day, _StoredPackage(raw, self._position))
        if stored == raw:
            self._last_parsed = stored, package

    async def wait(self, day: int, timeout_s: float | None) -> DayPackage | None:
        """Wait for the package of a day; None after ``timeout_s`` seconds (None: wait without limit).

        Returns None at once for a day before those that are kept, whose package will never come: a partition
        that lost its state reads its log again from the start.
        """
        arrived = asyncio.Event()
        listener = (asyncio.get_running_loop(), arrived)
        self._listeners.append(listener)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            while (package := self.get(day)) is None:
                if self._is_expired(day):
                    return None
                remaining_s = None if deadline is None else deadline - time.monotonic()
                if remaining_s is not None and remaining_s <= 0:
                    return None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(arrived.wait(), min(remaining_s or 1.0, 1.0))
                arrived.clear()
            return package
        finally:
            self._listeners.remove(listener)

    def _is_expired(self, day: int) -> bool:
        with self._lock:
            return bool(self._packages) and day < min(self._packages)

    def _follow(self) -> None:
        consumer = standalone_consumer(self._address, "homeroom-packages", fetch_wait_max_ms=50)
        consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        try:
            for records in follow(consumer, self._stop.is_set, _log_error):
                for record in records:
                    self._receive(record.key() or b"", record.value(), record.offset() or 0)
        except KafkaException:
            log.exception("day packages can no longer be read")
        finally:
            consumer.close()

    def _receive(self, key: bytes, value: bytes | None, offset: int) -> None:
        self._position = offset
        if key == self._marker_key and value == self._end_token:
            self._caught_up.set()
        if key.startswith(_MARKER_PREFIX):
            return
        name = key.decode(errors="replace")
        try:
            day = int(name.partition("/")[0])
        except ValueError:
            log.error("a record of the day packages has the invalid key %r", name[:60])
            return
        if not value:
            with self._lock:
                self._keys.get(day, set()).discard(name)
            return
        self._remember_key(day, name)
        piece = piece_of(value)
        if piece is None:
            self._store(day, _StoredPackage(value, offset))
            return
        with self._lock:
            whole = self._pieces.add(piece, day, offset)
        if whole is not None:
            self._store(day, _StoredPackage(whole.payload, whole.offset))

    def _remember_key(self, day: int, key: str) -> None:
        with self._lock:
            self._keys.setdefault(day, set()).add(key)

    def _pop_expired_keys(self, before: int) -> list[str]:
        """The keys of packages of days before ``before``, each once."""
        with self._lock:
            days = sorted(day for day in self._keys if day < before)
            return [key for day in days for key in sorted(self._keys.pop(day))]

    def _store(self, day: int, received: _StoredPackage) -> bytes:
        """Keep a package unless one of its day has a later offset. Returns the bytes kept for the day."""
        with self._lock:
            stored = self._packages.get(day)
            if stored is not None and stored.raw == received.raw:
                self._packages[day] = stored._replace(offset=max(stored.offset, received.offset))
                return stored.raw
            if stored is not None and stored.offset > received.offset:
                return stored.raw
            self._packages[day] = received
            for expired in sorted(self._packages)[:-KEPT_DAYS]:
                del self._packages[expired]
            self._pieces.forget(min(self._packages))
        self._first_package.set()
        for loop, changed in list(self._listeners):
            _wake(loop, changed.set)
        return received.raw


def _log_error(error: KafkaError) -> None:
    log.warning("day packages: %s", error.str())


def _parse(raw: bytes) -> DayPackage:
    return DayPackage.model_validate_json(decompress(raw))


def _wake(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: no task waits any more
        loop.call_soon_threadsafe(call)
