"""Day packages as every worker sees them: the whole compacted topic, read by a thread of its own.

Not through Faust: a consumer group shares a topic out, and here each worker needs all of it. Packages
are kept as bytes and parsed when a day asks for one.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from schemas.learning import DayPackage
from streams.publisher import Publisher
from streams.reading import own_reader

log = logging.getLogger(__name__)

KEPT = 60
"""Days. A partition that is further behind the others than this has lost its place in the past."""

_MARKER = b"@"


class PackageReader:
    """Follows the topic from its beginning, from ``start`` or the first ``catch_up`` until ``stop``."""

    def __init__(self, publisher: Publisher, address: str, topic: str) -> None:
        self._publisher = publisher
        self._address = address
        self._topic = topic
        self._raw: dict[int, bytes] = {}
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
        ``TimeoutError`` where it takes too long.
        """
        self._caught_up.clear()
        self._end = str(time.time_ns()).encode()
        self._publisher.send(self._topic, self._end, self._marker, 0)
        self._publisher.flush_now()
        if not self._thread.is_alive():
            self._thread.start()
        if not self._caught_up.wait(timeout_s):
            raise TimeoutError(f"{self._topic} could not be read to its end within {timeout_s:.0f} s")

    def stop(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def newest(self) -> DayPackage | None:
        """The package of the latest day that has one."""
        with self._changed:
            raw = self._raw.get(max(self._raw)) if self._raw else None
        return None if raw is None else DayPackage.model_validate_json(raw)

    def kept(self) -> list[DayPackage]:
        """The packages of the last days that have one, the oldest first."""
        with self._changed:
            raw = [self._raw[day] for day in sorted(self._raw)]
        return [DayPackage.model_validate_json(one) for one in raw]

    def get(self, day: int) -> DayPackage | None:
        """The package of a day, where it has come."""
        with self._changed:
            raw = self._raw.get(day)
            parsed = self._parsed
        if raw is None or (parsed is not None and parsed[0] is raw):
            return None if raw is None or parsed is None else parsed[1]
        package = DayPackage.model_validate_json(raw)
        self._parsed = raw, package
        return package

    def hear(self, package: DayPackage, raw: bytes) -> None:
        """Take a package that this very worker has just sent to the topic, from where it comes again."""
        self._keep(package.day, raw)
        self._parsed = raw, package

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
                self._take(record.key() or b"", record.value())
        except KafkaException:
            log.exception("day packages can no longer be read")
        finally:
            consumer.close()

    def _take(self, key: bytes, value: bytes | None) -> None:
        if key == self._marker and value == self._end:
            self._caught_up.set()
        if key.startswith(_MARKER) or not value:
            return
        self._keep(int(key), value)

    def _keep(self, day: int, raw: bytes) -> None:
        with self._changed:
            if self._raw.get(day) == raw:
                return
            self._raw[day] = raw
            for old in sorted(self._raw)[:-KEPT]:
                del self._raw[old]
        self._any.set()
        for loop, changed in list(self._listeners):
            _wake(loop, changed.set)


def _wake(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(call)
