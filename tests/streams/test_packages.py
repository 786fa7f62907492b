"""Day packages as a worker sees them that takes over from another one."""

import asyncio

import pytest

from features.catalogue import FINGERPRINT
from online_models.classifier import RiskClassifier
from schemas.learning import DayPackage
from streams.packages import PackageReader
from streams.publisher import Publisher
from tests.brokers import TestBroker
from tests.conftest import MakeTopic

pytestmark = pytest.mark.kafka


def package(day: int) -> bytes:
    model = RiskClassifier().snapshot(f"model-{day}")
    made = DayPackage(day=day, features=FINGERPRINT, cohorts={}, model=model)
    return made.model_dump_json().encode()


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
