"""A simulated term written in a dialect and read back: what was lost, and what the estimates say of it.

What a dialect has no words for is sent as native messages, as a platform would send its calendars beside its
log. Of a message that it can say, every field that is not read back as it was must be among the writer's
``limits``; the term that it is compared with has none of these fields. Then the estimates must be the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import orjson

from evaluation.backtest import Backtest
from sources.formats.adapter import Adapter, AdapterOptions
from sources.formats.aliases import Aliases
from sources.formats.records import RawRecord
from sources.formats.registry import DIALECTS, adapter_named, writer_named
from sources.formats.translation import Translation, key_of
from sources.recorded import epoch_of
from sources.simulator import stream
from sources.stream import SourceMessage
from tests.streams.pipeline import IDENTITY, REPLAY, tiny

Message = dict[str, Any]
WRITTEN = (
    *(name for name, dialect in DIALECTS.items() if dialect.writer is not None),
    "cloudevents+xapi",
    "cloudevents+moodle",
)
"""Every dialect that can be written, and two of them in an envelope."""

NOT_COMPARED = frozenset({"event_id", "source", "version", "platform"})
"""Names of events and of where they come from; no estimate knows them."""

Estimates = dict[tuple[str, str, int], float]


@dataclass(slots=True)
class RoundTrip:
    """said, records: messages that the dialect can say, and the records that they are. unsaid: messages sent
    as native ones, by type. lost: fields that are not read back, as ``type.field``. read: the term as it is
    read; compared: the term that it is compared with."""

    said: int = 0
    records: int = 0
    unsaid: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    read: list[Message] = field(default_factory=list)
    compared: list[Message] = field(default_factory=list)


@cache
def term() -> tuple[Message, ...]:
    """The messages of a small term, with its ticks."""
    return tuple(orjson.loads(message.value) for message in stream(tiny()))


def round_trip(name: str) -> RoundTrip:
    """The term in a dialect and back."""
    writer, found = writer_named(name), RoundTrip()
    written = [(message, writer.write(message)) for message in term()]
    adapter = adapter_named(name, AdapterOptions(aliases=Aliases(writer.aliases)))
    for message, records in written:
        _read(message, records, adapter, found)
    found.compared = [_without(message, found.lost) for message in term()]
    return found


def _read(message: Message, records: Sequence[bytes], adapter: Adapter, found: RoundTrip) -> None:
    if not records:
        found.unsaid[message["type"]] = found.unsaid.get(message["type"], 0) + 1
        found.read.append(message)
        return
    translation = Translation()
    for record in records:
        adapter.translate(RawRecord(record), translation)
    assert translation.refused == [], (message, translation.refused)
    assert translation.messages, (message, translation.names)
    found.said += 1
    found.records += len(records)
    found.read += [_without_platform(read) for read in translation.messages]
    if len(translation.messages) == 1:
        found.lost |= _differences(message, translation.messages[0])


def _without_platform(message: Message) -> Message:
    return {name: value for name, value in message.items() if name != "platform"}


def _differences(message: Message, read: Message) -> set[str]:
    names = (message.keys() | read.keys()) - NOT_COMPARED
    return {
        f"{message['type']}.{name}"
        for name in names
        if _value(name, message.get(name)) != _value(name, read.get(name))
    }


def _value(name: str, value: Any) -> Any:
    """A field's value; a moment as its instant, since a dialect may write it in another way."""
    if isinstance(value, str) and (name.endswith("_at") or name == "due_at"):
        return epoch_of(value)
    if isinstance(value, list):
        return [{key: _value(key, inner) for key, inner in sorted(item.items())} for item in value]
    return value


def _without(message: Message, lost: Iterable[str]) -> Message:
    kind = message["type"]
    return {name: value for name, value in message.items() if f"{kind}.{name}" not in lost}


def estimates_of(messages: Iterable[Message]) -> Estimates:
    """Every estimate of the term, by learner, run and day."""
    estimates: Estimates = {}

    def on_day(day: int, processors: list[Any], _: Any) -> None:
        for processor in processors:
            for scored in processor.scored:
                for slot, probability in zip(
                    scored.cohort.slots.tolist(), np.asarray(scored.probability).tolist(), strict=True
                ):
                    estimates[*processor.state.key(slot), day] = probability

    Backtest(REPLAY, IDENTITY, 1, on_day=on_day).run(_stream(messages))
    return estimates


@cache
def estimates_of_term() -> Estimates:
    return estimates_of(term())


def compared_estimates(found: RoundTrip) -> Estimates:
    """Those of the term without what the dialect has lost."""
    return estimates_of(found.compared) if found.lost else estimates_of_term()


def _stream(messages: Iterable[Message]) -> Iterator[SourceMessage]:
    for message in messages:
        learner = message.get("learner")
        moment = int(epoch_of(message.get("graded_at") or message["occurred_at"]))
        yield SourceMessage(key_of(message) if learner else None, orjson.dumps(message), not learner, moment)
