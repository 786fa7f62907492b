"""A worker behind a backlog of ids that no record could hold, on topics that take no more than they must."""

from pathlib import Path

import orjson
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from engine.pieces import RECORD_BYTES
from schemas.topics import DAY_PACKAGES, DAY_REPORTS, EVENTS, STATE
from sources.stream import instant
from streams.publisher import Publisher
from tests.brokers import TestBroker
from tests.streams import pipelines as p
from tests.streams.pipeline import START

pytestmark = [pytest.mark.kafka, pytest.mark.apache]

EVENTS_SENT = 30_000
NOON = START * 86_400 + 43_200


def limit(broker: str, topics: list[str]) -> None:
    """Let topics take no record, and no batch of records, above what we ask for."""
    admin = AdminClient({"bootstrap.servers": broker, "log_level": 0})
    entry = ConfigEntry("max.message.bytes", str(RECORD_BYTES), incremental_operation=AlterConfigOpType.SET)
    resources = [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry]) for topic in topics]
    for answer in admin.incremental_alter_configs(resources).values():
        answer.result(timeout=15)


def publish(broker: str, topic: str) -> None:
    """Some activities, whose ids are as long as ids may be; the same ones at every call."""
    publisher = Publisher(broker, linger_ms=20)
    for number in range(EVENTS_SENT):
        learner = f"learner-{number % 400}"
        event = {"type": "activity", "event_id": f"{number:0>128}", "learner": learner, "course_run": "c/r"}
        event |= {"kind": "quiz", "occurred_at": instant(NOON + number % 3600)}
        publisher.send(topic, orjson.dumps(event), learner, 0)
    publisher.flush_now()
    publisher.close()


def test_a_worker_restarts_and_goes_on(tmp_path: Path, broker: TestBroker, prefix: str) -> None:
    settings = p.settings_of(
        broker.address, prefix, None, partitions=1, checkpoint_s=6.0, batch_records=2000, backlog_records=8000
    )
    with p.pipeline(tmp_path, settings) as rig:
        limit(broker.address, [prefix + topic.name for topic in (STATE, DAY_REPORTS, DAY_PACKAGES)])
        publish(broker.address, prefix + EVENTS.name)
        worker = rig.start_worker()
        p.wait_applied(rig, 1)
        p.kill(rig, worker)
        rig.start_worker()
        p.finish(rig)
        publish(broker.address, prefix + EVENTS.name)
        p.finish(rig)
        assert rig.stop_workers() == [0]
        assert p.clocks(settings) == (EVENTS_SENT, EVENTS_SENT, 0), "the second time all were repeats"
        rows = p.records(settings, STATE.name)
        assert any((row.key or b"").startswith(b"p|1|i|") for row in rows), "some ids were in pieces"
        assert max(len(row.value or b"") for row in rows) <= RECORD_BYTES
