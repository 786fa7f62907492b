"""What the tests of the whole worker share: a stream and its variants, runs on a broker, and what came out.

The stream is a small simulated term in which everything occurs: two runs a course, risk changes, a model
that serves, nudges, a held-out learner. ``straight`` says what must come out of it, by a pass in this process
without Kafka. A run on the broker is right where its topics hold the same messages, byte for byte.
"""

import functools
import json
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from pydantic import SecretStr

from engine.outputs import Outputs
from engine.pieces import PieceAssembler, decompress, piece_of
from engine.state.clock import Clock
from engine.state.partition_state import PartitionState
from engine.state.row_keys import StateRow
from evaluation.backtest import Backtest
from local.rig import Rig, WorkerProcess
from schemas.learning import DayPackage
from schemas.topics import DAY_PACKAGES, DEAD_LETTERS, DECISIONS, EVENTS, NUDGES, RISK_CHANGES, STATE
from sinks.address import StoreAddress
from sinks.store import StoreReader
from sources import simulator
from sources.simulator import SimulationPlan
from sources.stream import SourceMessage
from streams.checkpoints import StateTopic
from streams.publisher import Publisher
from streams.settings import Settings

PLAN = SimulationPlan.term(learners=200, weeks=6, past=0.7, seed=2)
LATENESS_S = 6 * 3600
PATIENCE_S = 240.0
"""Of waits that a test does not measure: a machine that others use too may take its time."""


@functools.cache
def stream() -> tuple[SourceMessage, ...]:
    """The term's messages, in order of event time."""
    return tuple(simulator.stream(PLAN))


# -- what must come out ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """Output messages by their ids."""

    risk_changes: dict[str, bytes]
    decisions: dict[str, bytes]
    nudges: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Straight:
    """A pass without Kafka: its outputs, its packages by day, and the activity that the stream holds."""

    outcome: Outcome
    packages: dict[int, bytes]
    activities: int
    clicks: int


@functools.cache
def straight() -> Straight:
    """The reference, computed once."""
    return straight_of(stream())


def straight_of(messages: Iterable[SourceMessage]) -> Straight:
    """What must come out of a stream."""
    messages = list(messages)
    outputs: list[Outputs] = []
    packages: dict[int, bytes] = {}
    settings = settings_of("none:0", "", None)

    def collect(_day: int, _processors: object, package: Any) -> None:
        packages[package.day] = package.model_dump_json().encode()

    Backtest(settings.rules, settings.identity, on_outputs=outputs.append, on_day=collect).run(messages)
    outcome = Outcome(
        {
            message.risk_change_id: message.model_dump_json().encode()
            for part in outputs
            for message in part.risk_changes
        },
        {
            message.decision_id: message.model_dump_json().encode()
            for part in outputs
            for message in part.decisions
        },
        {
            f"{message.type}:{message.nudge_id}": message.model_dump_json().encode()
            for part in outputs
            for message in part.nudges
        },
    )
    contents = [json.loads(message.value) for message in messages if not message.broadcast]
    activities = [content for content in contents if content["type"] == "activity"]
    clicks = sum(content.get("count", 1) for content in activities)
    return Straight(outcome, packages, len(activities), clicks)


# -- variants of the stream -----------------------------------------------------------------------------


def shuffled(messages: Iterable[SourceMessage], seed: int = 1) -> list[SourceMessage]:
    """Every message but the ticks comes up to the lateness later than it happened."""
    draw = random.Random(seed)

    def arrives(message: SourceMessage) -> float:
        late = 0.0 if message.key is None and is_tick(message) else draw.random() * (LATENESS_S - 1)
        return message.occurred_at + late

    return sorted(messages, key=arrives)


def doubled(messages: Iterable[SourceMessage], share: float = 0.1, seed: int = 2) -> list[SourceMessage]:
    """A share of the learners' messages comes a second time, up to twelve hours later."""
    draw = random.Random(seed)
    arrivals = [(float(index), message) for index, message in enumerate(messages)]
    times = [message.occurred_at for _, message in arrivals]
    copies = []
    for index, message in arrivals:
        if message.broadcast or draw.random() >= share:
            continue
        later = times[int(index)] + draw.random() * 12 * 3600
        at = int(index)
        while at + 1 < len(times) and times[at + 1] <= later:
            at += 1
        copies.append((at + 0.5, message))
    return [message for _, message in sorted(arrivals + copies, key=lambda one: one[0])]


def is_tick(message: SourceMessage) -> bool:
    return b'"tick"' in message.value


# -- runs -----------------------------------------------------------------------------------------------


def settings_of(broker: str, prefix: str, store: StoreAddress | None, **more: Any) -> Settings:
    """Settings of a test's pipeline: small batches and frequent checkpoints, so that much can go wrong,
    and levels that change often."""
    chosen: dict[str, Any] = {
        "broker": broker,
        "prefix": prefix,
        "group": "workers",
        "clock": "replay",
        "partitions": 2,
        "pseudonym_key": SecretStr("0123456789abcdef" * 2),
        "session_timeout_s": 6.0,
        "checkpoint_s": 0.3,
        "batch_records": 200,
        "backlog_records": 800,
        "medium_enter": 0.35,
        "medium_leave": 0.25,
        "high_enter": 0.6,
        "high_leave": 0.5,
        "confirm_days": 1,
        "unsure_band": 0.0,
        "metrics_port": 0,
        "store": "" if store is None else str(store),
        "store_password": SecretStr("" if store is None else store.password),
    }
    return Settings(_env_file=None, **(chosen | more))


STARTING = (
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
)
"""What a broker answers that is still making its offsets topic: nobody has committed yet."""


@contextmanager
def pipeline(folder: Path, settings: Settings) -> Iterator[Rig]:
    """A rig on a broker and a store that run already."""
    with Rig(folder, settings, broker=False, store=False) as rig:
        yield rig


def wait_until(rig: Rig, reached: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for something while the rig's workers run. Fails with their last words."""
    deadline = time.monotonic() + patience_s
    while not reached():
        for worker in rig.workers:
            worker.check()
        if time.monotonic() > deadline:
            tails = "\n\n".join(worker.tail() for worker in rig.workers)
            raise AssertionError(f"not within {patience_s:.0f} s: {what}\n{tails}")
        time.sleep(0.1)


def applied(rig: Rig) -> float:
    """Events that the rig's present workers have applied and made safe."""
    return sum(applied_by(worker) for worker in rig.workers)


def applied_by(worker: WorkerProcess) -> float:
    """Events that one worker has applied and made safe."""
    return worker.counts().get("homeroom_events_applied_total", 0.0)


def wait_applied(rig: Rig, count: float) -> None:
    """Wait until the present workers have applied so many events."""
    wait_until(rig, lambda: applied(rig) >= count, f"{count:.0f} events applied")


def kill(rig: Rig, worker: WorkerProcess) -> None:
    """End a worker as a crash would, and forget it."""
    worker.kill()
    rig.workers.remove(worker)


def finish(rig: Rig) -> None:
    """Wait until every record of the events topic is acked."""
    wait_until(rig, lambda: committed(rig.settings) == ends(rig.settings), "everything acked")


# -- what the broker and the store have -----------------------------------------------------------------


def committed(settings: Settings, topic: str = EVENTS.name) -> list[int]:
    """The committed offset of each partition of an inbound topic; 0 where there is none."""
    consumer = _consumer(settings.broker, settings.prefix + settings.group)
    try:
        wanted = [
            TopicPartition(settings.prefix + topic, partition) for partition in range(settings.partitions)
        ]
        return [max(offset.offset, 0) for offset in consumer.committed(wanted, timeout=20)]
    except KafkaException as error:
        if error.args[0].code() not in STARTING:
            raise
        return [0] * settings.partitions
    finally:
        consumer.close()


def ends(settings: Settings, topic: str = EVENTS.name) -> list[int]:
    """The offset after the last record of each partition."""
    consumer = _consumer(settings.broker)
    try:
        return [
            _end(consumer, TopicPartition(settings.prefix + topic, partition))
            for partition in _partitions(consumer, settings.prefix + topic)
        ]
    finally:
        consumer.close()


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    """The offset after the last record; asked again while the partition of a new topic has no leader."""
    for _ in range(20):
        try:
            return consumer.get_watermark_offsets(partition, timeout=20)[1]
        except KafkaException as error:
            if error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            time.sleep(0.5)
    raise AssertionError(f"{partition} has no leader")


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies on the broker."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def records(settings: Settings, topic: str) -> list[Record]:
    """All records of a topic, partition by partition."""
    name = settings.prefix + topic
    consumer = _consumer(settings.broker)
    try:
        left = {partition: end for partition, end in enumerate(ends(settings, topic)) if end}
        consumer.assign([TopicPartition(name, partition, OFFSET_BEGINNING) for partition in left])
        records = []
        deadline = time.monotonic() + 30
        while left:
            assert time.monotonic() < deadline, f"{name} could not be read to its end"
            for record in consumer.consume(5_000, 0.5):
                assert record.error() is None, record.error()
                partition, offset = record.partition() or 0, record.offset() or 0
                records.append(Record(partition, offset, record.key(), record.value()))
                if offset + 1 >= left.get(partition, 0):
                    left.pop(partition, None)
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()


def outcome(settings: Settings) -> Outcome:
    """What the run has put out. Fails where a repeat differs from the first, or has another partition."""
    return Outcome(
        _by_id(settings, RISK_CHANGES.name, "risk_change_id"),
        _by_id(settings, DECISIONS.name, "decision_id"),
        _by_id(settings, NUDGES.name, "type", "nudge_id"),
    )


def packages(settings: Settings) -> dict[int, bytes]:
    """The day packages that were published, by day. Fails where a repeat differs from the first."""
    found: dict[int, bytes] = {}
    gathering = PieceAssembler()
    for record in records(settings, DAY_PACKAGES.name):
        assert record.key is not None
        if not record.value or record.key.startswith(b"@"):  # the mark of a reader's end
            continue
        day, piece = int(record.key.partition(b"/")[0]), piece_of(record.value)
        if piece is None:
            value = record.value
        elif (whole := gathering.add(piece, day, record.offset)) is not None:
            value = decompress(whole.payload)
        else:
            continue
        assert found.setdefault(day, value) == value, f"two packages of day {day}"
    return found


def learned(found: dict[int, bytes]) -> dict[int, Any]:
    """Packages without the data quality, which tells how the messages came: late, twice, one by one."""
    contents = {day: json.loads(value) for day, value in found.items()}
    return {
        day: {name: part for name, part in one.items() if name != "quality"} for day, one in contents.items()
    }


def newest_model(settings: Settings) -> tuple[int, int]:
    """The newest package's day, and the examples that its model has learned from."""
    found = packages(settings)
    day = max(found)
    return day, DayPackage.model_validate_json(found[day]).model.examples


def clocks(settings: Settings) -> tuple[int, int, int]:
    """What the partitions' states count in the end: applied, duplicates, dead letters."""
    publisher = Publisher(settings.broker)
    total = Clock()
    for partition in range(settings.partitions):
        topic = StateTopic(publisher, settings.broker, settings.prefix + STATE.name, partition)
        clock = PartitionState.restore(settings.identity, topic.restore().rows.items()).clock
        total.events += clock.events
        total.duplicates += clock.duplicates
        total.dead_letters += clock.dead_letters
    return total.events, total.duplicates, total.dead_letters


def write_state(settings: Settings, rows: list[StateRow]) -> None:
    """Leave rows in the state of the first partition."""
    publisher = Publisher(settings.broker)
    topic = StateTopic(publisher, settings.broker, settings.prefix + STATE.name, 0)
    topic.restore()
    topic.write(rows)
    publisher.flush_now()


def failed_at(log: str) -> tuple[int, int]:
    """Partition and first offset of the batch on which a failing worker failed, by its log."""
    match = re.search(r"a test's error at (\d+):(\d+)", log)
    assert match is not None, log
    return int(match[1]), int(match[2])


def dead_letters(settings: Settings) -> dict[str, dict[str, Any]]:
    """The dead letters by their id."""
    letters: dict[str, dict[str, Any]] = {}
    for record in records(settings, DEAD_LETTERS.name):
        letter = json.loads(record.value or b"")
        assert letters.setdefault(letter["dead_letter_id"], letter) == letter
    return letters


def field_of(value: bytes, name: str) -> str:
    """A field of a message."""
    return str(json.loads(value)[name])


def _by_id(settings: Settings, topic: str, *names: str) -> dict[str, bytes]:
    by_id: dict[str, Record] = {}
    for record in records(settings, topic):
        assert record.value is not None
        content = json.loads(record.value)
        assert record.key == content["learner"].encode()
        first = by_id.setdefault(":".join(content[name] for name in names), record)
        assert replace(first, offset=0) == replace(record, offset=0), "a repeat differs from the first"
    return {identity: record.value or b"" for identity, record in by_id.items()}


def sums(address: StoreAddress) -> tuple[int, int]:
    """Events and clicks in the hourly activity."""
    with StoreReader(address) as reader:
        row = reader.query("SELECT sum(events), sum(clicks) FROM activity_hourly FINAL").rows[0]
    return int(row[0]), int(row[1])


def metric_days(address: StoreAddress) -> set[int]:
    """The days (since 1970) of which the store has the model's metrics."""
    with StoreReader(address) as reader:
        rows = reader.query("SELECT DISTINCT toUInt32(day) FROM model_metrics FINAL").rows
    return {int(row[0]) for row in rows}


def ids_in(address: StoreAddress, table: str, column: str) -> set[str]:
    """A column's values after the store has taken out the repeats."""
    with StoreReader(address) as reader:
        values = [row[0] for row in reader.query(f"SELECT {column} FROM {table} FINAL").rows]
    assert len(values) == len(set(values)), f"{table} holds a {column} twice"
    return set(values)


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    return sorted(consumer.list_topics(topic, timeout=20).topics[topic].partitions)


def _consumer(broker: str, group: str = "tests") -> Consumer:
    return Consumer({"bootstrap.servers": broker, "group.id": group, "enable.auto.commit": False})
