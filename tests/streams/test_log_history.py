"""Kafka's own history, on Kafka: topics made anew, records deleted before they were read, state that is gone.

Whatever happens, each record was applied, is a dead letter, or is counted as lost by its offset.
"""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from engine.state.clock import Clock
from engine.state.partition_state import PartitionState
from local.rig import Rig, WorkerProcess
from schemas.topics import DEAD_LETTERS, EVENTS, FEEDBACK, STATE
from sources.stream import instant
from streams import topics
from streams.checkpoints import StateTopic
from streams.publisher import Publisher
from streams.settings import Settings
from tests.brokers import TestBroker
from tests.streams import pipelines as p

pytestmark = [pytest.mark.kafka, pytest.mark.apache]


@pytest.fixture
def rig(tmp_path: Path, broker: TestBroker, prefix: str) -> Iterator[Rig]:
    """One partition, live, without a store."""
    settings = p.settings_of(broker.address, prefix, None, partitions=1, clock="live")
    with p.pipeline(tmp_path, settings) as found:
        yield found


def admin(settings: Settings) -> AdminClient:
    return AdminClient({"bootstrap.servers": settings.broker, "log_level": 0})


def publish(settings: Settings, name: str, count: int) -> None:
    """So many events of one learner, with ids of their own."""
    publisher = Publisher(settings.broker)
    now = int(time.time())
    for number in range(count):
        event = {"type": "activity", "event_id": f"{name}-{number}", "learner": "l", "course_run": "c/1"}
        event |= {"kind": "video", "occurred_at": instant(now)}
        publisher.send(settings.prefix + EVENTS.name, json.dumps(event).encode(), b"l", 0)
    publisher.flush_now()


def work(rig: Rig) -> str:
    """Let a worker read to the end and stop; what it logged."""
    before = log_of(rig)
    worker = rig.start_worker()
    p.wait_until(rig, lambda: "assigned: partitions" in log_of(rig)[len(before) :], "it has its partition")
    p.finish(rig)
    return stop(rig, worker)[len(before) :]


def log_of(rig: Rig) -> str:
    """Of its only worker, and of those before it."""
    file = rig.folder / "worker-0.log"
    return file.read_text() if file.exists() else ""


def stop(rig: Rig, worker: WorkerProcess) -> str:
    assert rig.stop_workers() == [0]
    return worker.log.read_text()


def clock_of(settings: Settings) -> Clock:
    """The clock in the state as the next owner would find it."""
    publisher = Publisher(settings.broker)
    topic = StateTopic(publisher, settings.broker, settings.prefix + STATE.name, 0)
    return PartitionState.restore(settings.identity, topic.restore().rows.items()).clock


def delete_records(settings: Settings, before: int, topic: str = EVENTS.name) -> None:
    """As retention does."""
    partition, client = TopicPartition(settings.prefix + topic, 0, before), admin(settings)
    client.delete_records([partition])[partition].result(timeout=15)


def set_policy(settings: Settings, topic: str, policy: str) -> None:
    entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, settings.prefix + topic, incremental_configs=[entry])
    there = admin(settings)
    there.incremental_alter_configs([resource])[resource].result(timeout=15)


def make_anew(settings: Settings, topic: str) -> None:
    name, there = settings.prefix + topic, admin(settings)
    there.delete_topics([name])[name].result(timeout=15)
    deadline = time.monotonic() + 30
    while name in there.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    topics.create(settings.broker, settings.partitions, 1, settings.prefix)


def losses(settings: Settings) -> list[tuple[str, int, int]]:
    """Topic, first and last offset of what the dead letters tell as lost."""
    letters = [json.loads(record.value or b"") for record in p.records(settings, DEAD_LETTERS.name)]
    lost = [letter for letter in letters if letter["reason"] == "lost"]
    return [
        (letter["topic"].removeprefix(settings.prefix), letter["offset"], letter["last_offset"])
        for letter in lost
    ]


def test_an_events_topic_made_anew_is_read_from_its_start(rig: Rig) -> None:
    publish(rig.settings, "old", 10)
    work(rig)
    make_anew(rig.settings, EVENTS.name)
    publish(rig.settings, "new", 15)  # more than before: the old offset is within the new log
    log = work(rig)
    clock = clock_of(rig.settings)
    assert (clock.events, clock.lost) == (25, 0)
    assert "the topic was made anew" in log
    assert losses(rig.settings) == [(EVENTS.name, 0, -1)], "how much the old log still held is not known"
    publish(rig.settings, "more", 3)
    assert "made anew" not in work(rig), "it is said once"
    assert clock_of(rig.settings).events == 28


def test_a_topic_made_anew_under_a_worker_is_noticed(rig: Rig) -> None:
    """Though the new log is longer than the old one was when the next fetch comes."""
    publish(rig.settings, "old", 10)
    worker = rig.start_worker()
    p.wait_applied(rig, 10)
    worker.process.send_signal(signal.SIGSTOP)
    make_anew(rig.settings, EVENTS.name)
    publish(rig.settings, "new", 30)
    worker.process.send_signal(signal.SIGCONT)
    p.wait_until(rig, lambda: "the topic was made anew" in worker.tail(100), "it is noticed")
    publish(rig.settings, "more", 1)
    p.finish(rig)
    stop(rig, worker)
    assert clock_of(rig.settings).events == 41


def test_what_retention_deleted_unread_is_counted_by_its_offsets(rig: Rig) -> None:
    publish(rig.settings, "read", 10)
    work(rig)
    publish(rig.settings, "unread", 40)
    delete_records(rig.settings, 41)
    publish(rig.settings, "late", 5)
    log = work(rig)
    clock = clock_of(rig.settings)
    assert clock.events + clock.duplicates + clock.dead_letters + clock.lost == 55
    assert (clock.events, clock.lost) == (24, 31)
    assert "deleted before it was read" in log
    assert losses(rig.settings) == [(EVENTS.name, 10, 40)]


def test_what_is_deleted_while_a_worker_lags_is_counted_too(rig: Rig) -> None:
    """And gaps within the log are no loss: transactions leave markers."""
    settings = rig.settings.model_copy(update={"backlog_records": 1, "batch_records": 10})
    rig.settings = settings
    publish(settings, "first", 10)
    worker = rig.start_worker()
    p.finish(rig)
    worker.process.send_signal(signal.SIGSTOP)  # it lags, and stays in its group for a while
    publish(settings, "unread", 3000)
    delete_records(settings, 2010)
    publish(settings, "late", 5)
    worker.process.send_signal(signal.SIGCONT)
    p.finish(rig)
    stop(rig, worker)
    clock = clock_of(settings)
    assert clock.events + clock.lost == 3015
    assert clock.lost > 0
    assert sum(last - first + 1 for _, first, last in losses(settings)) == clock.lost


def test_an_empty_state_topic_is_filled_again_from_the_log(rig: Rig) -> None:
    publish(rig.settings, "events", 20)
    work(rig)
    make_anew(rig.settings, STATE.name)
    delete_records(rig.settings, 5)
    log = work(rig)
    clock = clock_of(rig.settings)
    assert (clock.events, clock.lost) == (15, 5)
    assert "there is no state" in log
    assert losses(rig.settings) == [(EVENTS.name, 0, 4)]


def test_state_rows_that_vanished_stop_the_start_in_one_line(rig: Rig) -> None:
    publish(rig.settings, "events", 20)
    work(rig)
    last_mark = max(row.offset for row in p.records(rig.settings, STATE.name) if row.key == b"mark")
    set_policy(rig.settings, STATE.name, "delete")
    delete_records(rig.settings, last_mark, STATE.name)
    set_policy(rig.settings, STATE.name, "compact")
    worker = rig.start_worker()
    assert worker.process.wait(60) == 1
    rig.workers.clear()
    log = worker.log.read_text()
    assert "partition 0: the state topic has lost rows: " in log
    assert "delete it and run `homeroom topics create`" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("topic", "policy"), [(STATE.name, "delete"), (STATE.name, "compact,delete"), (FEEDBACK.name, "compact")]
)
def test_a_policy_that_deletes_what_is_needed_stops_the_start(rig: Rig, topic: str, policy: str) -> None:
    set_policy(rig.settings, topic, policy)
    message = f"{rig.settings.prefix}{topic} has cleanup.policy={policy}, wanted"
    with pytest.raises(topics.TopicsError, match=message):
        topics.require(rig.settings.broker, 1, rig.settings.prefix)
