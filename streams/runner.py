"""Drives one partition: batches in, outputs out, the day barrier between, checkpoints under it all.

The order at a checkpoint is what makes at-least-once delivery have its effect once:

1. outputs are flushed, to the topics and to the store; their ids are deterministic, so a repeat is known;
2. state rows and their mark are flushed;
3. messages for notifiers are flushed; the state keeps them until the checkpoint after that;
4. only then are the batches acked.

All of it is taken at one moment and saved while the next batches are applied. A save that has not ended when
the next is due is waited for, so a store that is slow or away holds the partition back.

A crash anywhere before 4 redelivers batches. What the restored state has applied already is skipped by
offset; the rest is applied again, and says the same things with the same ids. Decisions alone may come out
otherwise, where feedback is heard in another order than before: so a nudge leaves last, when no crash can
make the state forget it.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from engine.batch.records import RecordBatch
from engine.continuity import Start
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.state.row_keys import StateRow
from schemas.learning import DayPackage, DayReport
from schemas.topics import DEAD_LETTERS, DECISIONS, EVENTS, NUDGES, RISK_CHANGES
from streams.checkpoints import StateTopic
from streams.day_packages import PackageReader
from streams.metrics import Metrics
from streams.pace import Pace
from streams.publisher import Publisher
from streams.store_writer import Storing

log = logging.getLogger(__name__)

Ack = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Delivery:
    """A batch and the way to ack it."""

    batch: RecordBatch
    ack: Ack


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything of a moment: what was said since the last one, the state, and the batches it rests on.

    outbox: messages for notifiers that the state holds, by name, each with its learner.
    """

    outputs: Outputs
    rows: list[StateRow]
    outbox: dict[str, list[str]]
    deliveries: list[Delivery]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all runners of a worker share. report: takes a day's report to the trainer."""

    publisher: Publisher
    report: Callable[[DayReport], None]
    packages: PackageReader
    storing: Storing
    metrics: Metrics
    prefix: str = ""


class PartitionRunner:
    """One task a partition. ``failed`` holds the error that ended it, if one did."""

    def __init__(
        self, processor: PartitionProcessor, topic: StateTopic, around: Surroundings, pace: Pace
    ) -> None:
        self.processor = processor
        self.failed: BaseException | None = None
        self._topic = topic
        self._around = around
        self._pace = pace
        self._inbox: deque[Delivery] = deque()
        self._unacked: deque[Delivery] = deque()
        self._woken = asyncio.Event()
        self._stopping = False
        self._unsaid = Outputs()
        self._checkpointed = time.monotonic()
        self._heard = time.monotonic()
        self._backlog = 0
        self._dirty = bool(processor.state.outbox)  # a crash may have come before they were sent
        self._coming: asyncio.Task[DayPackage | None] | None = None
        self._saving: asyncio.Task[None] | None = None
        self._asked = 0.0

    def deliver(self, delivery: Delivery) -> None:
        """Take a batch; it is acked once its effects are safe."""
        self._inbox.append(delivery)
        self._backlog += len(delivery.batch)
        self._woken.set()

    @property
    def may_fetch(self) -> bool:
        """Whether more may be fetched for this partition."""
        return self._backlog + self.processor.pending < self._pace.backlog and self.failed is None

    def begin(self, topic: str, start: Start) -> None:
        """Go on with a topic where its log lets it, and say what is missing before.

        Before the first batch.
        """
        vouched = self.processor.applied_position(topic)
        self._say(self.processor.resume_at(topic, start, int(time.time())))
        if start.log_break is not None:
            self._around.metrics.broke(topic, self.processor.partition, start.log_break)
        self._dirty |= self.processor.applied_position(topic) != vouched

    async def run(self) -> None:
        """Work until stopped; then leave a checkpoint. An error ends it, and acks nothing."""
        try:
            while not self._stopping:
                await self._once()
            await self._leave()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self.failed = error
            raise
        finally:
            if self._saving is not None:
                self._saving.cancel()

    def stop(self) -> None:
        """Ask it to finish after the step at hand."""
        self._stopping = True
        self._woken.set()

    # -- one step -----------------------------------------------------------------------------------

    async def _once(self) -> None:
        if self._saving is not None and self._saving.done():
            await self._saved()
        if self._coming is not None and self._coming.done():
            await self._advance()
        elif self.processor.due is not None:
            await self._close()
        elif self._inbox and self.processor.pending < self._pace.ahead:
            await self._apply(self._inbox.popleft())
        else:
            self._observe()
            await self._rest()
        late = time.monotonic() - self._checkpointed >= self._pace.checkpoint
        if self._dirty and late and self.processor.closing is None:
            await self._saved()
            self._begin_save()

    async def _rest(self) -> None:
        self._woken.clear()
        left = self._pace.checkpoint - (time.monotonic() - self._checkpointed) if self._dirty else 1.0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), max(min(left, 1.0), 0.01))

    def _observe(self) -> None:
        if self._pace.idle is not None and time.monotonic() - self._heard > self._pace.idle:
            self.processor.advance_clock(int(time.time()))

    async def _apply(self, delivery: Delivery) -> None:
        self._backlog -= len(delivery.batch)
        self._heard = time.monotonic()
        self._unacked.append(delivery)
        with self._around.metrics.applying(self.processor.partition, len(delivery.batch)):
            feedback = not delivery.batch.topic.endswith(EVENTS.name)
            apply = self.processor.apply_feedback if feedback else self.processor.apply
            self._say(apply(delivery.batch))
        self._dirty = True
        await asyncio.sleep(0)

    async def _close(self) -> None:
        """Close the day that is due and report it; its package comes while events go on."""
        with self._around.metrics.closing():
            reports = self.processor.close()
        self._asked = time.monotonic()
        self._wait_for_package()
        for report in reports:
            self._around.report(report)
        self._dirty = True

    def _wait_for_package(self) -> None:
        day = self.processor.closing
        assert day is not None, "a day was closed"  # noqa: S101
        waiting = self._around.packages.wait(day, self._pace.barrier)
        self._coming = asyncio.get_running_loop().create_task(waiting, name=f"package of day {day}")
        self._coming.add_done_callback(lambda _: self._woken.set())

    async def _advance(self) -> None:
        """Score with the package that came; live and late, with the last one there is, if there is one."""
        assert self._coming is not None, "a package was waited for"  # noqa: S101
        package, self._coming = self._coming.result(), None
        stale = package is None
        if package is None:
            package = self._around.packages.newest()
            log.warning(
                "partition %d: day %s has no package yet", self.processor.partition, self.processor.closing
            )
        if package is None:
            self._wait_for_package()
            return
        self._around.metrics.waited(time.monotonic() - self._asked)
        with self._around.metrics.scoring():
            self._say(self.processor.advance(package, stale=stale))
        self._dirty = True
        await asyncio.sleep(0)

    # -- outputs and checkpoints --------------------------------------------------------------------

    def _say(self, outputs: Outputs) -> None:
        """Send messages off; keep rows for the store until the checkpoint, in batches worth inserting."""
        partition, prefix, send = self.processor.partition, self._around.prefix, self._around.publisher.send
        for change in outputs.risk_changes:
            send(prefix + RISK_CHANGES.name, change.model_dump_json().encode(), change.learner, partition)
        for decision in outputs.decisions:
            send(prefix + DECISIONS.name, decision.model_dump_json().encode(), decision.learner, partition)
        for dead in outputs.dead_letters:
            send(
                prefix + DEAD_LETTERS.name,
                dead.model_dump_json().encode(),
                f"{dead.topic}:{dead.partition}",
                0,
            )
        self._around.metrics.said(partition, outputs)
        self._unsaid.extend(outputs)

    def _take(self) -> Checkpoint:
        """Everything as it is now. Not while a day is being closed."""
        outputs, self._unsaid = self._unsaid, Outputs()
        rows = list(self.processor.checkpoint(self._topic.epoch))
        deliveries = []
        while self._unacked and self._safe(self._unacked[0].batch):
            deliveries.append(self._unacked.popleft())
        self._checkpointed = time.monotonic()
        self._dirty = self.processor.pending > 0
        return Checkpoint(outputs, rows, dict(self.processor.state.outbox), deliveries)

    def _begin_save(self) -> None:
        name = f"checkpoint of partition {self.processor.partition}"
        self._saving = asyncio.get_running_loop().create_task(self._save(self._take()), name=name)
        self._saving.add_done_callback(lambda _: self._woken.set())

    async def _save(self, checkpoint: Checkpoint) -> None:
        """Make a checkpoint safe, then ack the batches it rests on."""
        metrics, partition = self._around.metrics, self.processor.partition
        with metrics.flushing("outputs", partition):
            await self._around.publisher.flush()
        with metrics.flushing("store", partition):
            await self._around.storing.store(self.processor, checkpoint.outputs)
        with metrics.flushing("state", partition):
            self._topic.write(checkpoint.rows[:-1])
            await self._around.publisher.flush()  # or a mark could overtake a row that is sent again
            self._topic.write(checkpoint.rows[-1:])
            await self._around.publisher.flush()
            await self._post(checkpoint.outbox)
        metrics.of(partition).health.state_rows += len(checkpoint.rows)
        metrics.progressed(self.processor)
        for delivery in checkpoint.deliveries:
            await delivery.ack()

    async def _post(self, outbox: dict[str, list[str]]) -> None:
        """Send the messages for notifiers that are safe; sent twice, they are the same."""
        if not outbox:
            return
        topic, partition = self._around.prefix + NUDGES.name, self.processor.partition
        for learner, message in outbox.values():
            self._around.publisher.send(topic, message.encode(), learner, partition)
        await self._around.publisher.flush()
        self.processor.state.remove_from_outbox(outbox)

    async def _saved(self) -> None:
        """Wait for the save under way, if there is one. Raises what it raised."""
        saving, self._saving = self._saving, None
        if saving is not None:
            await saving

    def _safe(self, batch: RecordBatch) -> bool:
        return self.processor.applied(batch.topic) >= batch.last_offset

    async def _leave(self) -> None:
        """The last checkpoint of a graceful stop. A day that is being closed is closed again after it."""
        if self._coming is not None:
            self._coming.cancel()
        await self._saved()
        if self.processor.closing is None:
            await self._save(self._take())
