"""Topics are created once, as the contract says, and what differs is told in a line."""

import time

import pytest
from confluent_kafka import OFFSET_BEGINNING, TIMESTAMP_LOG_APPEND_TIME, Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from cli.doctor import run_checks
from engine.pieces import RECORD_BYTES
from schemas.topics import EVENTS, FEEDBACK, STATE, TOPICS
from streams.topics import TopicsError, create, describe, require
from tests.brokers import TestBroker
from tests.streams.pipelines import settings_of


@pytest.mark.kafka
def test_creates_every_topic_once(broker: TestBroker, prefix: str) -> None:
    names = tuple(prefix + topic.name for topic in TOPICS)
    assert create(broker.address, 3, prefix=prefix) == names
    assert create(broker.address, 3, prefix=prefix) == ()
    found = describe(broker.address, 3, replication=1, prefix=prefix)
    assert tuple(topic.name for topic in found) == names
    assert [topic.partitions for topic in found] == [1 if t.partitions == "one" else 3 for t in TOPICS]
    assert all(topic.exists and not topic.faults and not topic.remarks for topic in found)


@pytest.mark.kafka
def test_a_wrong_partition_count_is_a_fault_and_a_missing_topic_too(broker: TestBroker, prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    for name, partitions in ((EVENTS.name, 2), (FEEDBACK.name, 5)):
        admin.create_topics([NewTopic(prefix + name, partitions, 1)])[prefix + name].result(timeout=15)
    events, _, feedback, state, *_ = describe(broker.address, prefix=prefix)
    assert (events.partitions, events.faults) == (2, ())
    assert feedback.faults == (f"{prefix}{FEEDBACK.name} has 5 partitions, wanted 2",)
    assert state.faults == (f"{prefix}homeroom.state does not exist",)
    assert not state.exists


@pytest.mark.apache
def test_a_setting_that_differs_is_a_remark(broker: TestBroker, prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    admin.create_topics([NewTopic(prefix + EVENTS.name, 2, 1)])[prefix + EVENTS.name].result(timeout=15)
    events = describe(broker.address, prefix=prefix, replication=3)[0]
    assert events.faults == ()
    assert events.remarks == (
        f"{prefix}{EVENTS.name} has 1 replicas, wanted 3",
        f"{prefix}{EVENTS.name} has message.timestamp.type=CreateTime, wanted LogAppendTime",
        f"{prefix}{EVENTS.name} has max.message.bytes=1048588, wanted 2097152",
    )


@pytest.mark.apache
def test_a_topic_that_takes_too_little_is_told_at_the_start(broker: TestBroker, prefix: str) -> None:
    """A worker that started would die at its first large record, and at every start again."""
    create(broker.address, 2, prefix=prefix)
    assert {one.limit for one in describe(broker.address, prefix=prefix)} == {1_048_588, 2_097_152}
    require(broker.address, 2, prefix)
    settings = settings_of(broker.address, prefix, None)
    told = [one.message for one in run_checks(settings) if one.subject == "records"]
    assert told == [f"of 1,048,588 bytes fit into every topic; ours have {RECORD_BYTES:,} at most"]
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    name = prefix + STATE.name
    entry = ConfigEntry("max.message.bytes", "100000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(timeout=15)
    expected = (
        f"{name} takes records of 100,000 bytes at most; expected {RECORD_BYTES:,} or more: raise the "
        "topic's max.message.bytes, or the broker's message.max.bytes where the topic has none of its own"
    )
    (state,) = [one for one in describe(broker.address, prefix=prefix) if one.name == name]
    assert state.faults == (expected,)
    assert [one.message for one in run_checks(settings) if one.is_error and one.subject == "topics"] == [
        expected
    ]
    assert [one for one in run_checks(settings) if one.subject == "records"] == []
    with pytest.raises(TopicsError, match="takes records of 100,000 bytes at most"):
        require(broker.address, 2, prefix)


@pytest.mark.apache
def test_what_platforms_publish_is_stamped_by_the_broker(broker: TestBroker, prefix: str) -> None:
    """Whatever time a producer says that it is."""
    create(broker.address, 1, prefix=prefix)
    producer = Producer({"bootstrap.servers": broker.address})
    for topic in (EVENTS, FEEDBACK):
        producer.produce(prefix + topic.name, b"{}", timestamp=4_000_000_000_000)
    assert producer.flush(20) == 0
    for topic in (EVENTS, FEEDBACK):
        consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "test"})
        consumer.assign([TopicPartition(prefix + topic.name, 0, OFFSET_BEGINNING)])
        (record,) = consumer.consume(1, 20)
        kind, stamp = record.timestamp()
        consumer.close()
        assert kind == TIMESTAMP_LOG_APPEND_TIME
        assert abs(stamp / 1000 - time.time()) < 3_600


def test_no_broker_is_said_in_a_line() -> None:
    with pytest.raises(TopicsError, match=r"no Kafka broker answers on 127\.0\.0\.1:1: "):
        describe("127.0.0.1:1")
