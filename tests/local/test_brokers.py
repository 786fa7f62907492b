"""The brokers that come without Docker: they start, end with their parent, and say what they miss."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from local import brokers
from local.brokers import ApacheKafka, BrokerUnavailableError, EmbeddedBroker, is_up
from tests.brokers import TestBroker
from tests.required import lacking


def test_the_embedded_broker_answers_until_it_is_stopped() -> None:
    with EmbeddedBroker() as broker:
        assert is_up(broker.address)
    assert not is_up(broker.address)
    assert not broker.folder.exists()


def test_a_broker_ends_with_the_process_that_started_it() -> None:
    code = (
        "from local.brokers import EmbeddedBroker as B; import time; b = B().start();"
        "print(b.address, flush=True); time.sleep(60)"
    )
    with subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        address = parent.stdout.readline().strip()
        assert is_up(address)
        parent.send_signal(signal.SIGKILL)
    time.sleep(0.2)
    assert not is_up(address)


def test_missing_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(BrokerUnavailableError, match="needs a JDK from 17 on"):
        ApacheKafka(tmp_path / "kafka").start()


def test_old_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(BrokerUnavailableError, match=r'says \'openjdk version "11\.0\.2"'):
        brokers.find_java()


def test_missing_maven_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOMEROOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerUnavailableError, match="there is no mvn"):
        brokers.kafka_jars()


def test_a_kafka_that_cannot_start_shows_its_last_lines(broker: TestBroker, tmp_path: Path) -> None:
    if not broker.apache:
        lacking("kafka", "needs Java")
    with pytest.raises(BrokerUnavailableError, match=r"(?s)formatting.*failed.*process\.roles"):
        ApacheKafka(tmp_path / "kafka", settings={"process.roles": "nothing"}).start()


@pytest.mark.apache
def test_a_killed_kafka_goes_on_with_its_data(broker: TestBroker, tmp_path: Path) -> None:
    with ApacheKafka(tmp_path / "kafka") as kafka:
        admin = AdminClient({"bootstrap.servers": kafka.address, "log_level": 0})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(timeout=15)
        producer = Producer({"bootstrap.servers": kafka.address, "acks": "all", "log_level": 0})
        producer.produce("kept", b"value")
        assert producer.flush(15) == 0
        kafka.kill()
        assert not is_up(kafka.address)
        kafka.start()
        consumer = Consumer(
            {"bootstrap.servers": kafka.address, "group.id": "g", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe(["kept"])
        message = consumer.poll(30)
        consumer.close()
        assert message is not None
        assert message.value() == b"value"
