"""The cost of an event in the worker without Kafka and store: ``python -m benchmarks.processor``.

The events of ``throughput`` go through the worker's own objects in one process, in batches as it fetches
them: processors, trainer, the JSON of reports and packages, messages and state rows. The table shows each
stage's CPU time in microseconds per event, so that a change of the hot path is measured in seconds.
``--profile`` writes a profile by function.
"""

import argparse
import cProfile
import pstats
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from zlib import crc32

from rich.console import Console
from rich.table import Table

from benchmarks.events import Load, stream
from engine.batch.admission import Timing
from engine.batch.records import RecordBatch
from engine.garbage_collection import collect_seldom
from engine.outputs import Outputs
from engine.pieces import compress, records_of
from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from engine.state.partition_state import PartitionState
from online_models.trainer import Trainer
from schemas.learning import DayPackage, DayReport
from schemas.topics import EVENTS
from streams.day_reports import report_records

PARTITIONS = 4
BATCH = 4_000
CHECKPOINT_EVERY = 100_000
"""Records between two checkpoints."""


@dataclass(slots=True)
class Stages:
    """CPU seconds by stage."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the CPU time of the block to a stage."""
        before = time.thread_time()
        try:
            yield
        finally:
            self.seconds[stage] += time.thread_time() - before


def batches(load: Load) -> Iterator[RecordBatch]:
    """The events as the worker fetches them: batches of the partitions in turn."""
    keys: list[list[bytes | None]] = [[] for _ in range(PARTITIONS)]
    values: list[list[bytes | None]] = [[] for _ in range(PARTITIONS)]
    for message in stream(load):
        key = None if message.key is None else message.key.encode()
        for number in range(PARTITIONS) if message.broadcast else (crc32(key or b"") % PARTITIONS,):
            keys[number].append(key)
            values[number].append(message.value)
    for start in range(0, max(map(len, values)), BATCH):
        for number in range(PARTITIONS):
            part = slice(start, start + BATCH)
            count = len(values[number][part])
            if count:
                offsets = list(range(start, start + count))
                yield RecordBatch(
                    EVENTS.name, number, offsets, keys[number][part], values[number][part], [0] * count
                )


class Pipeline:
    """The worker's pure parts, driven as its runners drive them."""

    def __init__(self, stages: Stages) -> None:
        rules = Rules(timing=Timing(clock="replay"))
        self.processors = [
            PartitionProcessor(
                number, rules, PartitionState(Identity(b"homeroom-benchmark"), days=rules.timing.days)
            )
            for number in range(PARTITIONS)
        ]
        self._trainer = Trainer(PARTITIONS)
        self._stages = stages
        self._open = 0

    def apply(self, batch: RecordBatch) -> None:
        """Apply a batch, close the days that are due, and checkpoint every ``CHECKPOINT_EVERY`` records."""
        with self._stages.timed("apply"):
            outputs = self.processors[batch.partition].apply(batch)
        self._serialize(outputs)
        self._close_days()
        self._open += len(batch)
        if self._open >= CHECKPOINT_EVERY:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Make the state rows of all partitions that are not closing a day."""
        self._open = 0
        with self._stages.timed("checkpoint"):
            for processor in self.processors:
                if processor.closing is None:
                    for _ in processor.checkpoint(1):
                        pass

    def _close_days(self) -> None:
        while True:
            reports: list[DayReport] = []
            for processor in self.processors:
                if processor.due is not None:
                    with self._stages.timed("close"):
                        reports += processor.close()
            if not reports:
                return
            for report in reports:
                with self._stages.timed("report"):
                    report_records(report)
                with self._stages.timed("train"):
                    packages = self._trainer.receive(report)
                for package in packages:
                    self._advance(package)

    def _advance(self, package: DayPackage) -> None:
        with self._stages.timed("package"):
            records_of(compress(package.model_dump_json().encode()), str(package.day))
        for processor in self.processors:
            if processor.closing == package.day:
                with self._stages.timed("advance"):
                    outputs = processor.advance(package)
                self._serialize(outputs)

    def _serialize(self, outputs: Outputs) -> None:
        with self._stages.timed("say"):
            for message in (*outputs.risk_changes, *outputs.decisions, *outputs.dead_letters):
                message.model_dump_json().encode()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=Load().events)
    parser.add_argument("--learners", type=int, default=Load().learners)
    parser.add_argument("--profile", metavar="FILE", help="write a profile for pstats")
    options = parser.parse_args()
    console = Console()
    load = Load(options.events, options.learners)
    prepared = list(batches(load))
    collect_seldom()
    stages = Stages()
    pipeline = Pipeline(stages)
    profile = cProfile.Profile(time.thread_time)
    if options.profile:
        profile.enable()
    for batch in prepared:
        pipeline.apply(batch)
    pipeline.checkpoint()
    if options.profile:
        profile.disable()
        pstats.Stats(profile).dump_stats(options.profile)
    records = sum(map(len, prepared))
    table = Table("stage", "µs an event", "share", title=f"{records:,} records")
    total = sum(stages.seconds.values())
    for stage, seconds in stages.seconds.items():
        table.add_row(stage, f"{1e6 * seconds / records:.2f}", f"{seconds / total:.0%}")
    table.add_row("all", f"{1e6 * total / records:.2f}", f"{records / total:,.0f} events/s")
    console.print(table)


if __name__ == "__main__":
    main()
