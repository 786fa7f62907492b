"""Day packages as a worker sees them that takes over from another one."""

import asyncio
import time

import numpy as np
import pytest
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from engine.pieces import RECORD_BYTES, compress, records_of
from features.catalogue import FEATURES, FINGERPRINT
from features.packed_arrays import pack
from online_models.classifier import RiskClassifier
from schemas.learning import DayPackage
from streams.day_packages import RETAINED, PackageReader
from streams.publisher import Publisher
from streams.topic_reader import own_reader
from tests.brokers import TestBroker
from tests.conftest import MakeTopic

pytestmark = pytest.mark.kafka


def made(day: int, runs: int = 0) -> DayPackage:
    """The package of a day, with the profiles of so many course runs."""
    model = RiskClassifier().snapshot(f"model-{day}")
    draw = np.random.default_rng(day)
    profiles = {
        f"c/{run}": pack(draw.integers(0, 255, (len(FEATURES), 8)).astype(np.uint8)) for run in range(runs)
    }
    return DayPackage(day=day, features=FINGERPRINT, cohorts=profiles, model=model)


def package(day: int) -> bytes:
    return made(day).model_dump_json().encode()


def test_catching_up_sees_what_others_published_before(broker: TestBroker, make_topic: MakeTopic) -> None:
    """Or the trainer would go on from an older day, whose successors' reports are acked and never come."""
    topic = make_topic(1)
    other = Publisher(broker.address)
    reader = PackageReader(Publisher(broker.address), broker.address, topic)
    try:
        reader.catch_up()
        assert reader.newest() is None
        for day in range(100, 180):
            other.send(topic, package(day), str(day), 0)
            other.flush_now()
            if day % 10 == 0:
                reader.catch_up()
                newest = reader.newest()
                assert newest is not None
                assert newest.day == day
        reader.catch_up()
        assert [one.day for one in reader.kept()] == list(range(120, 180))
        behind = asyncio.run(reader.wait(100, None))
        assert behind is None, "who reads a log again from its start does not wait for what is let go"
    finally:
        reader.stop()
        other.close()


def test_a_package_of_any_size_goes_through_a_topic_with_the_least_limit(
    broker: TestBroker, make_topic: MakeTopic
) -> None:
    """In pieces that another worker puts together; one that its sender did not end counts for nothing."""
    topic = make_topic(1, max_message_bytes=str(RECORD_BYTES), cleanup_policy="compact")
    mine, other = Publisher(broker.address), Publisher(broker.address)
    trainer = PackageReader(mine, broker.address, topic)
    reader = PackageReader(other, broker.address, topic)
    try:
        trainer.catch_up()
        for number, runs in enumerate((0, 3000, 2000)):
            trainer.publish(made(100 + number, runs))
        records = records_of(compress(made(103, 3000).model_dump_json().encode()), "103")
        assert len(records) > 2
        for key, record in records[1:]:
            other.send(topic, record, key, 0)
        reader.catch_up()
        assert [one.day for one in reader.kept()] == [100, 101, 102]
        assert reader.get(101) == made(101, 3000) == trainer.get(101)
        assert reader.newest() == made(102, 2000)
        other.send(topic, records[0][1], records[0][0], 0)
        other.flush_now()
        reader.catch_up()
        assert reader.newest() == made(103, 3000)
    finally:
        for one in (trainer, reader):
            one.stop()
        for publisher in (mine, other):
            publisher.close()


@pytest.mark.apache
def test_old_packages_are_deleted_with_all_of_their_pieces(broker: TestBroker, make_topic: MakeTopic) -> None:
    """Every worker reads the whole topic when it starts: it must not grow from year to year."""
    topic = make_topic(1)
    publisher = Publisher(broker.address)
    reader = PackageReader(publisher, broker.address, topic)
    try:
        reader.catch_up()
        reader.publish(made(100, 3000))
        reader.publish(made(101))
        reader.publish(made(101 + RETAINED))
        publisher.flush_now()
        reader.catch_up()
    finally:
        reader.stop()
        publisher.close()
    newest: dict[bytes, bytes | None] = {}
    consumer = own_reader(broker.address, "tests")
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)[1]
    deadline, at = time.monotonic() + 60, -1
    while at < end - 1:
        assert time.monotonic() < deadline
        for record in consumer.consume(100, 0.5):
            newest[record.key() or b""] = record.value()
            at = record.offset() or 0
    consumer.close()
    left = {key for key, value in newest.items() if value is not None and not key.startswith(b"@")}
    assert left == {b"101", str(101 + RETAINED).encode()}
    assert sum(key.startswith(b"100/") for key in newest) > 2
