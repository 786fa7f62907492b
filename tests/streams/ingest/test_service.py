"""The ingest on a real broker and a real store: everything arrives once it is committed, whatever ends it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from local.brokers import free_port
from schemas.topics import COURSE_FACTS, DEAD_LETTERS, EVENTS
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, StoreReader
from sources.formats.confluent_wire import frame
from sources.source_list import SourceList, SourceTopic
from streams import topics
from streams.ingest.counts import NameCounts
from streams.ingest.metrics import IngestMetrics
from streams.ingest.service import Ingest, IngestError
from streams.publisher import Publisher
from streams.schema_registry import SchemaRegistry
from streams.settings import Settings
from tests.brokers import TestBroker
from tests.conftest import MakeTopic
from tests.stores import fresh_database, real_server_or_embedded
from tests.streams.test_schema_registry import stand_in

pytestmark = pytest.mark.kafka

RECORDS = 300


def click(number: int) -> bytes:
    return json.dumps(
        {
            "type": "activity",
            "event_id": str(number),
            "learner": f"u-{number % 7}",
            "course_run": "A/1",
            "kind": "quiz",
            "occurred_at": "2026-02-01T00:00:00Z",
        }
    ).encode()


@pytest.fixture
def settings(broker: TestBroker, prefix: str) -> Settings:
    made = Settings(broker=broker.address, prefix=prefix, partitions=2, session_timeout_s=6.0)
    topics.create(made.broker, made.partitions, made.replication, made.prefix)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreAddress]:
    with real_server_or_embedded(tmp_path / "store") as server, fresh_database(server) as address:
        yield address


@contextmanager
def running(
    settings: Settings, topic: str, writer: ClickHouseWriter | None = None
) -> Iterator[tuple[Ingest, IngestMetrics]]:
    sources = SourceList((SourceTopic(name=topic, format="native"),))
    metrics = IngestMetrics()
    ingest = Ingest(settings, sources, Publisher(settings.broker), metrics, NameCounts("test:1"), writer)
    thread = threading.Thread(target=ingest.run)
    thread.start()
    try:
        yield ingest, metrics
    finally:
        ingest.stop()
        thread.join(60)
        assert not thread.is_alive()


def read_all(
    settings: Settings, topic: str, partitions: int, expected: int
) -> list[tuple[int, bytes, bytes]]:
    """Partition, key and value of the records of a topic, at least so many, within half a minute."""
    consumer = Consumer({"bootstrap.servers": settings.broker, "group.id": "reader", "log_level": 0})
    consumer.assign([TopicPartition(settings.prefix + topic, number, 0) for number in range(partitions)])
    found: list[tuple[int, bytes, bytes]] = []
    deadline = time.monotonic() + 30
    while len(found) < expected and time.monotonic() < deadline:
        found += [
            (record.partition() or 0, bytes(record.key() or b""), bytes(record.value() or b""))
            for record in consumer.consume(500, 0.5)
            if record.error() is None
        ]
    consumer.close()
    return found


def publish(settings: Settings, topic: str, values: list[bytes]) -> None:
    publisher = Publisher(settings.broker)
    for number, value in enumerate(values):
        publisher.send(topic, value, f"session-{number}")  # keyed by something else than the learner
    publisher.flush_now(30)


def test_records_are_keyed_by_learner_and_bad_ones_are_dead_letters(
    settings: Settings, make_topic: MakeTopic, store: StoreAddress
) -> None:
    topic = make_topic(3)
    calendar = json.dumps({"type": "calendar", "course_run": "A/1", "event_id": "c"}).encode()
    publish(settings, topic, [*map(click, range(RECORDS)), b"no json", calendar])
    with running(settings, topic, ClickHouseWriter(store)) as (_, metrics):
        events = read_all(settings, EVENTS.name, 2, RECORDS)
        letters = read_all(settings, DEAD_LETTERS.name, 1, 1)
        facts = read_all(settings, COURSE_FACTS.name, 1, 1)
    assert sorted(json.loads(value)["event_id"] for *_, value in events) == sorted(map(str, range(RECORDS)))
    assert all(json.loads(value)["learner"].encode() == key for _, key, value in events)
    assert len({(partition, key) for partition, key, _ in events}) == 7  # each learner in one partition
    assert [key for _, key, _ in facts] == [b"A/1"]
    (letter,) = [json.loads(value) for *_, value in letters]
    assert (letter["topic"], letter["reason"], letter["payload"]) == (topic, "malformed", "no json")
    assert metrics.registry.get_sample_value("homeroom_ingest_records_total", {"topic": topic}) == RECORDS + 2
    with StoreReader(store) as reader:
        counted = reader.query("SELECT name, fate, events FROM source_events FINAL ORDER BY name").rows
        kept = reader.query("SELECT topic, reason FROM dead_letters").rows
    assert counted == [("activity", "translated", RECORDS), ("calendar", "translated", 1)]
    assert kept == [(topic, "malformed")]


def test_a_second_process_goes_on_where_the_first_has_committed(
    settings: Settings, make_topic: MakeTopic
) -> None:
    topic = make_topic(1)
    publish(settings, topic, [click(number) for number in range(50)])
    with running(settings, topic):
        assert len(read_all(settings, EVENTS.name, 2, 50)) == 50
    publish(settings, topic, [click(number) for number in range(50, 80)])
    with running(settings, topic):
        events = read_all(settings, EVENTS.name, 2, 80)
    assert sorted(int(json.loads(value)["event_id"]) for *_, value in events) == list(range(80))


def test_records_wait_for_a_schema_registry_that_is_away(settings: Settings, make_topic: MakeTopic) -> None:
    topic, port = make_topic(1), free_port()
    publish(settings, topic, [frame(1, click(number)) for number in range(20)])
    named = SourceList(
        (SourceTopic(name=topic, format="registry+native"),), schema_registry=f"http://127.0.0.1:{port}"
    )
    metrics = IngestMetrics()
    ingest = Ingest(settings, named, Publisher(settings.broker), metrics, NameCounts("test:1"))
    thread = threading.Thread(target=ingest.run)
    thread.start()
    time.sleep(8)
    assert metrics.registry.get_sample_value("homeroom_ingest_records_total", {"topic": topic}) in (None, 0)
    with stand_in(port) as address:
        SchemaRegistry(address).register("native", '{"type": "object"}')
        events = read_all(settings, EVENTS.name, 2, 20)
    ingest.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert sorted(int(json.loads(value)["event_id"]) for *_, value in events) == list(range(20))


def test_a_missing_topic_is_told_before_anything_is_read(settings: Settings) -> None:
    sources = SourceList((SourceTopic(name="no-such-topic", format="native"),))
    ingest = Ingest(settings, sources, Publisher(settings.broker), IngestMetrics(), NameCounts("t"))
    with pytest.raises(IngestError, match="has no topic no-such-topic"):
        ingest.run()
    with pytest.raises(IngestError, match="names no topics"):
        Ingest(settings, SourceList(), Publisher(settings.broker), IngestMetrics(), NameCounts("t"))
