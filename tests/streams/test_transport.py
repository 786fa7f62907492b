"""The record-batch transport on a real broker: what it delivers, when, and what it commits."""

import contextlib
import itertools
import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from tests.brokers import TestBroker
from tests.conftest import MakeTopic
from tests.streams.recorder import Options

pytestmark = pytest.mark.kafka

Record = tuple[int, bytes | None, bytes | None]
"""Partition, key, value."""

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Worker:
    """A recorder in its own process."""

    process: subprocess.Popen[bytes]
    options: Options

    def lines(self, kind: str) -> list[list[Any]]:
        path = Path(self.options.out)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        complete = text[: text.rfind("\n") + 1].splitlines()
        return [line[1:] for line in map(json.loads, complete) if line[0] == kind]

    def got(self) -> dict[tuple[str, int], list[tuple[int, str]]]:
        """(Topic, partition) → offset and digest of each record, as delivered."""
        found = defaultdict(list)
        for topic, partition, offset, digest in self.lines("got"):
            found[topic, partition].append((offset, digest))
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True, slots=True)
class Lab:
    """Starts recorders against one topic's group and looks at the broker from outside."""

    broker: str
    folder: Path
    prefix: str

    def publish(self, topic: str, records: Sequence[Record]) -> dict[int, int]:
        """Publish and return the end offset of each partition that got records."""
        ends: dict[int, int] = {}

        def written(error: Any, message: Any) -> None:
            assert error is None, error
            ends[message.partition()] = max(ends.get(message.partition(), 0), message.offset() + 1)

        producer = Producer(
            {"bootstrap.servers": self.broker, "log_level": 0, "message.max.bytes": 2 << 20, "linger.ms": 5}
        )
        for partition, key, value in records:
            producer.produce(topic, value, key, partition, on_delivery=written)
            producer.poll(0)
        assert producer.flush(30) == 0
        return ends

    @contextlib.contextmanager
    def worker(self, *topics: str, name: str = "a", group: str = "group", **options: Any) -> Iterator[Worker]:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        out, log = folder / "out.jsonl", folder / "log"
        made = Options(
            broker=self.broker,
            group=self.prefix + group,
            topics=list(topics),
            out=str(out),
            datadir=str(folder),
            **options,
        )
        command = (sys.executable, "-m", "tests.streams.recorder", json.dumps(asdict(made)))
        with log.open("ab") as stream:
            process = subprocess.Popen(command, cwd=ROOT, stdout=stream, stderr=stream)
        try:
            yield Worker(process, made)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def committed(self, topic: str, partitions: int = 4, group: str = "group") -> dict[int, int]:
        """Partition → committed offset, of the partitions that have one. None yet where nobody knows."""
        consumer = Consumer(
            {"bootstrap.servers": self.broker, "log_level": 0, "group.id": self.prefix + group}
        )
        try:
            partition_ids = [TopicPartition(topic, partition) for partition in range(partitions)]
            return {
                offset.partition: offset.offset
                for offset in consumer.committed(partition_ids, timeout=10)
                if offset.offset >= 0
            }
        except KafkaException as error:  # a new broker is still making the offsets topic
            if not error.args[0].retriable() and error.args[0].code() != KafkaError.NOT_COORDINATOR:
                raise
            return {}
        finally:
            consumer.close()


@pytest.fixture
def lab(broker: TestBroker, tmp_path: Path, prefix: str) -> Lab:
    return Lab(broker.address, tmp_path, prefix)


def until(holds: Callable[[], bool], what: str, timeout_s: float = 60.0) -> float:
    """Wait until it holds; returns how long that took, in seconds."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < timeout_s, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - start


def some(count: int, partitions: int = 4) -> list[Record]:
    return [(i % partitions, f"k{i % 97}".encode(), f"value {i}".encode()) for i in range(count)]


def offsets(records: Sequence[tuple[int, str]]) -> list[int]:
    return [offset for offset, _ in records]


def test_delivers_and_commits_what_stock_faust_does(lab: Lab, make_topic: MakeTopic) -> None:
    topic = make_topic()
    records = [*some(3_000), (0, None, b"no key"), (1, b"no value", None), (2, None, None), (3, b"", b"")]
    ends = lab.publish(topic, records)
    with (
        lab.worker(topic, name="ours", group="ours") as ours,
        lab.worker(topic, name="stock", group="stock", stock=True),
    ):
        until(lambda: lab.committed(topic, group="ours") == ends, "ours has committed all")
        until(lambda: lab.committed(topic, group="stock") == ends, "stock Faust has committed all")
    stock = Worker(
        ours.process, Options(**asdict(ours.options) | {"out": str(lab.folder / "stock" / "out.jsonl")})
    )
    assert ours.got() == stock.got()
    assert {partition: len(offsets) for (_, partition), offsets in ours.got().items()} == ends


@pytest.mark.apache
def test_records_larger_than_a_fetch_arrive(lab: Lab, make_topic: MakeTopic) -> None:
    topic = make_topic(1, max_message_bytes=str(2 << 20))
    large = b"x" * 1_500_000
    ends = lab.publish(topic, [(0, b"k", b"before"), (0, None, large), (0, b"k", large), (0, b"k", b"after")])
    with lab.worker(topic, partitions=1) as worker:
        until(lambda: lab.committed(topic, 1) == ends, "all committed")
    assert offsets(worker.got()[topic, 0]) == [0, 1, 2, 3]


def test_what_was_fetched_before_the_seek_is_fetched_again(lab: Lab, make_topic: MakeTopic) -> None:
    """Also where the group has committed nothing yet, and there is no offset to seek to."""
    topic = make_topic()
    ends = lab.publish(topic, some(4_000))
    with lab.worker(topic, fetched_early=True) as worker:
        until(lambda: lab.committed(topic) == ends, "all delivered and committed")
        for partition, end in ends.items():
            assert offsets(worker.got()[topic, partition]) == list(range(end)), partition


def test_what_was_read_and_not_acked_comes_back_after_a_crash(lab: Lab, make_topic: MakeTopic) -> None:
    topic = make_topic()
    ends = lab.publish(topic, some(8_000))
    stop_acking = [(partition, 1_000) for partition in range(4)]
    with lab.worker(topic, name="first", unacked=stop_acking) as first:
        until(lambda: {p: o[-1][0] + 1 for (_, p), o in first.got().items()} == ends, "all delivered")
        acked = {}
        for _, partition, _, last in first.lines("ack"):
            acked[partition] = last + 1
        until(lambda: lab.committed(topic) == acked, "the acked batches are committed")
        time.sleep(0.5)
        assert lab.committed(topic) == acked, "nothing is committed beyond the acked batches"
        first.kill()
    with lab.worker(topic, name="second") as second:
        until(lambda: lab.committed(topic) == ends, "the rest is delivered and committed")
    for partition in range(4):
        again = second.got()[topic, partition]
        assert offsets(again) == list(range(acked[partition], ends[partition]))
        assert again == first.got()[topic, partition][acked[partition] :]


def test_an_ack_does_not_commit_what_came_before_it(lab: Lab, make_topic: MakeTopic) -> None:
    """Stock bookkeeping takes every gap below an acked offset for done: here that would lose a batch."""
    topic = make_topic()
    ends = lab.publish(topic, some(4_000))
    with lab.worker(topic, name="first", skip_first=[0]) as first:
        others = {partition: end for partition, end in ends.items() if partition}
        until(lambda: lab.committed(topic) == others, "the other partitions are committed")
        until(lambda: len(first.got()[topic, 0]) == ends[0], "partition 0 is delivered")
        time.sleep(0.5)
        assert 0 not in lab.committed(topic)
        first.kill()
    with lab.worker(topic, name="second") as second:
        until(lambda: lab.committed(topic) == ends, "partition 0 is delivered again")
    assert offsets(second.got()[topic, 0]) == list(range(ends[0]))
    assert not any(second.got()[topic, partition] for partition in others)


def test_a_held_partition_waits_alone_and_goes_on_promptly(lab: Lab, make_topic: MakeTopic) -> None:
    topic = make_topic()
    hold = lab.folder / "hold"
    hold.write_text("[1]")
    ends = lab.publish(topic, some(8_000))
    with lab.worker(topic, hold=str(hold)) as worker:
        others = {partition: end for partition, end in ends.items() if partition != 1}
        until(lambda: lab.committed(topic) == others, "the others are delivered and committed")
        assert not worker.got()[topic, 1]
        hold.unlink()
        took = until(lambda: len(worker.got()[topic, 1]) == ends[1], "partition 1 is delivered")
        assert took < 2.0
        until(lambda: lab.committed(topic) == ends, "all committed")


def test_a_worker_that_holds_everything_stays_in_its_group(lab: Lab, make_topic: MakeTopic) -> None:
    topic = make_topic()
    hold = lab.folder / "hold"
    hold.write_text("[0, 1, 2, 3]")
    ends = lab.publish(topic, some(400))
    short = {"broker_max_poll_interval": 3.0}
    with lab.worker(topic, hold=str(hold), settings=short) as worker:
        until(lambda: bool(worker.lines("assigned")), "partitions are assigned")
        time.sleep(8.0)  # longer than the session timeout and twice the poll interval
        assert not worker.lines("got")
        hold.unlink()
        until(lambda: lab.committed(topic) == ends, "all delivered and committed")
        assert len(worker.lines("assigned")) == 1


@pytest.mark.timeout(240)
def test_two_workers_take_over_from_each_other(lab: Lab, make_topic: MakeTopic) -> None:
    """A second worker joins, then the first is killed: nothing is left out, no unacked batch committed."""
    topic = make_topic()
    workers: list[Worker] = []
    committed: dict[int, int] = {}

    def acked() -> dict[int, set[int]]:
        found: defaultdict[int, set[int]] = defaultdict(set)
        for worker in workers:
            for _, partition, first, last in worker.lines("ack"):
                found[partition].update(range(first, last + 1))
        return found

    def committed_only_what_was_acked() -> None:
        committed.update(lab.committed(topic))  # before the acks are read, so never ahead of them
        done = acked()
        for partition, offset in committed.items():
            assert done[partition].issuperset(range(offset)), f"partition {partition} is at {offset}"

    def holds(ends: dict[int, int]) -> bool:
        committed_only_what_was_acked()
        return committed == ends

    ends = lab.publish(topic, some(12_000))
    with lab.worker(topic, name="first", pause_s=0.3) as first:
        workers.append(first)
        until(lambda: len(first.lines("got")) > 2_000, "the first is at work")
        with lab.worker(topic, name="second", pause_s=0.15) as second:
            workers.append(second)
            until(lambda: len(second.lines("got")) > 1_000, "the second has joined")
            assert len(second.lines("assigned")[-1][0]) == 2
            committed_only_what_was_acked()
            ends |= lab.publish(topic, some(4_000))
            first.kill()
            until(lambda: holds(ends), "the second has taken over and finished", 120.0)
    for partition, end in ends.items():
        records = [record for worker in workers for record in worker.got()[topic, partition]]
        assert set(offsets(records)) == set(range(end)), "every record was delivered"
        assert len(set(records)) == end, "and was the same each time"
        for worker in workers:
            runs = offsets(worker.got()[topic, partition])
            assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(runs)), (
                "none was skipped"
            )


def test_acks_are_committed_before_partitions_go(lab: Lab, make_topic: MakeTopic) -> None:
    """A rebalance redelivers what was not acked, not what was acked since the last commit."""
    topic = make_topic()
    ends = lab.publish(topic, some(2_000))
    rarely = {"broker_commit_interval": 300.0}
    with lab.worker(topic, name="first", settings=rarely) as first:
        until(lambda: len(first.lines("got")) == 2_000, "all delivered")
        assert lab.committed(topic) == {}
        with lab.worker(topic, name="second", settings=rarely) as second:
            until(lambda: bool(second.lines("assigned")), "the second has joined")
            until(lambda: lab.committed(topic) == ends, "all committed")
            more = lab.publish(topic, some(2_000))
            until(lambda: len(first.lines("got") + second.lines("got")) == 4_000, "the rest delivered")
    assert lab.committed(topic) == more, "and committed on a graceful stop"
    assert len(first.lines("got") + second.lines("got")) == 4_000, "nothing was delivered twice"


def test_what_is_acked_on_revocation_and_on_stop_is_committed(lab: Lab, make_topic: MakeTopic) -> None:
    """A worker may hold its acks back until it has flushed, and flush when it is told to let go."""
    topic = make_topic()
    ends = lab.publish(topic, some(2_000))
    with lab.worker(topic, name="first", late=True) as first:
        until(lambda: len(first.lines("got")) == 2_000, "all delivered")
        assert lab.committed(topic) == {}
        with lab.worker(topic, name="second", late=True) as second:
            until(lambda: lab.committed(topic) == ends, "the first has acked and committed")
            until(lambda: bool(second.lines("assigned")), "the second has joined")
            more = lab.publish(topic, some(2_000))
            until(lambda: len(first.lines("got") + second.lines("got")) == 4_000, "the rest delivered")
            assert lab.committed(topic) == ends
    assert lab.committed(topic) == more
    assert len(first.lines("got") + second.lines("got")) == 4_000, "nothing was delivered twice"


@pytest.mark.timeout(240)
def test_a_stalled_worker_that_lost_its_partitions_commits_nothing(lab: Lab, make_topic: MakeTopic) -> None:
    topic = make_topic()
    ends = lab.publish(topic, some(2_000))
    with lab.worker(topic, name="first", unacked=[(p, 0) for p in range(4)]) as first:
        until(lambda: len(first.lines("got")) == 2_000, "all delivered to the first, and none acked")
        first.process.send_signal(signal.SIGSTOP)
        with lab.worker(topic, name="second", pause_s=0.2) as second:
            until(lambda: lab.committed(topic) == ends, "the second has taken over and finished", 120.0)
            first.process.send_signal(signal.SIGCONT)
            until(lambda: len(first.lines("assigned")) > 1, "the first has joined again")
            more = lab.publish(topic, some(2_000))
            ours = {p: end for p, end in more.items() if [topic, p] in second.lines("assigned")[-1][0]}
            until(lambda: lab.committed(topic) == ends | ours, "the second has finished its part")
            assert first.process.poll() is None


@pytest.mark.timeout(240)
def test_two_topics_stay_together_on_three_workers(lab: Lab, make_topic: MakeTopic) -> None:
    """Events, feedback and state of a partition belong to one worker, whatever their number."""
    topics = make_topic(8), make_topic(8)
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(lab.worker(*topics, name=f"w{i}", partitions=8)) for i in range(3)]

        def held() -> list[list[list[Any]]]:
            return [lines[-1][0] if (lines := worker.lines("assigned")) else [] for worker in workers]

        def settled() -> bool:
            return sum(map(len, held())) == 16 and all(held())

        until(settled, "three workers share the partitions", 120.0)
        for partitions in held():
            by_topic = [{p for t, p in partitions if t == topic} for topic in topics]
            assert by_topic[0] == by_topic[1]
