"""Streams events through the very processors and trainer of the worker, in one process and one pass.

What the worker does with topics is done here with calls: a day closes in every partition, the trainer
answers with a package, every partition advances. Nothing else differs, so the outputs are the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from zlib import crc32

from engine.batch.records import RecordBatch
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from engine.state.partition_state import PartitionState
from online_models.trainer import Trainer
from schemas.learning import DayPackage
from schemas.topics import EVENTS
from sources.stream import SourceMessage

BATCH = 4000

Watcher = Callable[[int, list[PartitionProcessor], DayPackage], None]
"""Called after every scored day, with the day, the processors and the package."""

Hearer = Callable[[Outputs], None]
"""Called with everything that is said."""


@dataclass(slots=True)
class _Open:
    """A batch that is being filled."""

    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)


class Backtest:
    """A pipeline without Kafka. ``feed`` and ``finish``; outputs go to ``say``."""

    def __init__(
        self,
        rules: Rules,
        identity: Identity,
        partitions: int = 1,
        say: Hearer = lambda _: None,
        watch: Watcher = lambda *_: None,
        batch: int = BATCH,
        amend: Callable[[DayPackage], DayPackage] = lambda package: package,
    ) -> None:
        """amend: what the partitions are given instead of a package, to see what a part of it is worth."""
        self.processors = [
            PartitionProcessor(number, rules, PartitionState(identity)) for number in range(partitions)
        ]
        self._trainer = Trainer(partitions)
        self._say = say
        self._watch = watch
        self._batch = batch
        self._amend = amend
        self._open = [_Open() for _ in range(partitions)]
        self._offsets = [0] * partitions

    def run(self, stream: Iterable[SourceMessage]) -> None:
        """Everything of a stream, to its end."""
        for message in stream:
            self.feed(message)
        self.finish()

    def feed(self, message: SourceMessage) -> None:
        """One message, to its partition or to all of them."""
        count = len(self.processors)
        key = None if message.key is None else message.key.encode()
        chosen = range(count) if key is None else (crc32(key) % count,)
        for number in chosen:
            open_ = self._open[number]
            open_.keys.append(key)
            open_.values.append(message.value)
            if len(open_.values) >= self._batch:
                self._apply(number)
                self._close_days()

    def finish(self) -> None:
        """Apply what is left."""
        self._apply_rest()
        self._close_days()

    def _apply(self, number: int) -> None:
        """Give a partition the batch that was being filled for it."""
        open_, self._open[number] = self._open[number], _Open()
        count = len(open_.values)
        if count:
            first = self._offsets[number]
            self._offsets[number] += count
            offsets = list(range(first, first + count))
            batch = RecordBatch(EVENTS.name, number, offsets, open_.keys, open_.values, [0] * count)
            self._say(self.processors[number].apply(batch))

    def _close_days(self) -> None:
        """Close days for as long as every partition is due; who is not is given what it has first."""
        while any(processor.due is not None for processor in self.processors):
            self._apply_rest(only_not_due=True)
            if any(processor.due is None for processor in self.processors):
                return
            self._close_day()

    def _apply_rest(self, *, only_not_due: bool = False) -> None:
        for number, processor in enumerate(self.processors):
            if not only_not_due or processor.due is None:
                self._apply(number)

    def _close_day(self) -> None:
        day = min(processor.due for processor in self.processors if processor.due is not None)
        behind = [processor for processor in self.processors if processor.due == day]
        packages: list[DayPackage] = []
        for processor in behind:
            for report in processor.close():
                packages += self._trainer.receive(report)
        package = packages[-1]
        for processor in behind:
            self._say(processor.advance(self._amend(package)))
        self._watch(day + 1, behind, package)
