"""The Faust app: three agents, and how partitions are restored when they are assigned, and left when revoked.

    events   ─▶ agent ─▶ the partition's runner ─▶ outputs, state, acks
    feedback ─▶ agent ─▶ the same runner
    day reports ─▶ agent ─▶ the trainer ─▶ day packages

An agent only passes batches on. A runner acks them once their effects are durable, so an exception acks
nothing: it ends the worker, and the batches are redelivered to the next one.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from confluent_kafka import KafkaException
from faust.types import TP

from engine.batch.records import RecordBatch
from engine.continuity import AppliedPosition, Start, resume
from engine.log_breaks import break_outputs
from engine.processor import PartitionProcessor
from engine.state.errors import StateIncompleteError, StateMismatchError
from engine.state.partition_state import PartitionState
from schemas.dead_letter import DeadLetter
from schemas.learning import DayReport
from schemas.topics import DAY_PACKAGES, DAY_REPORTS, EVENTS, FEEDBACK, STATE
from sinks.store import ClickHouseWriter
from streams.broker_logs import BrokerLogs, LogsError, LogStatus, PartitionId
from streams.checkpoints import RestoredRows, RestoreError, StateTopic
from streams.course_facts import CourseFactsReader
from streams.day_packages import PackageReader
from streams.day_reports import report_records
from streams.dead_letters import send_dead_letter
from streams.faust_settings import faust_app
from streams.metrics import Metrics
from streams.publisher import Publisher, PublishError
from streams.runner import Delivery, PartitionRunner, RunnerServices
from streams.settings import Settings
from streams.shutdown import Shutdown
from streams.store_writer import PartitionProgress, StoreWriter
from streams.trainer_agent import TrainerAgent
from streams.transport import RecordBatchConsumer, batch_topic, deliver_in_batches

log = logging.getLogger(__name__)

TOPIC_ID_CHECK_S = 15.0
"""Seconds between two checks whether a topic that is being read was deleted and created again."""

ASSIGNMENT_ERRORS = (
    *(LogsError, PublishError, RestoreError, TimeoutError),  # the broker fell silent meanwhile
    *(StateIncompleteError, StateMismatchError),
)
"""Errors that stop a worker while it restores its partitions, logged in one line without a traceback."""


class Pipeline:
    """One worker of the pipeline: its Faust app, and a runner for each assigned partition."""

    def __init__(self, settings: Settings, shutdown: Shutdown) -> None:
        """shutdown: of the process; it is notified when the worker ends by itself."""
        self.settings = settings
        self._shutdown = shutdown
        self.metrics = Metrics()
        self.app = faust_app(settings)
        self._events = settings.prefix + EVENTS.name
        self._feedback = settings.prefix + FEEDBACK.name
        self._reports = settings.prefix + DAY_REPORTS.name
        self._logs = BrokerLogs(settings.broker, settings.prefix + settings.group)
        self._publisher = Publisher(settings.broker, patient=True)
        self.metrics.broker_silent.set_function(self._publisher.silent_s)
        self._packages = PackageReader(self._publisher, settings.broker, settings.prefix + DAY_PACKAGES.name)
        self._course_facts = CourseFactsReader(self._logs, settings.broker, settings.prefix)
        writer = None if (address := settings.store_address) is None else ClickHouseWriter(address)
        self._store = StoreWriter(writer, self.metrics, self._progress, self._send_dead_letter)
        self._services = RunnerServices(
            publisher=self._publisher,
            report=self._report,
            packages=self._packages,
            course_facts=self._course_facts,
            store_writer=self._store,
            metrics=self.metrics,
            prefix=settings.prefix,
        )
        self._runners: dict[int, PartitionRunner] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._early_deliveries: dict[int, list[Delivery]] = {}
        self._trainer: TrainerAgent | None = None
        self._restoring: asyncio.Task[None] | None = None
        self._topic_id_watch: asyncio.Task[None] | None = None
        self._stopping = False
        self.error: BaseException | None = None
        """The error that ended the worker, if one did."""
        hot = (self._events, self._feedback, self._reports)
        deliver_in_batches(self.app, hot, self._may_fetch, settings.fetch_wait_ms, urgent=(self._reports,))
        self._add_agents()
        handlers: list[tuple[Any, Any]] = [
            (self.app.on_partitions_revoked, self._on_revoked),
            (self.app.on_partitions_assigned, self._on_assigned),
            (self.app.on_before_shutdown, self._on_shutdown),
        ]
        for event, handler in handlers:
            event.connect(handler, weak=False)

    def _add_agents(self) -> None:
        input_partitions = self.settings.partitions

        async def to_runner(stream: Any) -> None:
            async for event in stream.noack().events():
                if self._is_current(event):
                    self._deliver(Delivery(event.value, partial(stream.ack, event)))

        async def to_trainer(stream: Any) -> None:
            async for event in stream.noack().events():
                if self._is_current(event):
                    await self._train(Delivery(event.value, partial(stream.ack, event)))

        for topic, partitions, agent, name in (
            (self._events, input_partitions, to_runner, "events"),
            (self._feedback, input_partitions, to_runner, "feedback"),
            (self._reports, 1, to_trainer, "trainer"),
        ):
            self.app.agent(batch_topic(self.app, topic, partitions), name=name)(agent)

    # -- batches ------------------------------------------------------------------------------------

    def _may_fetch(self, tp: TP) -> bool:
        if tp.topic == self._reports:
            return self._trainer is not None
        runner = self._runners.get(tp.partition)
        return runner is not None and runner.may_fetch

    def _is_current(self, event: Any) -> bool:
        """Whether a batch was fetched since the last rebalance.

        A batch fetched before the rebalance is redelivered, behind others that are. Applying it now would
        make those look as if they had been applied already.
        """
        return bool(event.message.generation_id == self.app.consumer_generation_id)

    def _deliver(self, delivery: Delivery) -> None:
        partition = delivery.batch.partition
        runner = self._runners.get(partition)
        if runner is None:
            self._early_deliveries.setdefault(partition, []).append(delivery)
        else:
            runner.deliver(delivery)

    async def _train(self, delivery: Delivery) -> None:
        """Give a batch of day reports to the trainer. Its error ends the worker: no partition can go on."""
        try:
            if self._trainer is not None:
                await self._trainer.process(delivery)
        except Exception as error:
            if self._stopping:
                return
            log.exception("the trainer failed on %s", _batch_name(delivery.batch))
            await self._crash(error)

    def _report(self, report: DayReport) -> None:
        """Send a day report to its topic, and directly to the trainer where this worker runs it."""
        for key, record in report_records(report):
            self._publisher.send(self._reports, record, key, 0)
        if self._trainer is not None:
            self._trainer.receive_local(report)

    def _progress(self, partition: int) -> PartitionProgress:
        """Applied offset, lag and age of the oldest uncommitted batch of a partition of the events."""
        runner = self._runners.get(partition)
        if runner is None:
            return PartitionProgress(-1, 0, 0.0)
        applied = runner.processor.applied(self._events)
        end = self._consumer.end_offset(TP(self._events, partition))
        lag = max(int(end) - 1 - applied, 0) if end is not None else 0
        return PartitionProgress(applied, lag, self._uncommitted_s(partition))

    def _uncommitted_s(self, partition: int) -> float:
        return self._consumer.uncommitted_s(TP(self._events, partition))

    @property
    def _consumer(self) -> RecordBatchConsumer:
        return cast(RecordBatchConsumer, self.app.consumer)

    # -- assignment and revocation ------------------------------------------------------------------

    async def _on_assigned(self, _app: Any, assigned: set[TP], **_: Any) -> None:
        """Restore every assigned partition, then let its events be fetched."""
        loop = asyncio.get_running_loop()
        self._restoring = loop.create_task(self._restore_partitions(assigned), name="restore partitions")
        try:
            await self._restoring
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            log.info("stopped while partitions were being restored: they are given up")
        except ASSIGNMENT_ERRORS as error:
            log.error("the worker stops: %s", error)
            self._stop_with(error)
        except Exception as error:
            log.exception("the partitions cannot be restored, the worker stops: %s", error)
            await self._crash(error)

    async def _restore_partitions(self, assigned: set[TP]) -> None:
        await self._stop_runners()
        partitions = sorted(tp.partition for tp in assigned if tp.topic == self._events)
        await _run_in_thread(self._packages.catch_up)
        topics = [self._state_topic(partition) for partition in partitions]
        restored = await asyncio.gather(*(_run_in_thread(topic.restore) for topic in topics))
        runners = {
            partition: self._make_runner(partition, topic, rows)
            for partition, topic, rows in zip(partitions, topics, restored, strict=True)
        }
        trains = any(tp.topic == self._reports for tp in assigned)
        starts = await self._resume_topics(runners, trains=trains)
        for partition, runner in runners.items():
            self._start_runner(partition, runner)
        if trains:
            sources = (self._packages, self._course_facts)
            self._trainer = TrainerAgent(self.settings, self._publisher, *sources, self._store)
            self._record_report_break(self._trainer, starts[self._reports, 0])
        if self._topic_id_watch is None:
            self._topic_id_watch = asyncio.get_running_loop().create_task(
                self._watch_topic_ids(), name="topic ids"
            )
        log.info("assigned: partitions %s%s", partitions, ", trainer" if self._trainer else "")

    async def _resume_topics(
        self, runners: Mapping[int, PartitionRunner], *, trains: bool
    ) -> dict[PartitionId, Start]:
        """Set the position of every partition to follow its applied offset, not the group's committed offset.

        Returns where each partition of each topic is read from.
        """
        applied = {
            (topic, partition): runner.processor.applied_position(topic)
            for partition, runner in runners.items()
            for topic in (self._events, self._feedback)
        }
        if trains:  # the day reports have no state: what was committed is what was applied
            applied[self._reports, 0] = AppliedPosition()
        logs: dict[PartitionId, LogStatus] = await _run_in_thread(partial(self._logs.describe, applied))
        if trains:
            status = logs[self._reports, 0]
            applied[self._reports, 0] = AppliedPosition(status.committed - 1, status.committed_topic_id)
        starts = {
            partition_id: resume(applied[partition_id], status.log, status.committed)
            for partition_id, status in logs.items()
        }
        for (topic, partition), start in starts.items():
            if start.log_break is not None:
                log.warning("%s, partition %d: %s", topic, partition, start.log_break.detail)
            if partition in runners and topic != self._reports:
                runners[partition].begin_topic(topic, start)
        course_facts = await _run_in_thread(self._course_facts.follow)
        for runner in runners.values():
            runner.begin_course_facts(course_facts)
        consumer = self._consumer
        positions = {TP(*partition_id): start.position for partition_id, start in starts.items()}
        topic_ids = {topic: start.topic_id for (topic, _), start in starts.items()}
        await consumer.start_at(positions, topic_ids | {self._course_facts.topic: course_facts.topic_id})
        committed = {TP(*partition_id): status.committed for partition_id, status in logs.items()}
        await consumer.commit_starts(committed)
        return starts

    async def _watch_topic_ids(self) -> None:
        """Rejoin the group when a topic is created again while it is read.

        The new log may grow past the old position before the next fetch, which would then look continuous.
        """
        while True:
            await asyncio.sleep(TOPIC_ID_CHECK_S)
            before = dict(self._consumer.topic_ids)
            try:
                now = await _run_in_thread(partial(self._logs.topic_ids, before))
            except KafkaException:
                continue  # the broker or the topic is unavailable
            recreated = [topic for topic, topic_id in now.items() if before[topic] != topic_id]
            if recreated and before == self._consumer.topic_ids:
                log.warning(
                    "%s: created again while it was read; partitions are restored again", recreated[0]
                )
                await self._consumer.rejoin()

    def _record_report_break(self, trainer: TrainerAgent, start: Start) -> None:
        """Report a break in the log of the day reports, for which no partition's processor reports any."""
        if start.log_break is None:
            return
        outputs = break_outputs(self._reports, 0, start, int(time.time()))
        for letter in outputs.dead_letters:
            self._send_dead_letter(letter)
        self.metrics.count_break(self._reports, 0, start.log_break)
        trainer.add_rows(outputs)

    def _send_dead_letter(self, letter: DeadLetter) -> None:
        """Send a dead letter; it is durable after the publisher's next flush."""
        send_dead_letter(self._publisher, self.settings.prefix, letter)

    def _state_topic(self, partition: int) -> StateTopic:
        settings = self.settings
        return StateTopic(self._publisher, settings.broker, settings.prefix + STATE.name, partition)

    def _make_runner(self, partition: int, topic: StateTopic, restored: RestoredRows) -> PartitionRunner:
        settings = self.settings
        try:
            state = PartitionState.restore(
                settings.identity, restored.rows.items(), settings.rules.timing.days
            )
        except (StateMismatchError, StateIncompleteError) as error:
            raise type(error)(f"partition {partition}: {error}") from None
        processor = PartitionProcessor(partition, settings.rules, state)
        self.metrics.reset_counted(processor)
        age_gauge = self.metrics.committed_age.labels(str(partition))
        age_gauge.set_function(partial(self._uncommitted_s, partition))  # at each scrape: it grows while idle
        if restored.rows:
            log.info(
                "partition %d: restored %d rows of %d records",
                partition,
                len(restored.rows),
                restored.records,
            )
        return PartitionRunner(processor, topic, self._services, settings.pace)

    def _start_runner(self, partition: int, runner: PartitionRunner) -> None:
        for delivery in self._early_deliveries.pop(partition, []):
            runner.deliver(delivery)
        self._runners[partition] = runner
        task = asyncio.get_running_loop().create_task(runner.run(), name=f"partition {partition}")
        task.add_done_callback(partial(self._on_runner_done, partition))
        self._tasks[partition] = task

    def _on_runner_done(self, partition: int, task: asyncio.Task[None]) -> None:
        """End the worker if a runner failed; its batches stay unacked."""
        if task.cancelled() or (error := task.exception()) is None or self._stopping:
            return  # while the worker stops, ``_stop_runners`` logs the error
        log.error("partition %d failed, the worker stops: %s", partition, error, exc_info=error)
        asyncio.get_running_loop().create_task(self._crash(error))

    async def _crash(self, error: BaseException) -> None:
        """Stop the worker because of an error. What is not acked is redelivered to the next one."""
        self.error = error
        self._shutdown.start_deadline(1)
        await self.app.crash(error)

    def _stop_with(self, error: BaseException) -> None:
        """Stop the worker in order, as a signal would, without the traceback of a crash."""
        self.error = error
        self._shutdown.stop(1)

    async def _on_revoked(self, _app: Any, revoked: set[TP], **_: Any) -> None:  # noqa: ARG002
        await self._stop_runners()
        await self.app.consumer.commit()

    async def _on_shutdown(self, *_args: Any, **_: Any) -> None:
        self._stopping = True
        for task in (self._restoring, self._topic_id_watch):  # else the group waits until all state is read
            if task is not None:
                task.cancel()
        self._store.close()
        await self._stop_runners()
        await self.app.consumer.commit()
        self._packages.stop()
        self._course_facts.stop()
        await _run_in_thread(self._publisher.close)

    async def _stop_runners(self) -> None:
        """Checkpoint and stop all runners. After a rebalance, partitions that stay are restored again."""
        loop = asyncio.get_running_loop()
        tasks = list(self._tasks.values())
        if self._trainer is not None:
            tasks.append(loop.create_task(self._trainer.flush(), name="trainer"))
            self._trainer = None
        for runner in self._runners.values():
            runner.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=self.settings.session_timeout_s / 2)
        for task in tasks:
            if not task.done():
                log.warning("%s did not stop in time; its last batches will be redelivered", task.get_name())
                task.cancel()
            elif not task.cancelled() and (error := task.exception()) is not None:
                log.warning("%s: its last batches will be redelivered: %s", task.get_name(), error)
        self._runners.clear()
        self._tasks.clear()
        self._early_deliveries.clear()


async def _run_in_thread(call: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call)


def _batch_name(batch: RecordBatch) -> str:
    return f"{batch.topic}:{batch.partition}:{batch.first_offset}-{batch.last_offset}"
