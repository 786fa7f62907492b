"""The trainer's shell: what its own worker tells it at once, and what comes through the topic."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.batch.records import RecordBatch
from features.catalogue import FINGERPRINT
from schemas.learning import DayPackage, DayReport
from streams.broker_logs import BrokerLogs
from streams.course_facts import CourseFactsReader
from streams.day_packages import PackageReader
from streams.metrics import Metrics
from streams.publisher import Publisher
from streams.runner import Delivery
from streams.settings import DEMO_KEY, load
from streams.store_writer import PartitionProgress, StoreWriter
from streams.topics import create
from streams.trainer_agent import TrainerAgent
from tests.brokers import TestBroker

pytestmark = pytest.mark.kafka

PARTITIONS = 2


def report(partition: int, day: int) -> DayReport:
    return DayReport(
        partition=partition, day=day, part=0, parts=1, features=FINGERPRINT, cohorts={}, examples=[]
    )


class AgentFixture:
    """A training of a worker, fed by hand."""

    def __init__(self, broker: TestBroker, prefix: str, policy: Path | None = None) -> None:
        settings = load(
            broker=broker.address,
            prefix=prefix,
            partitions=PARTITIONS,
            pseudonym_key=DEMO_KEY,
            policy=policy,
        )
        self.publisher = Publisher(broker.address)
        self.packages = PackageReader(self.publisher, broker.address, f"{prefix}homeroom.day-packages")
        self.packages.catch_up()
        logs = BrokerLogs(broker.address, f"{prefix}workers")
        self.course_facts = CourseFactsReader(logs, broker.address, prefix)
        self.course_facts.follow()
        store_writer = StoreWriter(None, Metrics(), lambda _: PartitionProgress(0, 0, 0.0), print)
        self.trainer = TrainerAgent(settings, self.publisher, self.packages, self.course_facts, store_writer)
        self.acked: list[int] = []
        self._offset = 0

    def deliver(self, *reports: DayReport) -> None:
        """Reports as they come through the topic, in one batch."""
        first, self._offset = self._offset, self._offset + len(reports)
        offsets = list(range(first, self._offset))
        values: list[bytes | None] = [report.model_dump_json().encode() for report in reports]
        keys: list[bytes | None] = [None] * len(reports)
        batch = RecordBatch("homeroom.day-reports", 0, offsets, keys, values, [0] * len(reports))

        async def ack() -> None:
            self.acked.append(batch.last_offset)

        asyncio.run(self.trainer.process(Delivery(batch, ack)))

    def flush(self) -> None:
        asyncio.run(self.trainer.flush())

    def days(self) -> list[int]:
        """Days that have a package, as this worker knows them."""
        return [package.day for package in self.packages.recent()]


@contextmanager
def of_a_worker(broker: TestBroker, prefix: str, policy: Path | None = None) -> Iterator[AgentFixture]:
    create(broker.address, PARTITIONS, prefix=prefix)
    made = AgentFixture(broker, prefix, policy)
    try:
        yield made
    finally:
        made.packages.stop()
        made.course_facts.stop()
        made.publisher.close()


@pytest.fixture
def shell(broker: TestBroker, prefix: str) -> Iterator[AgentFixture]:
    with of_a_worker(broker, prefix) as made:
        yield made


@contextmanager
def another_worker(broker: TestBroker, prefix: str) -> Iterator[list[DayPackage]]:
    """All packages that somebody else finds in the topic."""
    publisher = Publisher(broker.address)
    reader = PackageReader(publisher, broker.address, f"{prefix}homeroom.day-packages")
    reader.catch_up()
    try:
        yield reader.recent()
    finally:
        reader.stop()
        publisher.close()


def test_what_is_heard_at_once_counts_once_and_reaches_the_topic(
    shell: AgentFixture, broker: TestBroker, prefix: str
) -> None:
    shell.deliver(report(0, 100), report(1, 100))
    for day in (101, 102):
        shell.trainer.receive_local(report(0, day))
        shell.trainer.receive_local(report(1, day))
    assert shell.days() == [100, 101, 102]  # before any of it came through the topic
    shell.deliver(*(report(partition, day) for day in (101, 102) for partition in (0, 1)))
    shell.flush()
    assert shell.acked == [1, 5]
    with another_worker(broker, prefix) as packages:
        assert [package.day for package in packages] == [100, 101, 102]
        assert [shell.packages.get(package.day) for package in packages] == packages


def test_only_the_day_that_is_next_is_heard_at_once(shell: AgentFixture) -> None:
    """Partition 0's report of day 101 is still on its way: day 102 must not pass for its next word."""
    shell.trainer.receive_local(report(0, 100))
    shell.trainer.receive_local(report(1, 100))
    assert shell.days() == []  # nobody knows yet where the reports begin
    shell.deliver(report(0, 100), report(1, 100))
    shell.trainer.receive_local(report(0, 102))
    shell.deliver(report(1, 101), report(1, 102))
    assert shell.days() == [100]
    assert shell.acked == []
    shell.deliver(report(0, 101))
    assert shell.days() == [100, 101]


def test_reports_are_not_acked_before_their_package_has_arrived(shell: AgentFixture) -> None:
    shell.deliver(report(0, 100))
    shell.flush()
    assert shell.acked == []
    shell.deliver(report(1, 100))
    shell.flush()
    assert shell.acked == [0, 1]


def test_packages_carry_the_policy_of_their_day(broker: TestBroker, prefix: str, tmp_path: Path) -> None:
    """A policy changes over between two event days, for everybody who scores with these packages."""
    (tmp_path / "a.yaml").write_text("name: early", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("name: late\neffective_from: 1970-01-12", encoding="utf-8")
    with of_a_worker(broker, prefix, tmp_path) as shell:
        for day in (9, 10):
            shell.deliver(report(0, day), report(1, day))
        policies = [package.policy for package in shell.packages.recent()]
    assert [policy["name"] for policy in policies if policy] == ["early", "late"]
