"""The Faust app: three agents, and what happens when partitions come and go.

    events   ─▶ agent ─▶ the partition's runner ─▶ outputs, state, acks
    feedback ─▶ agent ─▶ the same runner
    day reports ─▶ agent ─▶ the trainer ─▶ day packages

An agent only hands batches over. A runner acks them once their effects are safe, so an exception acks
nothing: it ends the worker, and the batches come back to the next one.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import faust
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
from schemas.topics import DAY_PACKAGES, DAY_REPORTS, DEAD_LETTERS, EVENTS, FEEDBACK, STATE
from sinks.store import ClickHouseWriter
from streams.broker_logs import BrokerLogs, Found, LogsError
from streams.broker_logs import Place as LogPlace
from streams.checkpoints import Recovered, RestoreError, StateTopic
from streams.day_packages import PackageReader
from streams.day_reports import records_of_report
from streams.ending import Ending
from streams.metrics import Metrics
from streams.publisher import Publisher, PublishError
from streams.runner import Delivery, PartitionRunner, Surroundings
from streams.settings import Settings
from streams.store_writer import Place, Storing
from streams.trainer_agent import Training
from streams.transport import RecordBatchConsumer, batch_topic, deliver_in_batches, faust_settings

log = logging.getLogger(__name__)

LOOK_EVERY_S = 15.0
"""How soon it is noticed that a topic was made anew under a worker that reads it."""

REFUSED = (
    *(LogsError, PublishError, RestoreError, TimeoutError),  # the broker fell silent meanwhile
    *(StateIncompleteError, StateMismatchError),
)
"""Why partitions are not taken over: told in one line."""


class Pipeline:
    """A worker's part of the pipeline: its app, and one runner for each partition it has."""

    def __init__(self, settings: Settings, ending: Ending) -> None:
        """ending: of the process, which is told when the worker ends by itself."""
        self.settings = settings
        self._ending = ending
        self.metrics = Metrics()
        self.app = faust.App(
            settings.prefix + settings.group,
            **faust_settings(
                settings.broker,
                batch_records=settings.batch_records,
                session_timeout_s=settings.session_timeout_s,
            ),
            web_enabled=False,
        )
        self._events = settings.prefix + EVENTS.name
        self._feedback = settings.prefix + FEEDBACK.name
        self._reports = settings.prefix + DAY_REPORTS.name
        self._logs = BrokerLogs(settings.broker, settings.prefix + settings.group)
        self._publisher = Publisher(settings.broker, patient=True)
        self.metrics.broker_silent.set_function(self._publisher.silent_s)
        self._packages = PackageReader(self._publisher, settings.broker, settings.prefix + DAY_PACKAGES.name)
        address = settings.store_address
        writer = None if address is None else ClickHouseWriter(address)
        self._storing = Storing(writer, self.metrics, self._place, self._send_letter)
        self._around = Surroundings(
            self._publisher, self._report, self._packages, self._storing, self.metrics, settings.prefix
        )
        self._runners: dict[int, PartitionRunner] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._early: dict[int, list[Delivery]] = {}
        self._training: Training | None = None
        self._taking_over: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._stopping = False
        self.failed: BaseException | None = None
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
        count = self.settings.partitions

        async def to_runner(stream: Any) -> None:
            async for event in stream.noack().events():
                if self._is_current(event):
                    self._deliver(Delivery(event.value, partial(stream.ack, event)))

        async def to_trainer(stream: Any) -> None:
            async for event in stream.noack().events():
                if self._is_current(event):
                    await self._train(Delivery(event.value, partial(stream.ack, event)))

        for topic, partitions, agent, name in (
            (self._events, count, to_runner, "events"),
            (self._feedback, count, to_runner, "feedback"),
            (self._reports, 1, to_trainer, "trainer"),
        ):
            self.app.agent(batch_topic(self.app, topic, partitions), name=name)(agent)

    # -- batches ------------------------------------------------------------------------------------

    def _may_fetch(self, tp: TP) -> bool:
        if tp.topic == self._reports:
            return self._training is not None
        runner = self._runners.get(tp.partition)
        return runner is not None and runner.may_fetch

    def _is_current(self, event: Any) -> bool:
        """Whether a batch was fetched since the last rebalance.

        One that was on its way before it comes again, behind others that come again: taken now, it would
        make those look as if they had been applied.
        """
        return bool(event.message.generation_id == self.app.consumer_generation_id)

    def _deliver(self, delivery: Delivery) -> None:
        partition = delivery.batch.partition
        runner = self._runners.get(partition)
        if runner is None:
            self._early.setdefault(partition, []).append(delivery)
        else:
            runner.deliver(delivery)

    async def _train(self, delivery: Delivery) -> None:
        """The trainer's step. Its error ends the worker: without packages everything stands still."""
        try:
            if self._training is not None:
                await self._training.take(delivery)
        except Exception as error:
            if self._stopping:
                return
            log.exception("the trainer failed on %s", _where(delivery.batch))
            await self._fail(error)

    def _report(self, report: DayReport) -> None:
        """To the topic, and to the trainer at once where it is here."""
        for key, record in records_of_report(report):
            self._publisher.send(self._reports, record, key, 0)
        if self._training is not None:
            self._training.hear(report)

    def _place(self, partition: int) -> Place:
        """Where a partition stands in its topic."""
        runner = self._runners.get(partition)
        if runner is None:
            return Place(-1, 0, 0.0)
        applied = runner.processor.applied(self._events)
        end = self._consumer.known_end(TP(self._events, partition))
        lag = max(int(end) - 1 - applied, 0) if end is not None else 0
        return Place(applied, lag, self._uncommitted_s(partition))

    def _uncommitted_s(self, partition: int) -> float:
        return self._consumer.uncommitted_s(TP(self._events, partition))

    @property
    def _consumer(self) -> RecordBatchConsumer:
        return cast(RecordBatchConsumer, self.app.consumer)

    # -- partitions come and go ---------------------------------------------------------------------

    async def _on_assigned(self, _app: Any, assigned: set[TP], **_: Any) -> None:
        """Restore every partition before its first event; then let its events come."""
        loop = asyncio.get_running_loop()
        self._taking_over = loop.create_task(self._take_over(assigned), name="take over")
        try:
            await self._taking_over
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            log.info("told to stop while partitions were taken over: they are left")
        except REFUSED as error:
            log.error("the worker stops: %s", error)
            self._refuse(error)
        except Exception as error:
            log.exception("the partitions cannot be taken over, the worker stops: %s", error)
            await self._fail(error)

    async def _take_over(self, assigned: set[TP]) -> None:
        await self._stop_runners()
        partitions = sorted(tp.partition for tp in assigned if tp.topic == self._events)
        await _in_thread(self._packages.catch_up)
        topics = [self._state_topic(partition) for partition in partitions]
        restored = await asyncio.gather(*(_in_thread(topic.restore) for topic in topics))
        runners = {
            partition: self._make_runner(partition, topic, found)
            for partition, topic, found in zip(partitions, topics, restored, strict=True)
        }
        trains = any(tp.topic == self._reports for tp in assigned)
        starts = await self._join_logs(runners, trains=trains)
        for partition, runner in runners.items():
            self._start_runner(partition, runner)
        if trains:
            self._training = Training(self.settings, self._publisher, self._packages, self._storing)
            self._tell_of_reports(self._training, starts[self._reports, 0])
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch_ids(), name="topic ids")
        log.info("assigned: partitions %s%s", partitions, ", trainer" if self._training else "")

    async def _join_logs(
        self, runners: Mapping[int, PartitionRunner], *, trains: bool
    ) -> dict[LogPlace, Start]:
        """Let every topic be read from where its state vouches for, not from where its group stands."""
        vouched = {
            (topic, partition): runner.processor.applied_position(topic)
            for partition, runner in runners.items()
            for topic in (self._events, self._feedback)
        }
        if trains:  # what is known of reports is what was committed
            vouched[self._reports, 0] = AppliedPosition()
        logs: dict[LogPlace, Found] = await _in_thread(partial(self._logs.find, vouched))
        if trains:
            found = logs[self._reports, 0]
            vouched[self._reports, 0] = AppliedPosition(found.committed - 1, found.topic_id)
        starts = {place: resume(vouched[place], found.log, found.committed) for place, found in logs.items()}
        for (topic, partition), start in starts.items():
            if start.log_break is not None:
                log.warning("%s, partition %d: %s", topic, partition, start.log_break.detail)
            if partition in runners and topic != self._reports:
                runners[partition].begin(topic, start)
        consumer = self._consumer
        positions = {TP(*place): start.position for place, start in starts.items()}
        await consumer.start_at(positions, {topic: start.topic_id for (topic, _), start in starts.items()})
        await consumer.commit_starts({TP(*place): found.committed for place, found in logs.items()})
        return starts

    async def _watch_ids(self) -> None:
        """A topic that is made anew while it is read may fill up before the next fetch, and seem to join."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            known = dict(self._consumer.topic_ids)
            try:
                found = await _in_thread(partial(self._logs.topic_ids, known))
            except KafkaException:
                continue  # the broker is away, or the topic is
            anew = [topic for topic, one in found.items() if known[topic] != one]
            if anew and known == self._consumer.topic_ids:
                log.warning("%s: made anew while it was read; its partitions are taken over again", anew[0])
                await self._consumer.rejoin()

    def _tell_of_reports(self, training: Training, start: Start) -> None:
        """Day reports have no state of a partition that could tell of them."""
        if start.log_break is None:
            return
        outputs = break_outputs(self._reports, 0, start, int(time.time()))
        for letter in outputs.dead_letters:
            self._send_letter(letter)
        self.metrics.broke(self._reports, 0, start.log_break)
        training.keep(outputs)

    def _send_letter(self, letter: DeadLetter) -> None:
        """Hand a dead letter to the publisher; it is safe after its next flush."""
        key = f"{letter.topic}:{letter.partition}"
        self._publisher.send(
            self.settings.prefix + DEAD_LETTERS.name, letter.model_dump_json().encode(), key, 0
        )

    def _state_topic(self, partition: int) -> StateTopic:
        settings = self.settings
        return StateTopic(self._publisher, settings.broker, settings.prefix + STATE.name, partition)

    def _make_runner(self, partition: int, topic: StateTopic, found: Recovered) -> PartitionRunner:
        settings = self.settings
        try:
            state = PartitionState.restore(settings.identity, found.rows.items())
        except (StateMismatchError, StateIncompleteError) as error:
            raise type(error)(f"partition {partition}: {error}") from None
        processor = PartitionProcessor(partition, settings.rules, state)
        self.metrics.restored(processor)
        age = self.metrics.committed_age.labels(str(partition))
        age.set_function(partial(self._uncommitted_s, partition))  # asked when scraped: it grows in silence
        if found.rows:
            log.info(
                "partition %d: restored %d rows of %d records", partition, len(found.rows), found.records
            )
        return PartitionRunner(processor, topic, self._around, settings.pace)

    def _start_runner(self, partition: int, runner: PartitionRunner) -> None:
        for delivery in self._early.pop(partition, []):
            runner.deliver(delivery)
        self._runners[partition] = runner
        task = asyncio.get_running_loop().create_task(runner.run(), name=f"partition {partition}")
        task.add_done_callback(partial(self._ended, partition))
        self._tasks[partition] = task

    def _ended(self, partition: int, task: asyncio.Task[None]) -> None:
        """A runner that failed ends the worker; its batches stay unacked."""
        if task.cancelled() or (error := task.exception()) is None or self._stopping:
            return  # while it stops, ``_stop_runners`` says so
        log.error("partition %d failed, the worker stops: %s", partition, error, exc_info=error)
        asyncio.get_running_loop().create_task(self._fail(error))

    async def _fail(self, error: BaseException) -> None:
        """Stop the worker. What is not acked comes back to the next one."""
        self.failed = error
        self._ending.begin(1)
        await self.app.crash(error)

    def _refuse(self, error: BaseException) -> None:
        """Stop as if told to, without the tracebacks of a crash."""
        self.failed = error
        self._ending.stop(1)

    async def _on_revoked(self, _app: Any, revoked: set[TP], **_: Any) -> None:  # noqa: ARG002
        await self._stop_runners()
        await self.app.consumer.commit()

    async def _on_shutdown(self, *_args: Any, **_: Any) -> None:
        self._stopping = True
        for task in (self._taking_over, self._watching):  # else the group is kept waiting until all is read
            if task is not None:
                task.cancel()
        self._storing.close()
        await self._stop_runners()
        await self.app.consumer.commit()
        self._packages.stop()
        await _in_thread(self._publisher.close)

    async def _stop_runners(self) -> None:
        """Checkpoint and stop them all. After a rebalance, those that stay start again from there."""
        loop = asyncio.get_running_loop()
        tasks = list(self._tasks.values())
        if self._training is not None:
            tasks.append(loop.create_task(self._training.settle(), name="trainer"))
            self._training = None
        for runner in self._runners.values():
            runner.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=self.settings.session_timeout_s / 2)
        for task in tasks:
            if not task.done():
                log.warning("%s did not stop in time; its last batches will come again", task.get_name())
                task.cancel()
            elif not task.cancelled() and (error := task.exception()) is not None:
                log.warning("%s: its last batches will come again: %s", task.get_name(), error)
        self._runners.clear()
        self._tasks.clear()
        self._early.clear()


async def _in_thread(call: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call)


def _where(batch: RecordBatch) -> str:
    return f"{batch.topic}:{batch.partition}:{batch.first_offset}-{batch.last_offset}"
