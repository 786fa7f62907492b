"""The relay on a real broker and a real endpoint: in order, at least once, nothing lost, whatever ends it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from pydantic import SecretStr

from schemas.cloud_event import headers_of
from schemas.topics import DEAD_LETTERS, NUDGES, RISK_CHANGES
from streams import topics
from streams.publisher import Publisher
from streams.relay.delivery import RelayError
from streams.relay.metrics import RelayMetrics
from streams.relay.service import Relay
from streams.relay.settings import RelaySettings
from streams.settings import Settings
from tests.brokers import TestBroker
from tests.notifier.nudging import nudge
from tests.streams.ingest.test_service import read_all
from tests.streams.relay.endpoints import Endpoint, endpoint
from tests.streams.relay.messages import change

pytestmark = pytest.mark.kafka

ROOT = Path(__file__).parents[3]
KEY = "a secret of the tests"
PATIENCE_S = 60.0


@pytest.fixture
def settings(broker: TestBroker, prefix: str) -> Settings:
    made = Settings(
        _env_file=None,
        broker=broker.address,
        prefix=prefix,
        partitions=2,
        session_timeout_s=6.0,
        pseudonym_key=SecretStr(KEY),
    )
    topics.create(made.broker, made.partitions, made.replication, made.prefix)
    return made


def publish(settings: Settings, *names: str) -> None:
    """Risk changes of ``learner-number``, in order."""
    publisher = Publisher(settings.broker)
    for name in names:
        message = change(name, learner=name.partition("-")[0])
        value = message.model_dump_json().encode()
        topic = settings.prefix + RISK_CHANGES.name
        publisher.send(topic, value, message.learner, None, headers_of(message, settings.prefix))
    publisher.flush_now()


def own(one: Endpoint, **more: Any) -> RelaySettings:
    options: dict[str, Any] = {"raw_learners": True, "longest_wait_s": 0.2, "attempts": 2} | more
    return RelaySettings(_env_file=None, url=one.url, **options)


@contextmanager
def running(settings: Settings, relay_settings: RelaySettings) -> Iterator[list[BaseException]]:
    """A relay in a thread; yields what it raised."""
    relay = Relay(settings, relay_settings, Publisher(settings.broker), RelayMetrics())
    raised: list[BaseException] = []

    def run() -> None:
        try:
            relay.run()
        except RelayError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield raised
    finally:
        relay.stop()
        thread.join(30)
        assert not thread.is_alive()


def wait(reached: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline, f"not in {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.05)


def ids(one: Endpoint) -> list[str]:
    return [json.loads(body)["id"] for _, body in one.received]


def committed(settings: Settings) -> int:
    """Records of risk changes that the group has done."""
    group = f"{settings.prefix}{settings.group}-relay"
    consumer = Consumer({"bootstrap.servers": settings.broker, "group.id": group, "log_level": 0})
    try:
        places = [TopicPartition(settings.prefix + RISK_CHANGES.name, number) for number in range(2)]
        return sum(max(place.offset, 0) for place in consumer.committed(places, timeout=20))
    finally:
        consumer.close()


def test_everything_arrives_in_each_learners_order_from_an_endpoint_that_fails(settings: Settings) -> None:
    names = [f"{learner}-{number}" for number in range(12) for learner in ("ann", "bob", "cid", "dee")]
    publish(settings, *names)
    publisher = Publisher(settings.broker)
    one_nudge = nudge("nudge", learner="ann").model_dump_json().encode()
    publisher.send(settings.prefix + NUDGES.name, one_nudge, "ann")
    publisher.flush_now()

    def plan(number: int, _: bytes) -> int | str:
        return "cut" if number % 11 == 0 else 503 if number % 5 == 0 else 200

    with endpoint(plan) as one, running(settings, own(one)):
        wait(lambda: set(ids(one)) >= {*names, "nudge"}, "everything delivered")
        wait(lambda: committed(settings) == len(names), "everything committed")
    for learner in ("ann", "bob", "cid", "dee"):
        seen = list(dict.fromkeys(name for name in ids(one) if name.startswith(learner)))
        assert seen == [name for name in names if name.startswith(learner)]


def test_what_is_refused_or_malformed_is_a_dead_letter_and_the_rest_goes_on(settings: Settings) -> None:
    publish(settings, "ann-0", "ann-1")
    publisher = Publisher(settings.broker)
    for value in (b"no json", b'{"type": "risk_change"}', None):
        publisher.send(settings.prefix + RISK_CHANGES.name, value, "ann")
    publisher.flush_now()
    publish(settings, "ann-2")
    with (
        endpoint(lambda _, body: 422 if b"ann-1" in body else 200) as one,
        running(settings, own(one)),
    ):
        wait(lambda: committed(settings) == 6, "everything committed")
    assert ids(one) == ["ann-0", "ann-1", "ann-1", "ann-2"]
    letters = [json.loads(value) for _, _, value in read_all(settings, DEAD_LETTERS.name, 1, 4)]
    assert sorted(letter["reason"] for letter in letters) == ["invalid", "invalid", "invalid", "rejected"]
    (rejected,) = [letter for letter in letters if letter["reason"] == "rejected"]
    assert rejected["topic"] == RISK_CHANGES.name
    assert rejected["detail"] == "the endpoint answers 422, 2 times; expected 2xx"


def test_nothing_is_committed_before_it_is_taken_and_a_stop_loses_nothing(settings: Settings) -> None:
    publish(settings, "ann-0", "ann-1", "ann-2")
    with endpoint(lambda number, _: 200 if number == 1 else 503) as one:
        with running(settings, own(one)):
            wait(lambda: len(one.received) > 3, "attempts")
            assert committed(settings) == 0
        assert committed(settings) == 1
        one.plan = lambda *_: 200
        count = len(one.received)
        with running(settings, own(one)):
            wait(lambda: committed(settings) == 3, "everything committed")
        assert ids(one)[count:] == ["ann-1", "ann-2"]


def test_an_endpoint_that_is_gone_stops_the_relay_and_what_was_not_taken_waits(settings: Settings) -> None:
    publish(settings, "ann-0", "ann-1")
    with endpoint(lambda number, _: 200 if number == 1 else 410) as one:
        with running(settings, own(one)) as raised:
            wait(lambda: raised, "its end")
        assert "410" in str(raised[0])
    assert committed(settings) == 1


def test_killed_in_the_middle_it_sends_again_with_the_same_key(settings: Settings, tmp_path: Path) -> None:
    publish(settings, "ann-0", "ann-1")
    with endpoint(lambda number, _: "hang" if number == 2 else 200) as one:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOMEROOM_")}
        environment |= {
            "HOMEROOM_BROKER": settings.broker,
            "HOMEROOM_PREFIX": settings.prefix,
            "HOMEROOM_SESSION_TIMEOUT_S": "6",
            "HOMEROOM_PSEUDONYM_KEY": KEY,
            "HOMEROOM_RELAY_URL": one.url,
            "HOMEROOM_RELAY_METRICS_PORT": "0",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "cli.main", "relay"]
        first = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
        try:
            wait(lambda: len(one.received) == 2, "the attempt that hangs")
        finally:
            first.kill()
            first.wait()
        second = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
        try:
            wait(lambda: committed(settings) == 2, "everything committed")
            second.terminate()
            assert second.wait(30) == 0
        finally:
            second.kill()
            second.wait()
    keys: dict[str, set[str]] = {}
    for (headers, _), name in zip(one.received, ids(one), strict=True):
        keys.setdefault(name, set()).add(headers["Idempotency-Key"])
    assert ids(one).count("ann-1") >= 2
    assert [len(each) for each in keys.values()] == [1, 1]


def test_two_relays_share_the_topics_and_one_takes_over(settings: Settings) -> None:
    names = [f"{learner}-{number}" for number in range(10) for learner in ("ann", "bob", "cid", "dee")]
    with endpoint(lambda *_: 200) as one, running(settings, own(one)):
        with running(settings, own(one)):
            publish(settings, *names[:20])
            wait(lambda: set(ids(one)) >= set(names[:20]), "the first half")
        publish(settings, *names[20:])
        wait(lambda: set(ids(one)) >= set(names), "the second half")
        wait(lambda: committed(settings) == len(names), "everything committed")


def test_a_missing_topic_is_told(broker: TestBroker, prefix: str) -> None:
    settings = Settings(_env_file=None, broker=broker.address, prefix=prefix + "none-")
    relay = Relay(settings, RelaySettings(_env_file=None), Publisher(settings.broker), RelayMetrics())
    with pytest.raises(RelayError, match=r"has no topic .*; run `homeroom topics create`"):
        relay.run()
