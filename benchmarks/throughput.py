"""Events a second on one broker in one run: ``python -m benchmarks.throughput`` (or ``make bench``).

The same topic, filled before, is read by each of

- **floor**: confluent-kafka consumes and pydantic validates, nothing else (``contestants/floor.py``);
- **idiomatic**: Faust, ``async for``, a table update an event, with changelog (``contestants/idiomatic.py``);
- **quix**: Quix Streams counts a tumbling window a learner, with changelog (``contestants/quix.py``);
- **homeroom**: ``homeroom worker`` with everything on: validation, dead letters, features, days closed and
  scored, training, risk changes, nudges, state topic, and the embedded store behind its sinks.

300,000 activity events of about 165 bytes, of 4,000 learners, in 4 partitions (``events.py``). Each runs
alone, as one process; the broker has the same machine. Measured from the first event in hand to the last one
done with, start-up and the very last flush excluded; for homeroom the days that the last events close too.

``--broker`` names a running broker, or ``embedded``; Apache Kafka is started from its jars if not given.
Quix Streams needs an environment of its own, whose interpreter is in ``HOMEROOM_BENCH_PYTHON``; without it
that line is left out, and says so.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Timer
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from rich.console import Console
from rich.table import Table

from benchmarks.events import Load, stream
from local.brokers import ApacheKafka, EmbeddedBroker
from local.rig import Rig
from output import files
from schemas.topics import EVENTS
from streams import topics
from streams.publisher import Publisher
from streams.settings import DEMO_KEY
from streams.settings import load as load_settings

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 900.0
CONTESTANTS = ("floor", "quix", "idiomatic", "homeroom")
PARTITIONS = 4
WORK = ("homeroom_batch_records_sum", "homeroom_close_seconds_count")
"""The worker's metrics that change while it works: records applied, and days closed."""


class BenchmarkError(RuntimeError):
    """A contestant ended without a result; the message has the last lines of its log."""


@dataclass(frozen=True, slots=True)
class FilledTopic:
    """The topic that all contestants read."""

    broker: str
    prefix: str
    ends: Mapping[int, int]
    """Partition → its end offset."""
    keyed: int

    @property
    def topic(self) -> str:
        return self.prefix + EVENTS.name

    @property
    def records(self) -> int:
        return sum(self.ends.values())


@dataclass(frozen=True, slots=True)
class Figure:
    """The result of one contestant."""

    records: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.records / self.seconds


def prefill(broker: str, load: Load) -> FilledTopic:
    """Create the topics under a prefix of their own, and publish all events."""
    prefix = f"bench-{uuid.uuid4().hex[:8]}."
    topics.create(broker, PARTITIONS, prefix=prefix)
    publisher = Publisher(broker, linger_ms=20)
    keyed = 0
    for message in stream(load):
        if message.broadcast:
            for partition in range(PARTITIONS):
                publisher.send(prefix + EVENTS.name, message.value, message.key, partition)
        else:
            publisher.send(prefix + EVENTS.name, message.value, message.key)
            keyed += 1
    publisher.flush_now(120.0)
    return FilledTopic(broker, prefix, _ends(broker, prefix + EVENTS.name), keyed)


def process(module: str, python: str = sys.executable) -> Callable[[FilledTopic, Path], Figure]:
    """A contestant that is a program of ``benchmarks.contestants``."""

    def run(filled: FilledTopic, folder: Path) -> Figure:
        task = {
            "broker": filled.broker,
            "topic": filled.topic,
            "partitions": PARTITIONS,
            "records": filled.records,
            "keyed": filled.keyed,
            "folder": str(folder),
        }
        path = ROOT / "benchmarks" / "contestants" / f"{module}.py"
        with (folder / "log").open("wb") as log:
            contestant = subprocess.Popen(
                (python, str(path), json.dumps(task)),
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            figure = _figure(contestant)
        finally:
            contestant.kill()
            contestant.wait()
        if figure is None:
            raise BenchmarkError(f"{module} gave no figure:\n{_tail(folder / 'log')}")
        return figure

    return run


def homeroom(filled: FilledTopic, folder: Path) -> Figure:
    """``homeroom worker`` on the topic with the embedded store, at its default settings.

    Measured from the first batch applied to the last one applied and the last day closed, checkpoints
    included. Waits until all offsets are committed, so that everything was flushed.

    Raises:
        BenchmarkError: it did not finish in time.
    """
    settings = load_settings(
        broker=filled.broker,
        prefix=filled.prefix,
        partitions=PARTITIONS,
        clock="replay",
        pseudonym_key=DEMO_KEY,
    )
    group = filled.prefix + settings.group
    consumer = Consumer({"bootstrap.servers": filled.broker, "group.id": group, "log_level": 3})
    with Rig(folder, settings, broker=False) as rig:
        worker = rig.start_worker()
        first, last, progress = 0.0, 0.0, dict.fromkeys(WORK, 0.0)
        deadline = time.monotonic() + TIMEOUT_S
        while _committed(consumer, filled.topic) != filled.ends:
            worker.check()
            if time.monotonic() > deadline:
                raise BenchmarkError(f"homeroom is not done after {TIMEOUT_S:.0f} s:\n{worker.tail()}")
            counts, read_at = worker.counts(), time.perf_counter()
            previous, progress = progress, {name: counts.get(name, 0.0) for name in WORK}
            if progress != previous:
                first, last = first or read_at, read_at
            time.sleep(0.1)
    consumer.close()
    return Figure(filled.records, last - first)


def _figure(contestant: "subprocess.Popen[str]") -> Figure | None:
    """The first line that the program prints, if it prints one in time."""
    assert contestant.stdout is not None
    with _killed_after(contestant, TIMEOUT_S):
        for line in contestant.stdout:
            if line.startswith("{"):
                result = json.loads(line)
                return Figure(result["records"], result["seconds"])
    return None


@contextmanager
def _killed_after(contestant: "subprocess.Popen[str]", seconds: float) -> Iterator[None]:
    timer = Timer(seconds, contestant.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _ends(broker: str, topic: str) -> dict[int, int]:
    """End offsets by partition, found by reading, as the embedded broker reports wrong ones."""
    consumer = Consumer(
        {"bootstrap.servers": broker, "group.id": "bench-ends", "enable.partition.eof": True, "log_level": 3}
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    ends = dict.fromkeys(range(PARTITIONS), 0)
    silent = 0
    while silent < 3:
        messages = [message for message in consumer.consume(10_000, timeout=1.0) if message.error() is None]
        silent = 0 if messages else silent + 1
        for message in messages:
            ends[message.partition() or 0] = (message.offset() or 0) + 1
    consumer.close()
    return ends


def _committed(consumer: Consumer, topic: str) -> dict[int, int]:
    partitions = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
    return {
        committed.partition: max(committed.offset, 0)
        for committed in consumer.committed(partitions, timeout=10)
    }


def _tail(log: Path, lines: int = 5) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


@contextmanager
def _broker(choice: str) -> Iterator[tuple[str, str]]:
    """Address and name of the selected broker."""
    if choice in ("apache", "embedded"):
        with ApacheKafka(heap="1g") if choice == "apache" else EmbeddedBroker() as broker:
            yield broker.address, broker.name
    else:
        yield choice, choice


def _has_quix(python: str) -> bool:
    return (
        subprocess.run((python, "-c", "import quixstreams"), capture_output=True, check=False).returncode == 0
    )


def compare(broker: str, load: Load, contestants: Sequence[str], console: Console) -> dict[str, Figure]:
    """Fill a topic and let the contestants read it, one after another."""
    console.print(f"publishing {load.events:,} events of {load.learners:,} learners …")
    filled = prefill(broker, load)
    quix_python = str(Path(os.environ.get("HOMEROOM_BENCH_PYTHON", sys.executable)).absolute())
    runs: dict[str, Callable[[FilledTopic, Path], Figure]] = {
        "floor": process("floor"),
        "quix": process("quix", quix_python),
        "idiomatic": process("idiomatic"),
        "homeroom": homeroom,
    }
    figures = {}
    for name in contestants:
        if name == "quix" and not _has_quix(quix_python):
            console.print("quix: left out, HOMEROOM_BENCH_PYTHON names no interpreter that has quixstreams")
            continue
        with tempfile.TemporaryDirectory(prefix=f"homeroom-bench-{name}-") as folder:
            try:
                figures[name] = runs[name](filled, Path(folder))
            except BenchmarkError as error:
                console.print(f"{name}: left out, {error}", markup=False)
                continue
        console.print(f"{name}: {figures[name].per_second:,.0f} events/s in {figures[name].seconds:.1f} s")
    return figures


def ratios(figures: Mapping[str, Figure]) -> dict[str, float]:
    """homeroom's rate over each other's."""
    ours = figures.get("homeroom")
    if ours is None:
        return {}
    return {
        name: ours.per_second / figure.per_second for name, figure in figures.items() if name != "homeroom"
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--broker", default="apache", help="apache (default), embedded, or host:port")
    parser.add_argument("--events", type=int, default=Load().events)
    parser.add_argument("--learners", type=int, default=Load().learners)
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=CONTESTANTS)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--force", action="store_true", help="replace a file that is there already")
    options = parser.parse_args()
    files.check_writable(options.json, force=options.force)
    console = Console()
    load = Load(options.events, options.learners)
    with _broker(options.broker) as (address, name):
        figures = compare(address, load, options.only, console)
    show(figures, name, console)
    if options.json:
        files.write_output(
            options.json, json.dumps(document(figures, load, name), indent=2) + "\n", force=options.force
        )


def show(figures: Mapping[str, Figure], broker: str, console: Console) -> None:
    table = Table("", "events/s", "seconds", "homeroom's rate over it", title=f"on {broker}")
    over = ratios(figures)
    for name, figure in figures.items():
        ratio = f"{over[name]:.2f}" if name in over else ""
        table.add_row(name, f"{figure.per_second:,.0f}", f"{figure.seconds:.1f}", ratio)
    console.print(table)


def document(figures: Mapping[str, Figure], load: Load, broker: str) -> dict[str, Any]:
    """The figures as JSON, with what they were measured on."""
    return {
        "broker": broker,
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "load": asdict(load),
        "figures": {
            name: asdict(figure) | {"per_second": round(figure.per_second)}
            for name, figure in figures.items()
        },
        "homeroom_over": ratios(figures),
    }


if __name__ == "__main__":
    main()
