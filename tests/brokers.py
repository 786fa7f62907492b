"""Chooses the broker that the tests run on, and says afterwards which it was and what was not shown.

In this order: the one that ``HOMEROOM_TEST_BROKER`` names (``host:port``), Apache Kafka in a container where
a Docker engine answers, Apache Kafka from its jars where Java and Maven are, the embedded broker. With
``HOMEROOM_REQUIRE=kafka`` nothing but Apache Kafka will do.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from streams.brokers import ApacheKafka, BrokerUnavailableError, EmbeddedBroker, answers
from tests.required import is_required

CONTAINER_IMAGE = "confluentinc/cp-kafka:7.9.0"

NOT_SHOWN = "crash and restart of the broker, compaction, large fetches and the tests marked 'apache'"


@dataclass(frozen=True, slots=True)
class TestBroker:
    """A running broker. ``apache`` is false for the embedded one; ``told`` is the line of the summary."""

    __test__ = False

    address: str
    apache: bool
    told: str


@contextmanager
def chosen() -> Iterator[TestBroker]:
    """The best broker that can be had here, running.

    Raises:
        BrokerUnavailableError: the named one does not answer, or Apache Kafka is required and missing.
    """
    named = os.environ.get("HOMEROOM_TEST_BROKER")
    if named:
        if not answers(named):
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
            told = f"the embedded broker ({error}); not shown: {NOT_SHOWN}"
            yield TestBroker(embedded.address, False, told)
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
    from testcontainers.kafka import KafkaContainer

    with KafkaContainer(CONTAINER_IMAGE).with_kraft() as container:
        yield container.get_bootstrap_server()
