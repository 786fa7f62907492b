"""Digests of all outputs of a replay: ``python -m benchmarks.replay_digest``.

A simulated term goes through the engine and the trainer, and every kind of output is hashed in the order of
its arrival: risk changes, decisions, nudges, dead letters, day packages, the store's rows by table, and at
the end the partitions' state. Run it before and after a change that must not change behaviour, on one
machine: equal lines mean equal bytes.
"""

import argparse
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

import nudges
from engine.batch.admission import Timing
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from evaluation.backtest import Backtest
from features.catalogue import NAMES
from nudges.policy_file import parse_policy
from schemas.learning import DayPackage
from sources import simulator
from sources.simulator import SimulationPlan

POLICY = Path(nudges.__file__).parent / "demo-policy.yaml"


@dataclass(slots=True)
class Digests:
    """A running hash and a count by kind of output."""

    hashes: dict[str, "hashlib._Hash"] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, content: bytes, count: int = 1) -> None:
        """Add an output to the hash of its kind."""
        self.hashes.setdefault(kind, hashlib.sha256()).update(content)
        self.counts[kind] += count

    def add_outputs(self, outputs: Outputs) -> None:
        """Add the outputs of a processor."""
        for kind in ("risk_changes", "decisions", "nudges", "dead_letters"):
            for message in getattr(outputs, kind):
                self.add(kind, message.model_dump_json().encode())
        for table, columns in outputs.rows.items():
            rows = len(next(iter(columns.values())))
            self.add(f"rows of {table}", repr(columns).encode(), rows)

    def add_day(self, _: int, __: list[PartitionProcessor], package: DayPackage) -> None:
        """Add a day's package."""
        self.add("day_packages", orjson.dumps(package.model_dump(mode="json")))

    def table(self) -> Table:
        """Kind, count and the first 16 digits of the hash."""
        shown = Table("output", "count", "sha256")
        for kind in sorted(self.hashes):
            shown.add_row(kind, f"{self.counts[kind]:,}", self.hashes[kind].hexdigest()[:16])
        return shown


def replay(
    learners: int, partitions: int, report_progress: Callable[[int], None] = lambda _: None
) -> Digests:
    """Replay a term; ``report_progress`` gets the number of messages so far, every 20,000."""
    policy = parse_policy(POLICY.read_text(encoding="utf-8"), NAMES)
    rules = replace(Rules(Timing(clock="replay")), policy=policy)
    digests = Digests()
    backtest = Backtest(
        rules, Identity(b"replay-digest"), partitions, on_outputs=digests.add_outputs, on_day=digests.add_day
    )
    for count, message in enumerate(simulator.stream(SimulationPlan.term(learners, seed=7)), start=1):
        backtest.feed(message)
        if count % 20_000 == 0:
            report_progress(count)
    backtest.finish()
    for processor in backtest.processors:
        for row in processor.checkpoint(1):
            digests.add("state", repr(row).encode())
    return digests


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learners", type=int, default=600)
    parser.add_argument("--partitions", type=int, default=3)
    options = parser.parse_args()
    console = Console()
    with console.status("replaying") as status:
        digests = replay(
            options.learners, options.partitions, lambda count: status.update(f"{count:,} messages")
        )
    console.print(digests.table())


if __name__ == "__main__":
    main()
