"""Writes checkpoints' rows to the store. While the store is down the pipeline waits, and logs it.

Rows of checkpoints that wait at the same time are inserted together, one insert a table: an insert costs the
store some milliseconds however few its rows, and a worker's partitions write at about the same time.
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
from streams.refused import (
    MAX_REFUSED_ROWS,
    RefusedRow,
    escalated,
    insert_by_halves,
    refused_row_letter,
    row_count,
)

log = logging.getLogger(__name__)

RETRY_S = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Waits between attempts; the last one repeats. Nothing is acked meanwhile, so nothing is lost."""


class PartitionProgress(NamedTuple):
    """A partition's position in the events topic.

    applied: the last applied offset. lag: records behind the high watermark, 0 where that is unknown.
    uncommitted_s: seconds that the oldest batch has waited for its commit.
    """

    applied: int
    lag: int
    uncommitted_s: float


class StoreWriter:
    """Inserts rows with one writer in one thread, since the driver is synchronous; retries while it must."""

    def __init__(
        self,
        writer: Writer | None,
        metrics: Metrics,
        progress: Callable[[int], PartitionProgress],
        send_letter: Callable[[DeadLetter], None],
    ) -> None:
        """Take over a writer; it is used from one thread.

        Args:
            writer: None where the worker runs without a store.
            metrics: updated with the store's state and with refused rows.
            progress: returns a partition's position.
            send_letter: sends the dead letter of a refused row; the caller flushes before it acks.
        """
        self._writer = writer
        self._metrics = metrics
        self._progress = progress
        self._send_letter = send_letter
        self._single_row_refusals: dict[str, int] = {}
        self._thread = ThreadPoolExecutor(1, "store")
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._closing = False
        self._started = False
        self._written = False
        self._last_timestamp: dict[int, int] = {}
        self._queued: list[tuple[dict[str, Columns], asyncio.Future[None]]] = []
        self._write_task: asyncio.Task[None] | None = None

    async def write_checkpoint(self, processor: PartitionProcessor, outputs: Outputs) -> None:
        """Write a checkpoint's rows and the partition's health. Returns once the rows are in the tables.

        Retries while the store is down or has to be repaired; see ``write`` for rows that it refuses.
        """
        rows = dict(outputs.rows)
        letters = [letter for letter in outputs.dead_letters if letter.reason != "lost"]  # those have a table
        if letters:
            rows["dead_letters"] = letter_rows(letters)
        rows["pipeline_health"] = health = self._health(processor)
        if not self._started:
            self._started = True
            rows["worker_starts"] = {name: health[name] for name in ("at", "worker")}
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queued.append((rows, written))
        if self._write_task is None or self._write_task.done():
            self._write_task = asyncio.get_running_loop().create_task(self._write_queued(), name="store")
        await written

    async def _write_queued(self) -> None:
        """Write queued rows, and those queued meanwhile, until the queue is empty."""
        while self._queued:
            queued, self._queued = self._queued, []
            merged = Outputs()
            for rows, _ in queued:
                for table, columns in rows.items():
                    merged.add_rows(table, columns)
            try:
                for table, columns in merged.rows.items():
                    await self.write(table, columns)
            except Exception as error:
                for _, written in queued:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in queued:
                    if not written.done():
                        written.set_result(None)

    async def write(self, table: str, columns: Columns) -> None:
        """Insert rows, with retries while the store is down. Rows that it refuses become dead letters.

        Raises:
            StoreRejected: all of several rows are refused, or very many: then the rows are not the cause.
        """
        try:
            await self._insert(table, columns)
        except StoreRejected as error:
            if error.repairable or not row_count(columns):
                raise
            refused = await insert_by_halves(self._insert, table, columns, error)
            if row_count(columns) == 1:
                self._count_single_row(table, error)
            await self._send_letters(table, refused)

    def _count_single_row(self, table: str, error: StoreRejected) -> None:
        """Count a refused batch of one row.

        It cannot show whether the row or its table is wrong; many of them, one after the other, can.
        """
        self._single_row_refusals[table] = self._single_row_refusals.get(table, 0) + 1
        if self._single_row_refusals[table] > MAX_REFUSED_ROWS:
            count = self._single_row_refusals[table]
            raise escalated(error, f"{count} batches of one row, one after the other, are refused")

    async def _send_letters(self, table: str, refused: list[RefusedRow]) -> None:
        """Send refused rows' dead letters, and write them to their own table, which may refuse one, too."""
        now = datetime.now(UTC)
        letters = [refused_row_letter(row, now) for row in refused]
        for letter in letters:
            log.error("a row is refused by the store, and a dead letter now: %s", letter.detail)
            self._send_letter(letter)
        self._metrics.rows_refused.labels(table).inc(len(letters))
        if letters and table != "dead_letters":
            await self.write("dead_letters", letter_rows(letters))

    async def _insert(self, table: str, columns: Columns) -> None:
        """Insert rows, with retries while the store is down or has to be repaired.

        A missing table, or a revoked right or password, is not the rows' fault, and ending would only make
        the supervisor start a worker that fails in the same way. Before its first rows are inserted, a worker
        ends: then it is more likely that a setting is wrong, or that the tables were not migrated.
        """
        writer = self._writer
        if writer is None:
            return
        loop = asyncio.get_running_loop()
        for attempt in range(10**9):
            try:
                await loop.run_in_executor(self._thread, writer.write, table, columns)
            except StoreError as error:
                if isinstance(error, StoreRejected) and not (error.repairable and self._written):
                    raise
                self._metrics.store_up.set(0)
                if self._closing:
                    raise
                wait_s = RETRY_S[min(attempt, len(RETRY_S) - 1)]
                state = "refuses" if isinstance(error, StoreRejected) else "is away"
                log.warning("the store %s, the pipeline waits (next try in %g s): %s", state, wait_s, error)
                await asyncio.sleep(wait_s)
            else:
                self._metrics.store_up.set(1)
                self._written = True
                self._single_row_refusals.pop(table, None)
                return

    def close(self) -> None:
        """Stop retrying: the next failure is raised."""
        self._closing = True

    def _next_timestamp(self, partition: int) -> int:
        """The wall clock in seconds, but later than the partition's row before.

        Two checkpoints within a second would have rows of one key, of which a merge keeps the last: the
        counts of the first would be lost.
        """
        self._last_timestamp[partition] = max(int(time.time()), self._last_timestamp.get(partition, 0) + 1)
        return self._last_timestamp[partition]

    def _health(self, processor: PartitionProcessor) -> Columns:
        partition = processor.partition
        health = self._metrics.drain_health(partition)
        progress = self._progress(partition)
        self._metrics.lag.labels(str(partition)).set(progress.lag)
        row = {
            "at": self._next_timestamp(partition),
            "worker": self._worker,
            "partition": partition,
            "applied_offset": progress.applied,
            "lag": progress.lag,
            "uncommitted_s": progress.uncommitted_s,
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


def letter_rows(letters: list[DeadLetter]) -> Columns:
    """Rows of dead letters, without the payload, which may name a learner."""
    names = ("dead_letter_id", "topic", "partition", "offset", "reason", "field", "received_at")
    columns: Columns = {name: [getattr(letter, name) for letter in letters] for name in names}
    columns["detail"] = [letter.detail if letter.reason != "wrong_key" else "" for letter in letters]
    return columns
