"""Streams events through the worker's own processors and trainer, in one process and one pass.

Function calls replace the worker's topics: a day closes in every partition, the trainer returns a package,
every partition advances. Nothing else differs, so the outputs are the same.
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

DayCallback = Callable[[int, list[PartitionProcessor], DayPackage], None]
"""Called after every scored day with the day, the processors that scored it and the package."""

OutputsCallback = Callable[[Outputs], None]
"""Called with all outputs of the processors."""


@dataclass(slots=True)
class _Buffer:
    """The buffered records of a partition."""

    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)


class Backtest:
    """A pipeline without Kafka. Call ``feed`` for each message, then ``finish``; or ``run``."""

    def __init__(
        self,
        rules: Rules,
        identity: Identity,
        partitions: int = 1,
        on_outputs: OutputsCallback = lambda _: None,
        on_day: DayCallback = lambda *_: None,
        batch: int = BATCH,
        amend: Callable[[DayPackage], DayPackage] = lambda package: package,
    ) -> None:
        """on_outputs, on_day: callbacks. batch: records by batch. amend: replaces each package before the
        partitions advance with it, to measure the effect of a part of it.
        """
        self.processors = [
            PartitionProcessor(number, rules, PartitionState(identity, days=rules.timing.days))
            for number in range(partitions)
        ]
        self._trainer = Trainer(partitions)
        self._on_outputs = on_outputs
        self._on_day = on_day
        self._batch = batch
        self._amend = amend
        self._buffers = [_Buffer() for _ in range(partitions)]
        self._offsets = [0] * partitions

    def run(self, stream: Iterable[SourceMessage]) -> None:
        """Feed a whole stream and finish."""
        for message in stream:
            self.feed(message)
        self.finish()

    def feed(self, message: SourceMessage) -> None:
        """Buffer a message for its partition, or for all of them if it has no key."""
        count = len(self.processors)
        key = None if message.key is None else message.key.encode()
        chosen = range(count) if key is None else (crc32(key) % count,)
        for number in chosen:
            buffer = self._buffers[number]
            buffer.keys.append(key)
            buffer.values.append(message.value)
            if len(buffer.values) >= self._batch:
                self._apply(number)
                self._close_days()

    def finish(self) -> None:
        """Apply the remaining records and close the days that are due."""
        self._apply_rest()
        self._close_days()

    def _apply(self, number: int) -> None:
        """Apply the buffered batch of a partition."""
        buffer, self._buffers[number] = self._buffers[number], _Buffer()
        count = len(buffer.values)
        if count:
            first = self._offsets[number]
            self._offsets[number] += count
            offsets = list(range(first, first + count))
            batch = RecordBatch(EVENTS.name, number, offsets, buffer.keys, buffer.values, [0] * count)
            self._on_outputs(self.processors[number].apply(batch))

    def _close_days(self) -> None:
        """Close days while every partition is due; partitions that are not due get their buffered batch
        first."""
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
            self._on_outputs(processor.advance(self._amend(package)))
        self._on_day(day + 1, behind, package)
