"""Runs one partition: applies batches, sends outputs, waits at the day barrier, and writes checkpoints.

The order at a checkpoint is what makes at-least-once delivery have its effect once:

1. outputs are flushed, to the topics and to the store; their ids are deterministic, so repeats are dropped;
2. state rows and their mark are flushed;
3. messages for notifiers are flushed; the state keeps them until the checkpoint after that;
4. only then are the batches acked.

A checkpoint is a snapshot, saved while the next batches are applied. The next one waits for a save that has
not ended, so a store that is slow or down holds the partition back.

A crash anywhere before 4 redelivers batches. Records that the restored state has applied already are skipped
by offset; the others are applied again, and give the same outputs with the same ids. Decisions alone may
differ, where feedback is read in another order than before: so a nudge is sent last, when no crash can remove
it from the state.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from engine.batch.records import RecordBatch
from engine.continuity import Log, Start, resume
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.state.row_keys import StateRow
from schemas.cloud_event import headers_of
from schemas.learning import DayPackage, DayReport
from schemas.nudge import nudge_adapter
from schemas.topics import DECISIONS, EVENTS, NUDGES, RISK_CHANGES
from streams.checkpoints import StateTopic
from streams.course_facts import CourseFactsReader
from streams.day_packages import PackageReader
from streams.dead_letters import send_dead_letter
from streams.metrics import Metrics
from streams.pace import Pace
from streams.publisher import Publisher
from streams.store_writer import StoreWriter

log = logging.getLogger(__name__)

Ack = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Delivery:
    """A batch, and the function that acks it."""

    batch: RecordBatch
    ack: Ack


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A snapshot of a partition.

    Attributes:
        outputs: those since the last checkpoint.
        rows: the changed rows of the state, the mark last.
        outbox: by name, the learner and JSON of each message for notifiers that the state holds.
        deliveries: the batches to ack once all of this is durable.
    """

    outputs: Outputs
    rows: list[StateRow]
    outbox: dict[str, list[str]]
    deliveries: list[Delivery]


@dataclass(frozen=True, slots=True)
class RunnerServices:
    """What all runners of a worker share. report: sends a day's report to the trainer."""

    publisher: Publisher
    report: Callable[[DayReport], None]
    packages: PackageReader
    course_facts: CourseFactsReader
    store_writer: StoreWriter
    metrics: Metrics
    prefix: str = ""


class PartitionRunner:
    """Runs a partition in one task. ``error`` is the one that ended it, if any did."""

    def __init__(
        self, processor: PartitionProcessor, topic: StateTopic, services: RunnerServices, pace: Pace
    ) -> None:
        self.processor = processor
        self.error: BaseException | None = None
        self._topic = topic
        self._services = services
        self._pace = pace
        self._inbox: deque[Delivery] = deque()
        self._unacked: deque[Delivery] = deque()
        self._woken = asyncio.Event()
        self._stopping = False
        self._pending = Outputs()
        self._checkpoint_began_s = time.monotonic()
        self._last_batch_s = time.monotonic()
        self._backlog = 0
        self._dirty = bool(processor.state.outbox)  # unsent after a crash
        self._package_task: asyncio.Task[DayPackage | None] | None = None
        self._save_task: asyncio.Task[None] | None = None
        self._barrier_began_s = 0.0

    def deliver(self, delivery: Delivery) -> None:
        """Enqueue a batch; it is acked once its effects are durable."""
        self._inbox.append(delivery)
        self._backlog += len(delivery.batch)
        self._woken.set()

    @property
    def may_fetch(self) -> bool:
        """Whether more may be fetched for this partition."""
        return self._backlog + self.processor.pending < self._pace.backlog and self.error is None

    def begin_topic(self, topic: str, start: Start) -> None:
        """Set where a topic is read from, before its first batch, and report records that were lost."""
        applied_position = self.processor.applied_position(topic)
        self._emit(self.processor.resume_at(topic, start, int(time.time())))
        if start.log_break is not None:
            self._services.metrics.count_break(topic, self.processor.partition, start.log_break)
        self._dirty |= self.processor.applied_position(topic) != applied_position

    def begin_course_facts(self, log: Log) -> None:
        """Set where the course facts go on, which have one log for all partitions."""
        topic = self._services.course_facts.topic
        self.begin_topic(topic, resume(self.processor.applied_position(topic), log))

    async def run(self) -> None:
        """Run until stopped, then write a last checkpoint. An error ends the task and acks nothing."""
        try:
            while not self._stopping:
                await self._step()
            await self._final_checkpoint()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.error = error
            raise
        finally:
            if self._save_task is not None:
                self._save_task.cancel()

    def stop(self) -> None:
        """Let the task finish after its current step."""
        self._stopping = True
        self._woken.set()

    # -- one step -----------------------------------------------------------------------------------

    async def _step(self) -> None:
        if self._save_task is not None and self._save_task.done():
            await self._finish_save()
        if self._package_task is not None and self._package_task.done():
            await self._advance()
        elif self.processor.due is not None:
            await self._close()
        elif self._inbox and self.processor.pending < self._pace.ahead:
            await self._apply(self._inbox.popleft())
        else:
            self._advance_idle_watermark()
            await self._wait_for_work()
        is_due = time.monotonic() - self._checkpoint_began_s >= self._pace.checkpoint
        if self._dirty and is_due and self.processor.closing is None:
            await self._finish_save()
            self._begin_save()

    async def _wait_for_work(self) -> None:
        self._woken.clear()
        left = self._pace.checkpoint - (time.monotonic() - self._checkpoint_began_s) if self._dirty else 1.0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), max(min(left, 1.0), 0.01))

    def _advance_idle_watermark(self) -> None:
        if self._pace.idle is not None and time.monotonic() - self._last_batch_s > self._pace.idle:
            self.processor.advance_clock(int(time.time()))

    async def _apply(self, delivery: Delivery) -> None:
        self._backlog -= len(delivery.batch)
        self._last_batch_s = time.monotonic()
        self._unacked.append(delivery)
        with self._services.metrics.time_apply(self.processor.partition, len(delivery.batch)):
            feedback = not delivery.batch.topic.endswith(EVENTS.name)
            apply = self.processor.apply_feedback if feedback else self.processor.apply
            self._emit(apply(delivery.batch))
        self._dirty = True
        await asyncio.sleep(0)

    async def _close(self) -> None:
        """Close the day that is due and report it; events are applied while its package is awaited."""
        with self._services.metrics.time_close():
            reports = self.processor.close()
        self._barrier_began_s = time.monotonic()
        self._wait_for_package()
        for report in reports:
            self._services.report(report)
        self._dirty = True

    def _wait_for_package(self) -> None:
        day = self.processor.closing
        assert day is not None, "a day was closed"  # noqa: S101
        wait = self._package(day)
        self._package_task = asyncio.get_running_loop().create_task(wait, name=f"package of day {day}")
        self._package_task.add_done_callback(lambda _: self._woken.set())

    async def _package(self, day: int) -> DayPackage | None:
        """The package of a day, once the course facts that it names have been read; None where it is late."""
        package = await self._services.packages.wait(day, self._pace.barrier)
        if package is not None:
            await self._services.course_facts.wait(package, self._pace.barrier)
        return package

    def _apply_course_facts(self, package: DayPackage) -> None:
        course_facts = self._services.course_facts
        after, known = self.processor.applied(course_facts.topic), course_facts.known_by(package)
        if known > after:
            self.processor.apply_course_facts(course_facts.between(after, known), known)

    async def _advance(self) -> None:
        """Score with the day's package; after the barrier's timeout with the newest one, marked stale."""
        assert self._package_task is not None, "a package was waited for"  # noqa: S101
        package, self._package_task = self._package_task.result(), None
        stale = package is None
        if package is None:
            package = self._services.packages.newest()
            log.warning(
                "partition %d: day %s has no package yet", self.processor.partition, self.processor.closing
            )
        if package is None:
            self._wait_for_package()
            return
        self._services.metrics.observe_barrier_wait(time.monotonic() - self._barrier_began_s)
        self._apply_course_facts(package)
        with self._services.metrics.time_scoring():
            self._emit(self.processor.advance(package, stale=stale))
        self._dirty = True
        await asyncio.sleep(0)

    # -- outputs and checkpoints --------------------------------------------------------------------

    def _emit(self, outputs: Outputs) -> None:
        """Send messages to their topics; collect rows for the store until the checkpoint's insert."""
        partition, prefix, send = (
            self.processor.partition,
            self._services.prefix,
            self._services.publisher.send,
        )
        for change in outputs.risk_changes:
            value, headers = change.model_dump_json().encode(), headers_of(change, prefix)
            send(prefix + RISK_CHANGES.name, value, change.learner, partition, headers)
        for decision in outputs.decisions:
            send(prefix + DECISIONS.name, decision.model_dump_json().encode(), decision.learner, partition)
        for letter in outputs.dead_letters:
            send_dead_letter(self._services.publisher, prefix, letter)
        self._services.metrics.count_outputs(partition, outputs)
        self._pending.extend(outputs)

    def _snapshot(self) -> Checkpoint:
        """Take a checkpoint of the partition as it is now. Not while a day is being closed."""
        outputs, self._pending = self._pending, Outputs()
        rows = list(self.processor.checkpoint(self._topic.epoch))
        deliveries = []
        while self._unacked and self._is_applied(self._unacked[0].batch):
            deliveries.append(self._unacked.popleft())
        self._checkpoint_began_s = time.monotonic()
        self._dirty = self.processor.pending > 0
        return Checkpoint(outputs, rows, dict(self.processor.state.outbox), deliveries)

    def _begin_save(self) -> None:
        name = f"checkpoint of partition {self.processor.partition}"
        self._save_task = asyncio.get_running_loop().create_task(self._save(self._snapshot()), name=name)
        self._save_task.add_done_callback(lambda _: self._woken.set())

    async def _save(self, checkpoint: Checkpoint) -> None:
        """Make a checkpoint durable, then ack its batches."""
        metrics, partition = self._services.metrics, self.processor.partition
        with metrics.time_flush("outputs", partition):
            await self._services.publisher.flush()
        with metrics.time_flush("store", partition):
            await self._services.store_writer.write_checkpoint(self.processor, checkpoint.outputs)
        with metrics.time_flush("state", partition):
            self._topic.write(checkpoint.rows[:-1])
            await self._services.publisher.flush()  # or a mark could overtake a row that is sent again
            self._topic.write(checkpoint.rows[-1:])
            await self._services.publisher.flush()
            await self._send_outbox(checkpoint.outbox)
        metrics.partition(partition).health.state_rows += len(checkpoint.rows)
        metrics.count_applied(self.processor)
        for delivery in checkpoint.deliveries:
            await delivery.ack()

    async def _send_outbox(self, outbox: dict[str, list[str]]) -> None:
        """Send the messages for notifiers that are in durable state; they are idempotent by their ids."""
        if not outbox:
            return
        topic, partition = self._services.prefix + NUDGES.name, self.processor.partition
        for learner, message in outbox.values():
            headers = headers_of(nudge_adapter.validate_json(message), self._services.prefix)
            self._services.publisher.send(topic, message.encode(), learner, partition, headers)
        await self._services.publisher.flush()
        self.processor.state.remove_from_outbox(outbox)

    async def _finish_save(self) -> None:
        """Wait for the save in flight, if there is one, and raise its error."""
        save_task, self._save_task = self._save_task, None
        if save_task is not None:
            await save_task

    def _is_applied(self, batch: RecordBatch) -> bool:
        return self.processor.applied(batch.topic) >= batch.last_offset

    async def _final_checkpoint(self) -> None:
        """Write the last checkpoint of a graceful stop. A day that is being closed is closed again later."""
        if self._package_task is not None:
            self._package_task.cancel()
        await self._finish_save()
        if self.processor.closing is None:
            await self._save(self._snapshot())
