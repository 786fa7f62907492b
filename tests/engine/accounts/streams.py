"""A simulated term in which accounts are merged and a run is renamed, and what came of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from evaluation.backtest import Backtest
from schemas.fields import DAY_S
from sources.recorded import epoch_of
from sources.simulator import stream
from sources.stream import SourceMessage, instant
from tests.streams.pipeline import IDENTITY, REPLAY, START, tiny

RUN = "a/now"
FIRST = START + 21
DAY = FIRST + 11
"""The day on which accounts are merged, or the run is renamed."""

Message = dict[str, Any]


def term() -> list[Message]:
    """The messages of the term, in order of event time; broadcasts have no learner."""
    return [orjson.loads(message.value) for message in stream(tiny())]


def busy_learners() -> list[str]:
    """Learners of the run who are active before and after the day, the busiest first."""
    clicks: dict[str, list[int]] = {}
    for message in term():
        if message["type"] == "activity" and message["course_run"] == RUN:
            clicks.setdefault(message["learner"], []).append(moment(message) // DAY_S)
    both = {who: days for who, days in clicks.items() if min(days) < DAY - 3 and max(days) > DAY + 3}
    return sorted(both, key=lambda who: -len(both[who]))


def moment(message: Message) -> int:
    return int(epoch_of(message.get("graded_at") or message["occurred_at"]))


def merge(old: str, into: str, day: float = DAY + 0.4, event_id: str = "") -> list[Message]:
    """A merge as it is published: under both keys."""
    message = {"type": "merged", "learner": old, "into": into, "occurred_at": instant(round(day * DAY_S))}
    message["event_id"] = event_id or f"merge/{old}/{into}/{day}"
    return [message, message | {"keyed_by": into}]


def rename(new: str, day: float = DAY + 0.4, old: str = RUN) -> Message:
    occurred_at = instant(round(day * DAY_S))
    return {
        "type": "renamed",
        "event_id": f"{old}/{new}",
        "course_run": old,
        "into": new,
        "occurred_at": occurred_at,
    }


def under(
    messages: Iterable[Message], who: str, name: str, chosen: Callable[[Message], bool]
) -> list[Message]:
    """The messages, with those of a learner that are chosen under another name."""
    return [
        message | {"learner": name} if message.get("learner") == who and chosen(message) else message
        for message in messages
    ]


def before(day: float) -> Callable[[Message], bool]:
    return lambda message: moment(message) < day * DAY_S


def in_order(messages: Iterable[Message]) -> Iterator[SourceMessage]:
    """As records, by event time."""
    for message in sorted(messages, key=moment):
        learner = message.get("keyed_by") or message.get("learner")
        value = orjson.dumps({name: content for name, content in message.items() if name != "keyed_by"})
        yield SourceMessage(learner, value, learner is None, moment(message))


@dataclass(slots=True)
class Told:
    """estimates: by learner, run and epoch day; codes: bins of the features on it."""

    estimates: dict[tuple[str, str, int], float] = field(default_factory=dict)
    codes: dict[tuple[str, str, int], list[int]] = field(default_factory=dict)
    outputs: Outputs = field(default_factory=Outputs)
    processors: list[PartitionProcessor] = field(default_factory=list)

    def days(self, learner: str, run: str = RUN) -> list[int]:
        return sorted(day for who, where, day in self.estimates if (who, where) == (learner, run))

    def of(self, learner: str, run: str = RUN, since: int = 0) -> dict[int, float]:
        return {day: self.estimates[learner, run, day] for day in self.days(learner, run) if day >= since}


def play(messages: Iterable[Message], partitions: int = 1) -> Told:
    """All that the messages give, in order of event time."""
    return play_stream(in_order(messages), partitions)


def play_stream(stream: Iterable[SourceMessage], partitions: int = 1) -> Told:
    """All that a stream gives."""
    told = Told()

    def on_day(day: int, processors: list[PartitionProcessor], _: Any) -> None:
        for processor in processors:
            for scored in processor.scored:
                for index, slot in enumerate(scored.cohort.slots.tolist()):
                    learner, run = processor.state.key(slot)
                    told.estimates[learner, run, day] = float(scored.probability[index])
                    told.codes[learner, run, day] = np.asarray(scored.cohort.codes[:, index]).tolist()

    backtest = Backtest(REPLAY, IDENTITY, partitions, told.outputs.extend, on_day)
    backtest.run(stream)
    told.processors = backtest.processors
    return told
