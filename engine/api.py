"""The engine as a library: events in, risk changes and nudges out, without a broker or a store.

Everything here is public and stable within a version: :func:`run`, :class:`Engine`, and the types
:class:`~engine.outputs.Outputs`, :class:`~engine.pseudonyms.Identity`, :class:`~engine.rules.Rules`,
:class:`~engine.batch.admission.Timing`. ``examples/`` has a program for each. The engine is the worker's own
:class:`~engine.processor.PartitionProcessor` and trainer, so the same events give the same results.

For several partitions, or to evaluate estimates, use :class:`evaluation.backtest.Backtest`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from engine.batch.admission import Timing
from engine.batch.records import RecordBatch
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from engine.state.partition_state import PartitionState
from online_models.trainer import Trainer
from schemas.learning import DayPackage
from schemas.topics import EVENTS

__all__ = ["Engine", "Identity", "Outputs", "Rules", "Timing", "run"]

Event = Mapping[str, Any] | bytes
"""A message of the topic homeroom.events: as a mapping that JSON can hold, or as its JSON."""

Record = tuple[bytes | None, bytes | None]

REPLAY = Rules(timing=Timing(clock="replay"))
"""The default policy and levels, for recorded events: no wall clock is used."""

BATCH = 4000


class Engine:
    """One partition with its trainer. All state is in memory. Feed events in order of event time.

    >>> engine = Engine(Identity(b"a secret of yours"))
    >>> refused = engine.feed([{"type": "activity", "learner": "u-1"}])
    >>> [(letter.field, letter.reason) for letter in refused.dead_letters]
    [('event_id', 'invalid')]
    """

    def __init__(self, identity: Identity, rules: Rules = REPLAY) -> None:
        """identity: makes the pseudonyms of learners in rows."""
        self._processor = PartitionProcessor(0, rules, PartitionState(identity, days=rules.timing.days))
        self._trainer = Trainer(1)
        self._offset = 0

    def feed(self, events: Iterable[Event]) -> Outputs:
        """Apply events, close the days that they end, and return the outputs.

        A day closes when an event or a tick lies past its end by more than ``rules.timing.lateness`` (six
        hours). Events that violate the contract of ``schemas`` become ``dead_letters``; nothing is raised.
        """
        outputs = Outputs()
        records = [_record(event) for event in events]
        if records:
            outputs.extend(self._processor.apply(self._batch(records)))
        while self._processor.due is not None:
            outputs.extend(self._close_day())
        return outputs

    def _batch(self, records: list[Record]) -> RecordBatch:
        count, first = len(records), self._offset
        self._offset += count
        keys, values = [key for key, _ in records], [value for _, value in records]
        return RecordBatch(EVENTS.name, 0, list(range(first, first + count)), keys, values, [0] * count)

    def _close_day(self) -> Outputs:
        packages: list[DayPackage] = []
        for report in self._processor.close():
            packages += self._trainer.receive(report)
        return self._processor.advance(packages[-1])


def run(events: Iterable[Event], identity: Identity, rules: Rules = REPLAY) -> Iterator[Outputs]:
    """The outputs of a stream of events, batch by batch, to the end of the stream.

    events: in order of event time. The last day stays open unless a tick a day later ends it: a message
    ``{"type": "tick", "source": …, "occurred_at": …}``, which :func:`sources.stream.with_ticks` adds.
    """
    engine = Engine(identity, rules)
    batch: list[Event] = []
    for event in events:
        batch.append(event)
        if len(batch) == BATCH:
            yield engine.feed(batch)
            batch = []
    yield engine.feed(batch)


def _record(event: Event) -> Record:
    """Key and value as Kafka would carry them: the key is the learner, where a message has one."""
    try:
        message = orjson.loads(event) if isinstance(event, bytes) else event
    except orjson.JSONDecodeError:
        message = {}  # the processor makes a dead letter of it
    learner = message.get("learner") if isinstance(message, Mapping) else None
    value = event if isinstance(event, bytes) else orjson.dumps(event)
    return learner.encode() if isinstance(learner, str) else None, value
