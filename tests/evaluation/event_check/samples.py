"""Files of a sample for the tests: small ones in which one thing is wrong, and what a worker says of them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.batch.records import RecordBatch
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.rules import Rules
from engine.state.partition_state import PartitionState
from evaluation.event_check.command import read_counts
from evaluation.event_check.counts import EventCounts
from online_models.trainer import Trainer
from schemas.topics import EVENTS, FEEDBACK
from sources.formats import FORMATS, SourceRecord
from tests.streams.pipeline import IDENTITY

START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
"""A Monday."""

NOW = START + 200 * 86_400
RUN = "maths/2026"
Message = dict[str, Any]


def instant(day: float) -> str:
    """A moment so many days after ``START``."""
    return datetime.fromtimestamp(START + round(day * 86_400), UTC).isoformat()


def click(day: float, learner: str = "ann", **more: Any) -> Message:
    """An activity."""
    known = {"course_run": RUN, "kind": "content", "occurred_at": instant(day)}
    event_id = more.pop("event_id", f"{learner}/{day:.6f}/{more.get('kind', '')}")
    return {"type": "activity", "event_id": event_id, "learner": learner, **known, **more}


def fact(kind: str, day: float, learner: str = "ann", **more: Any) -> Message:
    """A message about an enrolment."""
    known = {"event_id": f"{kind}/{learner}/{day}", "learner": learner, "course_run": RUN}
    return {"type": kind, **known, "occurred_at": instant(day), **more}


def calendar(*work: str, ends: float | None = 100, **more: Any) -> Message:
    """A calendar of a run that starts at ``START``, with work due on day 40."""
    message = {"type": "calendar", "event_id": "calendar", "course": "maths", "course_run": RUN}
    message |= {"occurred_at": instant(-9), "starts_at": instant(0)}
    message |= {"ends_at": instant(ends)} if ends is not None else {}
    due = [{"assessment": name, "due_at": instant(40), "weight": 0.5} for name in work]
    return {**message, "deadlines": due, **more}


def whole_run(learners: Sequence[str] = ("ann", "bob", "cy", "eve"), days: int = 101) -> list[Message]:
    """A run in which nothing is missing: everybody studies at 9, 13 and 18 o'clock on every fourth day."""
    messages = [calendar("essay"), *(fact("enrolled", -7, learner) for learner in learners)]
    for day in range(0, days, 4):
        for nth, hour in enumerate((9, 13, 18)):
            messages += [
                click(day + (hour + index / 100) / 24, learner, object=f"page-{day}-{nth}")
                for index, learner in enumerate(learners)
            ]
    messages += [
        click(39.5 + index / 1_000, name, kind="submission", object="essay", score=0.8)
        for index, name in enumerate(learners)
    ]
    messages += [fact("completed", days, name, result="pass") for name in learners]
    messages.append(fact("withdrawn", 90, learners[-1]))
    return in_order(messages)


def in_order(messages: list[Message]) -> list[Message]:
    """By event time."""
    return sorted(messages, key=lambda message: str(message["occurred_at"]))


def write(path: Path, lines: Iterable[Mapping[str, Any] | bytes]) -> Path:
    """Write messages, or lines as they are, to a file."""
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"".join(text + b"\n" for text in texts))
    return path


def checked(path: Path, clock: str = "live", now: int = NOW, batch: int = 4_000) -> EventCounts:
    """The figures of a file."""
    return read_counts([path], FORMATS["native"], Rules(), now, clock, batch=batch)


def judged_by_a_worker(
    records: Sequence[SourceRecord], rules: Rules, now: int, batch: int
) -> tuple[Outputs, PartitionProcessor]:
    """What a partition's processor says of records, with days that close and a trainer that answers."""
    processor, trainer, outputs = (
        PartitionProcessor(0, rules, PartitionState(IDENTITY, days=rules.timing.days)),
        Trainer(1),
        Outputs(),
    )
    for first in range(0, len(records), batch):
        numbered = list(enumerate(records[first : first + batch], first))
        for topic, apply in ((EVENTS.name, processor.apply), (FEEDBACK.name, processor.apply_feedback)):
            chosen = [(offset, record) for offset, record in numbered if record.topic == topic]
            if not chosen:
                continue
            stamps = [now * 1000 if one.timestamp is None else one.timestamp for _, one in chosen]
            keys, values = [one.key for _, one in chosen], [one.value for _, one in chosen]
            outputs.extend(
                apply(RecordBatch(topic, 0, [number for number, _ in chosen], keys, values, stamps))
            )
            while processor.due is not None:
                packages = [package for report in processor.close() for package in trainer.receive(report)]
                outputs.extend(processor.advance(packages[-1]))
    return outputs, processor
