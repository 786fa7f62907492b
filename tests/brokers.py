"""Chooses the broker that the tests run on, and says afterwards which it was and what was not shown.

In this order: the one that ``HOMEROOM_TEST_BROKER`` names (``host:port``), Apache Kafka in a container where
a Docker engine answers, Apache Kafka from its jars where Java and Maven are, the embedded broker. With
``HOMEROOM_REQUIRE=kafka`` nothing but Apache Kafka will do.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.brokers import ApacheKafka, BrokerUnavailableError, EmbeddedBroker, free_port, is_up
from tests.required import is_required

CONTAINER_IMAGE = "apache/kafka:4.4.0"
"""The stack's own: a test holds the two together."""

NOT_SHOWN = "crash and restart of the broker, compaction, large fetches and the tests marked 'apache'"


@dataclass(frozen=True, slots=True)
class TestBroker:
    """A running broker. ``apache`` is false for the embedded one; ``description`` is for the summary."""

    __test__ = False

    address: str
    apache: bool
    description: str


@contextmanager
def chosen() -> Iterator[TestBroker]:
    """The best broker that can be had here, running.

    Raises:
        BrokerUnavailableError: the named one does not answer, or Apache Kafka is required and missing.
    """
    named = os.environ.get("HOMEROOM_TEST_BROKER")
    if named:
        if not is_up(named):
            raise BrokerUnavailableError(f"HOMEROOM_TEST_BROKER={named} does not answer")
        yield TestBroker(named, True, f"the broker of HOMEROOM_TEST_BROKER, {named}, taken for Apache Kafka")
    elif _docker_answers():
        with _container() as address:
            yield TestBroker(address, True, f"Apache Kafka in a container, {CONTAINER_IMAGE}")
    else:
        yield from _without_docker()


def _without_docker() -> Iterator[TestBroker]:
    try:
        kafka = ApacheKafka().__enter__()
    except BrokerUnavailableError as error:
        if is_required("kafka"):
            raise
        with EmbeddedBroker() as embedded:
            description = f"the embedded broker ({error}); not shown: {NOT_SHOWN}"
            yield TestBroker(embedded.address, False, description)
    else:
        with kafka_stopped_after(kafka):
            yield TestBroker(kafka.address, True, f"{kafka.name} from its jars")


@contextmanager
def kafka_stopped_after(kafka: ApacheKafka) -> Iterator[None]:
    try:
        yield
    finally:
        kafka.stop()


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        return subprocess.run((docker, "info"), capture_output=True, timeout=10, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    port = free_port()
    with DockerContainer(CONTAINER_IMAGE).with_bind_ports(9092, port).with_envs(**_one_broker(port)):
        address = f"127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not is_up(address):
            if time.monotonic() > deadline:
                raise BrokerUnavailableError(f"{CONTAINER_IMAGE} did not answer in two minutes")
            time.sleep(0.5)
        yield address


def _one_broker(port: int) -> dict[str, str]:
    """Settings of a broker that is alone and is reached from outside at the port."""
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
