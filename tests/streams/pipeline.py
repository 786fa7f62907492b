"""A pipeline of pure parts for the tests: logs instead of topics, and a crash wherever one is wanted.

``play`` feeds the processors from logs that can be read again, as Kafka's can, and hands their reports to
the real trainer. A crash throws a processor away, with all that it has taken in since its checkpoint, and
starts another one from the checkpoint's rows and the records after it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import orjson

from engine.batch.admission import Timing
from engine.batch.records import RecordBatch
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from engine.state.partition_state import PartitionState
from nudges.levels import LevelSettings
from online_models.trainer import Trainer
from schemas.learning import DayPackage
from schemas.topics import EVENTS
from sources.simulator import Run, SimulationPlan, stream
from sources.stream import SourceMessage

IDENTITY = Identity(b"of the tests")
START = 20_000
"""An event day in 2024."""

LEVELS = LevelSettings(
    medium_enter=0.45, medium_leave=0.35, high_enter=0.75, high_leave=0.65, confirm_days=2, unsure_band=0.0
)
REPLAY = Rules(timing=Timing(clock="replay"), levels=LEVELS)

Record = tuple[bytes | None, bytes]
Moment = tuple[int, int]
"""Partition and how many steps it had taken: where a crash may come."""


@dataclass(slots=True)
class CollectedOutputs:
    """What came out, by what identifies it, so that said twice is said once; and whether it ever differed."""

    messages: dict[str, Any] = field(default_factory=dict)
    rows: set[tuple[Any, ...]] = field(default_factory=set)
    placed: set[tuple[Any, ...]] = field(default_factory=set)
    """The rows with their partition."""
    contradictions: list[str] = field(default_factory=list)
    letters: dict[str, Any] = field(default_factory=dict)

    def add(self, outputs: Outputs) -> None:
        for change in outputs.risk_changes:
            self._note(change.risk_change_id, change)
        for decision in outputs.decisions:
            self._note(decision.decision_id, decision)
        for nudge in outputs.nudges:
            self._note(f"{nudge.type}:{nudge.nudge_id}", nudge)
        for letter in outputs.dead_letters:
            self.letters[letter.dead_letter_id] = letter
        for table, columns in outputs.rows.items():
            for cells in zip(*columns.values(), strict=True):
                named = {
                    name: tuple(cell) if isinstance(cell, list) else cell
                    for name, cell in zip(columns, cells, strict=True)
                }
                self.placed.add((table, *sorted(named.items())))
                del named["partition"]
                self.rows.add((table, *sorted(named.items())))

    def _note(self, name: str, message: Any) -> None:
        if self.messages.setdefault(name, message) != message:
            self.contradictions.append(name)

    def of(self, table: str) -> set[tuple[Any, ...]]:
        return {row for row in self.rows if row[0] == table}

    def estimates(self) -> set[tuple[Any, ...]]:
        """All but the hourly counts, whose keys tell the order in which events came."""
        tables = ("risk_history", "risk_changes", "nudge_ledger", "nudge_outcomes")
        return set().union(*(self.of(table) for table in tables))


def tiny(learners: int = 12, seed: int = 3) -> SimulationPlan:
    """A run that teaches and one that is served: four weeks each, and just enough outcomes."""
    return SimulationPlan(
        (Run("a", "past", START, 4, 18 * learners), Run("a", "now", START + 21, 4, learners)), seed=seed
    )


def logs_of(messages: Iterable[SourceMessage], partitions: int = 1) -> list[list[Record]]:
    """Each partition's log: learners by their key, broadcasts to all."""
    logs: list[list[Record]] = [[] for _ in range(partitions)]
    for message in messages:
        key = None if message.key is None else message.key.encode()
        for number in range(partitions) if key is None else (crc32(key) % partitions,):
            logs[number].append((key, message.value))
    return logs


def batch_of(
    records: Iterable[Record | tuple[bytes | None, bytes | None]],
    first: int = 0,
    *,
    topic: str = EVENTS.name,
    at: int = 0,
) -> RecordBatch:
    """Records as one batch; ``at`` is the broker's time, epoch seconds."""
    batch = list(records)
    offsets = list(range(first, first + len(batch)))
    keys, values = [key for key, _ in batch], [value for _, value in batch]
    return RecordBatch(topic, 0, offsets, keys, values, [at * 1000] * len(batch))


@dataclass(slots=True)
class _Partition:
    processor: PartitionProcessor
    log: list[Record]
    rows: dict[bytes, bytes] = field(default_factory=dict)
    read: int = 0
    steps: int = 0

    def checkpoint(self) -> None:
        for key, value in self.processor.checkpoint(1):
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value

    def crash(self, rules: Rules) -> None:
        state = PartitionState.restore(IDENTITY, self.rows.items())
        self.processor = PartitionProcessor(self.processor.partition, rules, state)
        self.read = self.processor.applied(EVENTS.name) + 1


def play(
    logs: list[list[Record]],
    *,
    size: Callable[[], int] = lambda: 500,
    checkpoints: frozenset[Moment] = frozenset(),
    crashes: frozenset[Moment] = frozenset(),
    rules: Rules = REPLAY,
) -> CollectedOutputs:
    """Everything that the logs give. ``size`` says how long the next batch is."""
    collected, trainer = CollectedOutputs(), Trainer(len(logs))
    partitions = [
        _Partition(PartitionProcessor(number, rules, PartitionState(IDENTITY)), log)
        for number, log in enumerate(logs)
    ]
    packages: dict[int, DayPackage] = {}

    def pause(partition: _Partition) -> None:
        moment = (partition.processor.partition, partition.steps)
        partition.steps += 1
        if moment in checkpoints and partition.processor.closing is None:
            partition.checkpoint()
        if moment in crashes:
            partition.crash(rules)

    def step(partition: _Partition) -> bool:
        """Close a day, or score one, or else take a batch in; whether there was anything to do."""
        processor, closing = partition.processor, partition.processor.closing
        if processor.due is not None:
            for report in processor.close():
                packages.update({package.day: package for package in trainer.receive(report)})
        elif closing is not None and closing in packages:
            collected.add(processor.advance(packages[closing]))
        elif partition.read < len(partition.log):
            chunk = partition.log[partition.read : partition.read + size()]
            collected.add(processor.apply(batch_of(chunk, partition.read)))
            partition.read += len(chunk)
        else:
            return False
        pause(partition)
        return True

    while sum(step(partition) for partition in partitions):  # a step for each, in turn
        pass
    return collected


def activity(event_id: str, at: str, **more: Any) -> dict[str, Any]:
    """A valid activity event of learner ``l``."""
    return {
        "type": "activity",
        "event_id": event_id,
        "learner": "l",
        "course_run": "c/r",
        "kind": "content",
        "occurred_at": at,
    } | more


def record(message: dict[str, Any]) -> Record:
    """A message as a record with its own key."""
    learner = message.get("learner")
    return (None if learner is None else learner.encode(), orjson.dumps(message))


def term() -> list[SourceMessage]:
    """The messages of the tiny plan."""
    return list(stream(tiny()))
