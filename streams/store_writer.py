"""From a checkpoint's outputs to the store. A store that is away holds the pipeline back, and says so.

Rows of checkpoints that wait at the same time go in together, one insert a table: an insert costs the store
some milliseconds however few its rows, and the partitions of a worker come due at about the same time.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple

from engine.outputs import Columns, Outputs
from engine.processor import PartitionProcessor
from schemas.dead_letter import DeadLetter
from sinks.errors import StoreError, StoreRejected
from sinks.store import Writer
from streams.metrics import Metrics
from streams.refused import MOST, RefusedRow, blamed, letter, rows_in, write_apart

log = logging.getLogger(__name__)

RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Waits between tries; the last one repeats. Nothing is acked meanwhile, so nothing is lost."""


class Place(NamedTuple):
    """Where a partition stands in its topic.

    applied: the last applied offset. lag: records behind the end, where it is known. uncommitted_s: for how
    long the oldest batch has waited for its commit.
    """

    applied: int
    lag: int
    uncommitted_s: float


class Storing:
    """Writes rows with one writer in one thread: the driver is synchronous."""

    def __init__(
        self,
        writer: Writer | None,
        metrics: Metrics,
        place: Callable[[int], Place],
        refuse: Callable[[DeadLetter], None],
    ) -> None:
        """writer: None runs without a store. place: where a partition stands. refuse: sends the letter of a
        row that the store refuses; who acks what the row came of flushes first."""
        self._writer = writer
        self._metrics = metrics
        self._place = place
        self._refuse = refuse
        self._alone: dict[str, int] = {}
        self._thread = ThreadPoolExecutor(1, "store")
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._closing = False
        self._started = False
        self._written = False
        self._last: dict[int, int] = {}
        self._waiting: list[tuple[dict[str, Columns], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def store(self, processor: PartitionProcessor, outputs: Outputs) -> None:
        """Everything of a checkpoint, and the partition's health. Returns once the rows are in the tables.

        Retries while the store is away or has to be mended; see ``write`` for rows that it never takes.
        """
        rows = dict(outputs.rows)
        letters = [letter for letter in outputs.dead_letters if letter.reason != "lost"]  # those have a table
        if letters:
            rows["dead_letters"] = _dead_letters(letters)
        rows["pipeline_health"] = health = self._health(processor)
        if not self._started:
            self._started = True
            rows["worker_starts"] = {name: health[name] for name in ("at", "worker")}
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_waiting(), name="store")
        await written

    async def _write_waiting(self) -> None:
        """Write what waits, and what has come to wait meanwhile, until nothing does."""
        while self._waiting:
            together, self._waiting = self._waiting, []
            merged = Outputs()
            for rows, _ in together:
                for table, columns in rows.items():
                    merged.add_rows(table, columns)
            try:
                for table, columns in merged.rows.items():
                    await self.write(table, columns)
            except Exception as error:
                for _, written in together:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in together:
                    if not written.done():
                        written.set_result(None)

    async def write(self, table: str, columns: Columns) -> None:
        """Insert rows, again and again while the store is away. Those that it never takes are dead letters.

        Raises ``StoreRejected`` where it is not single rows that are wrong: all of several, or very many.
        """
        try:
            await self._insert(table, columns)
        except StoreRejected as error:
            if error.mendable or not rows_in(columns):
                raise
            refused = await write_apart(self._insert, table, columns, error)
            if rows_in(columns) == 1:
                self._count_alone(table, error)
            await self._tell(table, refused)

    def _count_alone(self, table: str, error: StoreRejected) -> None:
        """A batch of one row cannot show whether the row or its table is wrong; many of them, one after the
        other, can."""
        self._alone[table] = self._alone.get(table, 0) + 1
        if self._alone[table] > MOST:
            raise blamed(error, f"{self._alone[table]} batches of one row, one after the other, are refused")

    async def _tell(self, table: str, refused: list[RefusedRow]) -> None:
        """Send the letters of refused rows, and write them to their own table, which may refuse one, too."""
        now = datetime.now(UTC)
        letters = [letter(one, now) for one in refused]
        for one in letters:
            log.error("a row is refused by the store, and a dead letter now: %s", one.detail)
            self._refuse(one)
        self._metrics.rows_refused.labels(table).inc(len(letters))
        if letters and table != "dead_letters":
            await self.write("dead_letters", _dead_letters(letters))

    async def _insert(self, table: str, columns: Columns) -> None:
        """Insert rows, again and again while the store is away, or something at it has to be mended.

        A table that is missing, a right or a password that was taken away: the rows are not to blame, and
        ending would only have the supervisor start a worker that comes to the same end. Before its first rows
        are in, a worker ends: then it is more likely that a setting is wrong, or that nobody has migrated.
        """
        writer = self._writer
        if writer is None:
            return
        loop = asyncio.get_running_loop()
        for attempt in range(10**9):
            try:
                await loop.run_in_executor(self._thread, writer.write, table, columns)
            except StoreError as error:
                if isinstance(error, StoreRejected) and not (error.mendable and self._written):
                    raise
                self._metrics.store_up.set(0)
                if self._closing:
                    raise
                wait = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                what = "refuses" if isinstance(error, StoreRejected) else "is away"
                log.warning("the store %s, the pipeline waits (next try in %g s): %s", what, wait, error)
                await asyncio.sleep(wait)
            else:
                self._metrics.store_up.set(1)
                self._written = True
                self._alone.pop(table, None)
                return

    def close(self) -> None:
        """No more patience: the next failure is final."""
        self._closing = True

    def _moment(self, partition: int) -> int:
        """The wall clock in seconds, and later than the partition's row before.

        Two checkpoints within a second would have rows of one key, of which a merge keeps the last: what the
        first had counted would be gone, at whatever moment the store merges.
        """
        self._last[partition] = max(int(time.time()), self._last.get(partition, 0) + 1)
        return self._last[partition]

    def _health(self, processor: PartitionProcessor) -> Columns:
        partition = processor.partition
        health = self._metrics.take_health(partition)
        place = self._place(partition)
        self._metrics.lag.labels(str(partition)).set(place.lag)
        row = {
            "at": self._moment(partition),
            "worker": self._worker,
            "partition": partition,
            "applied_offset": place.applied,
            "lag": place.lag,
            "uncommitted_s": place.uncommitted_s,
            "watermark": max(processor.watermark or 0, 0),
            "events": health.events,
            "dead_letters": health.dead_letters,
            "batches": health.batches,
            "batch_records": health.batch_records,
            "apply_ms": health.apply_ms / max(health.batches, 1),
            "flush_ms": sum(health.flush_ms.values()),
            "outputs_ms": health.flush_ms.get("outputs", 0.0),
            "store_ms": health.flush_ms.get("store", 0.0),
            "state_ms": health.flush_ms.get("state", 0.0),
            "waiting": processor.pending,
            "state_rows": health.state_rows,
            "enrolments": len(processor.state.slots),
        }
        return {name: [value] for name, value in row.items()}


def _dead_letters(letters: list[DeadLetter]) -> Columns:
    """Their rows, without the payload: that may name a learner."""
    names = ("dead_letter_id", "topic", "partition", "offset", "reason", "field", "received_at")
    columns: Columns = {name: [getattr(letter, name) for letter in letters] for name in names}
    columns["detail"] = [letter.detail if letter.reason != "wrong_key" else "" for letter in letters]
    return columns
