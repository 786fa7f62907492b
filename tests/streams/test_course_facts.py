"""A calendar that is published once reaches every partition, through the real worker on a real broker."""

import json
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from engine.state.partition_state import PartitionState
from schemas.topics import COURSE_FACTS, STATE
from streams.checkpoints import StateTopic
from streams.publisher import Publisher
from streams.settings import Settings
from tests.brokers import TestBroker
from tests.streams import pipelines as p

pytestmark = [pytest.mark.kafka, pytest.mark.apache]


def publish(settings: Settings, records: list[tuple[str, bytes | None]]) -> None:
    """Publish course facts as a platform would, each once and by its key."""
    producer = Producer({"bootstrap.servers": settings.broker})
    for key, value in records:
        producer.produce(settings.prefix + COURSE_FACTS.name, value, key)
    assert producer.flush(20) == 0


def calendars(settings: Settings) -> list[dict[str, Any]]:
    """The calendars in each partition's state, by run."""
    publisher = Publisher(settings.broker)
    found = []
    for partition in range(settings.partitions):
        topic = StateTopic(publisher, settings.broker, settings.prefix + STATE.name, partition)
        state = PartitionState.restore(settings.identity, topic.restore().rows.items())
        found.append(state.calendars)
    publisher.close()
    return found


def test_a_calendar_and_its_change_reach_both_partitions(
    tmp_path: Path, broker: TestBroker, prefix: str
) -> None:
    """The first comes before any worker runs, the change while none does; another worker ends the term."""
    messages = [message for message in p.stream() if b'"calendar"' not in message.value]
    first = {
        json.loads(message.value)["course_run"]: json.loads(message.value)
        for message in p.stream()
        if b'"calendar"' in message.value
    }
    later = max(json.loads(message.value)["occurred_at"] for message in messages[: len(messages) // 2])
    changed = {
        run: calendar | {"event_id": f"{run}/changed", "occurred_at": later, "deadlines": []}
        for run, calendar in first.items()
    }
    settings = p.settings_of(broker.address, prefix, None)
    with p.pipeline(tmp_path, settings) as rig:
        publish(settings, [("other", b"{"), *((run, json.dumps(one).encode()) for run, one in first.items())])
        rig.start_worker()
        rig.publish(messages[: len(messages) // 2])
        p.finish(rig)
        p.wait_until(rig, lambda: bool(p.packages(settings)), "a package")
        assert rig.stop_workers() == [0]
        for known in calendars(settings):
            assert {run: len(one["deadlines"]) for run, one in known.items()} == {
                run: len(one["deadlines"]) for run, one in first.items()
            }
        publish(settings, [(run, json.dumps(one).encode()) for run, one in changed.items()])
        rig.start_worker()
        rig.publish(messages[len(messages) // 2 :])
        p.finish(rig)
        assert rig.stop_workers() == [0]
        for known in calendars(settings):
            assert {run: one["deadlines"] for run, one in known.items()} == {run: [] for run in first}
        letters = p.dead_letters(settings)
        assert list(letters) == [f"{prefix}{COURSE_FACTS.name}:0:0"]
