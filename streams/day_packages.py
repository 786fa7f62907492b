"""Day packages as every worker sees them: the whole compacted topic, read by a thread of its own.

Not through Faust: a consumer group shares a topic out, and here each worker needs all of it. Packages
are kept as bytes and parsed when a day asks for one. A package grows with the course runs that are on: a
large one comes in pieces (:mod:`engine.pieces`), and is there once the last of them is.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from engine.pieces import PieceAssembler, compress, decompress, piece_of, records_of
from schemas.learning import DayPackage
from streams.publisher import Publisher
from streams.topic_reader import own_reader

log = logging.getLogger(__name__)

KEPT = 60
"""Days. A partition that is further behind the others than this has lost its place in the past."""

RETAINED = 2 * KEPT
"""Days after which a package is deleted from the topic: every worker reads all of it when it starts."""

_MARKER = b"@"


class _Kept(NamedTuple):
    """A package as it is kept, and the place of its last record in the topic."""

    raw: bytes
    place: int


class PackageReader:
    """Follows the topic from its beginning, from ``start`` or the first ``catch_up`` until ``stop``."""

    def __init__(self, publisher: Publisher, address: str, topic: str) -> None:
        self._publisher = publisher
        self._address = address
        self._topic = topic
        self._raw: dict[int, _Kept] = {}
        self._gathering = PieceAssembler()
        self._keys: dict[int, set[str]] = {}
        self._place = -1
        self._parsed: tuple[bytes, DayPackage] | None = None  # the same day is asked for by every partition
        self._changed = threading.Lock()
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._caught_up = threading.Event()
        self._any = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="day-packages", daemon=True)
        self._marker = _MARKER + str(time.time_ns()).encode()
        self._end = b""

    def start(self, patience_s: float = 0.0) -> None:
        """Begin to read, and wait a moment for a first package. A broker may be away, and come later."""
        self._thread.start()
        self._any.wait(patience_s)

    def catch_up(self, timeout_s: float = 60.0) -> None:
        """Read to the end as of now; the first call starts the reading.

        Whoever goes on where another worker stopped must have seen what that one published. Raises
        ``TimeoutError`` where nothing more comes before the end.
        """
        self._caught_up.clear()
        self._end = str(time.time_ns()).encode()
        self._publisher.send(self._topic, self._end, self._marker, 0)
        self._publisher.flush_now()
        if not self._thread.is_alive():
            self._thread.start()
        while not self._caught_up.is_set():
            before = self._place
            if not self._caught_up.wait(timeout_s) and self._place == before:
                raise TimeoutError(
                    f"{self._topic}: no record for {timeout_s:.0f} s before the end was reached"
                )

    def stop(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def newest(self) -> DayPackage | None:
        """The package of the latest day that has one."""
        with self._changed:
            found = self._raw.get(max(self._raw)) if self._raw else None
        return None if found is None else _package(found.raw)

    def kept(self) -> list[DayPackage]:
        """The packages of the last days that have one, the oldest first."""
        with self._changed:
            found = [self._raw[day].raw for day in sorted(self._raw)]
        return [_package(raw) for raw in found]

    def get(self, day: int) -> DayPackage | None:
        """The package of a day, where it has come."""
        with self._changed:
            found = self._raw.get(day)
            parsed = self._parsed
        raw = None if found is None else found.raw
        if raw is None or (parsed is not None and parsed[0] is raw):
            return None if raw is None or parsed is None else parsed[1]
        package = _package(raw)
        self._parsed = raw, package
        return package

    def publish(self, package: DayPackage) -> None:
        """Send a package to the topic, from where it comes again, and take it at once."""
        raw = compress(package.model_dump_json().encode())
        for key, record in records_of(raw, str(package.day)):
            self._publisher.send(self._topic, record, key, 0)
            self._note_key(package.day, key)
        for key in self._outdated(package.day - RETAINED):
            self._publisher.send(self._topic, None, key, 0)
        kept = self._keep(package.day, _Kept(raw, self._place))
        if kept == raw:
            self._parsed = kept, package

    async def wait(self, day: int, timeout_s: float | None) -> DayPackage | None:
        """The package of a day, or None where it has not come after ``timeout_s`` (None: never).

        At once where it will never come: a partition that lost its state and reads the log again from its
        start is behind the days that are kept.
        """
        changed = asyncio.Event()
        listener = (asyncio.get_running_loop(), changed)
        self._listeners.append(listener)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            while (found := self.get(day)) is None:
                if self._is_past(day):
                    return None
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), min(left or 1.0, 1.0))
                changed.clear()
            return found
        finally:
            self._listeners.remove(listener)

    def _is_past(self, day: int) -> bool:
        with self._changed:
            return bool(self._raw) and day < min(self._raw)

    def _follow(self) -> None:
        consumer = own_reader(self._address, "homeroom-packages", fetch_wait_max_ms=50)
        consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        try:
            while not self._stop.is_set():
                record = consumer.poll(0.2)
                if record is None:
                    continue
                if (error := record.error()) is not None:
                    log.warning("day packages: %s", error.str())
                    continue
                self._take(record.key() or b"", record.value(), record.offset() or 0)
        except KafkaException:
            log.exception("day packages can no longer be read")
        finally:
            consumer.close()

    def _take(self, key: bytes, value: bytes | None, place: int) -> None:
        self._place = place
        if key == self._marker and value == self._end:
            self._caught_up.set()
        if key.startswith(_MARKER):
            return
        name = key.decode(errors="replace")
        try:
            day = int(name.partition("/")[0])
        except ValueError:
            log.error("a record of the day packages is not one: its key is %r", name[:60])
            return
        if not value:
            with self._changed:
                self._keys.get(day, set()).discard(name)
            return
        self._note_key(day, name)
        piece = piece_of(value)
        if piece is None:
            self._keep(day, _Kept(value, place))
            return
        with self._changed:
            whole = self._gathering.add(piece, day, place)
        if whole is not None:
            self._keep(day, _Kept(whole.payload, whole.offset))

    def _note_key(self, day: int, key: str) -> None:
        with self._changed:
            self._keys.setdefault(day, set()).add(key)

    def _outdated(self, before: int) -> list[str]:
        """The keys of packages that are too old to be of use, each once."""
        with self._changed:
            days = sorted(day for day in self._keys if day < before)
            return [key for day in days for key in sorted(self._keys.pop(day))]

    def _keep(self, day: int, new: _Kept) -> bytes:
        """Keep a package, unless another one of its day came behind it. Returns what is kept of the day."""
        with self._changed:
            found = self._raw.get(day)
            if found is not None and found.raw == new.raw:
                self._raw[day] = found._replace(place=max(found.place, new.place))
                return found.raw
            if found is not None and found.place > new.place:
                return found.raw
            self._raw[day] = new
            for old in sorted(self._raw)[:-KEPT]:
                del self._raw[old]
            self._gathering.forget(min(self._raw))
        self._any.set()
        for loop, changed in list(self._listeners):
            _wake(loop, changed.set)
        return new.raw


def _package(raw: bytes) -> DayPackage:
    return DayPackage.model_validate_json(decompress(raw))


def _wake(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(call)
