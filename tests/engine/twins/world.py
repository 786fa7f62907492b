"""A simulated term with twins in it, and every learner's estimate on every day."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from engine.batch.records import RecordBatch
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from online_models.trainer import Trainer
from schemas.dead_letter import DeadLetter
from schemas.fields import DAY_S
from schemas.learning import DayPackage
from schemas.risk import RiskChange
from schemas.topics import EVENTS
from sources.simulator import Run, SimulationPlan, stream
from sources.stream import instant
from tests.streams.pipeline import IDENTITY, REPLAY, START

RUN = "a/now"
FIRST = START + 28
"""The first day of the run in which the twins are."""

LAST = FIRST + 35
TERM = SimulationPlan((Run("a", "past", START, 4, 200), Run("a", "now", FIRST, 5, 60)), seed=11)

Message = dict[str, Any]
Change = Callable[[list[Message]], Iterable[Message]]
"""From a learner's messages to the twin's, whose ids are made the twin's afterwards."""


def at(day: float) -> str:
    """A day of the run, from its start, as messages tell it."""
    return instant(round((FIRST + day) * DAY_S))


def moment_of(message: Message) -> str:
    """When a message is published: at its ``sent_at``, which is not part of it; else when it happened."""
    return str(message.get("sent_at") or message.get("graded_at") or message["occurred_at"])


@dataclass(slots=True)
class Told:
    """What came of a stream. estimates: of each learner, by epoch day."""

    estimates: dict[str, dict[int, float]] = field(default_factory=dict)
    changes: list[RiskChange] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    state: PartitionState = field(default_factory=lambda: PartitionState(IDENTITY))
    cohort_sizes: dict[int, int] = field(default_factory=dict)

    def of(self, learner: str, since: float = -99, until: float = 99) -> list[float]:
        """A learner's estimates on the days of the run in [since, until)."""
        days = self.estimates.get(learner, {})
        return [days[day] for day in sorted(days) if FIRST + since <= day < FIRST + until]

    def by_day(self, learner: str, since: float = -99, until: float = 99) -> dict[int, float]:
        """A learner's estimates by the day of the run, from its start, in [since, until)."""
        days = self.estimates.get(learner, {})
        return {day - FIRST: days[day] for day in sorted(days) if since <= day - FIRST < until}

    def days(self, learner: str) -> set[int]:
        """The days of the run on which a learner has an estimate, from its start."""
        return {day - FIRST for day in self.estimates.get(learner, {})}

    def reasons(self, learner: str) -> list[str]:
        """The features that stood behind a learner's risk changes."""
        own = [change for change in self.changes if change.learner == learner]
        return [reason.feature for change in own for reason in change.reasons]


DUE = {"assessment-1": 5, "assessment-2": 14, "assessment-3": 24}
"""Days of the run on which work is due: some early, so that there is time to be graded."""


def messages() -> list[Message]:
    """The term's messages, in order of event time."""
    found: list[Message] = [orjson.loads(message.value) for message in stream(TERM)]
    for message in found:
        if message["type"] == "calendar":
            start = FIRST if message["course_run"] == RUN else START
            for deadline in message["deadlines"]:
                deadline["due_at"] = instant((start + DUE[deadline["assessment"]]) * DAY_S)
    return found


def learners(of: list[Message]) -> dict[str, list[Message]]:
    """The messages of the learners of the run with the twins, by learner."""
    found: dict[str, list[Message]] = {}
    for message in of:
        if message.get("course_run") == RUN and "learner" in message:
            found.setdefault(message["learner"], []).append(message)
    return found


def twin(own: list[Message], name: str, change: Change) -> list[Message]:
    """A copy of a learner's messages under another name, or its own ``as``, with one fact changed."""
    copies = [message | {"learner": name} for message in own]
    return [
        message | {"event_id": f"{name}/{message['event_id']}", "learner": message.pop("as", name)}
        for message in change(copies)
    ]


def without_sending(message: Message) -> Message:
    return {name: value for name, value in message.items() if name not in ("sent_at", "keyed_by")}


def play(all_messages: list[Message], order: Callable[[Message], Any] = moment_of, zone: str = "UTC") -> Told:
    """Run the messages through one partition and its trainer, in the order of ``order``.

    zone: of the days.
    """
    rules = replace(REPLAY, timing=replace(REPLAY.timing, zone=zone))
    told = Told(state=PartitionState(IDENTITY, days=rules.timing.days))
    processor, trainer = PartitionProcessor(0, rules, told.state), Trainer(1)
    records: list[tuple[bytes | None, bytes | None]] = [
        (
            (message.get("keyed_by") or message.get("learner") or "").encode() or None,
            orjson.dumps(without_sending(message)),
        )
        for message in sorted(all_messages, key=order)
    ]
    for start in range(0, len(records), 2_000):
        part = records[start : start + 2_000]
        keys, values = [key for key, _ in part], [value for _, value in part]
        offsets = list(range(start, start + len(part)))
        outputs = processor.apply(RecordBatch(EVENTS.name, 0, offsets, keys, values, [0] * len(part)))
        told.letters += outputs.dead_letters
        while processor.due is not None:
            _close(processor, trainer, told)
    return told


def _close(processor: PartitionProcessor, trainer: Trainer, told: Told) -> None:
    packages: list[DayPackage] = []
    for report in processor.close():
        packages += trainer.receive(report)
    day = (processor.closing or 0) + 1
    outputs = processor.advance(packages[-1])
    told.changes += outputs.risk_changes
    told.letters += outputs.dead_letters
    for scored in processor.scored:
        if scored.cohort.run.name == RUN:
            told.cohort_sizes[day] = len(scored.cohort.slots)
            for slot, probability in zip(
                scored.cohort.slots.tolist(), scored.probability.tolist(), strict=True
            ):
                told.estimates.setdefault(told.state.key(slot)[0], {})[day] = probability
