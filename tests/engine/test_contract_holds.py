"""Whatever comes, nothing raises, nothing is lost, and whoever has nothing to do with it is left as they are.

Messages of the whole contract with extreme values in every field, read by the processor of a partition and by
the trainer, over days that close.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.batch.admission import Timing
from engine.batch.records import RecordBatch
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.rules import Rules
from engine.state.partition_state import PartitionState
from engine.state.row_layout import ROW
from online_models.trainer import Trainer
from schemas.dead_letter import FIELD_REASONS
from schemas.fields import EARLIEST, LATEST
from schemas.learning import DayPackage, DayReport
from schemas.roles import ROLES
from schemas.topics import EVENTS, FEEDBACK, TopicSpec
from sinks.tables import TABLES
from tests.schemas.from_schema import spoiled, valid
from tests.streams.pipeline import IDENTITY, START, activity, record

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
RULES = Rules(timing=Timing(clock="replay"))
DAYS = 7
QUIET = ("honest", "quiet/run")
"""The enrolment that has nothing to do with what comes."""

MOMENTS = [
    *(
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59-12:00",
    ),
    *(
        "1999-12-31T23:59:59.999999Z",
        "2000-01-01T00:00:00Z",
        "2024-10-05T24:00:00Z",
        "2024-10-06T10:00:00.9999999Z",
    ),
    *(
        "2024-10-06T10:00:00+14:00",
        "2026-01-01T00:00:00Z",
        "2038-01-19T03:14:08Z",
        "2099-12-31T23:59:59.999999Z",
    ),
    *("2100-01-01T00:00:00Z", "2106-02-07T06:28:16Z", "2149-06-07T00:00:00Z", "9999-12-31T23:59:59Z"),
    *(
        "9999-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-14:00",
        0,
        1e300,
        None,
    ),
]
NUMBERS = [
    0,
    -0.0,
    1,
    -1,
    1e-320,
    0.5,
    86_400,
    86_401,
    100_000,
    2**31,
    2**63,
    2**64,
    1e308,
    float("nan"),
    float("inf"),
]
TEXTS = [
    "",
    " ",
    "\0",
    "x" * 128,
    "x" * 129,
    "\ud800",
    "é\u202e\U0001f600" * 9,
    "a/b",
    "1:a",
    "{}",
    "c/r",
    "Factory",
]
EXTREMES: st.SearchStrategy[Any] = st.sampled_from([*MOMENTS, *NUMBERS, *TEXTS, [], {}, [None], True])


MESSAGES: dict[str, st.SearchStrategy[Any]] = {}
for _topic in (EVENTS, FEEDBACK):
    assert _topic.adapter is not None
    _schema = _topic.adapter.json_schema()
    MESSAGES[_topic.name] = valid(_schema, _schema) | spoiled(_schema)


def instant(day: float) -> str:
    return f"{np.datetime64(round((START + day) * 86_400), 's')}Z"


@st.composite
def strange(draw: st.DrawFn, topic: TopicSpec) -> bytes:
    """A message of a topic, most of it near the present, with extreme values where the draw puts them."""
    message = draw(MESSAGES[topic.name])
    if isinstance(message, dict):
        if message.get("type") == "tick":
            message["type"] = "activity"  # two ticks that agree are the clock
        if draw(st.booleans()):
            moment = "graded_at" if message.get("type") == "graded" else "occurred_at"
            message[moment] = instant(draw(st.floats(0, DAYS)))
        if draw(st.booleans()):
            message["learner"] = draw(st.sampled_from(["l", "m", *TEXTS]))
        if "object" in message and draw(st.booleans()):
            message["object"] = draw(st.sampled_from(["a", "b", *TEXTS]))
        if draw(st.booleans()):
            message["role"] = draw(st.sampled_from([*ROLES, *TEXTS]))
        if draw(st.booleans()):
            message["course_run"] = draw(st.sampled_from(["c/r", "c/s", *TEXTS]))
        for name in draw(st.lists(st.sampled_from(sorted(message)), max_size=2)) if message else ():
            message[name] = draw(EXTREMES)
        for deadline in message.get("deadlines") or () if isinstance(message.get("deadlines"), list) else ():
            if isinstance(deadline, dict):
                deadline["due_at"] = draw(st.sampled_from(MOMENTS) | st.just(instant(3)))
    return json.dumps(message).encode()


def key_of(value: bytes) -> bytes:
    try:
        return str(json.loads(value)["learner"]).encode()
    except (ValueError, TypeError, KeyError):
        return b"l"


class Line:
    """A partition and its trainer."""

    def __init__(self) -> None:
        self.processor = PartitionProcessor(0, RULES, PartitionState(IDENTITY))
        self.rows: dict[bytes, bytes | None] = {}
        self.trainer, self.outputs, self.next = Trainer(1), Outputs(), {EVENTS.name: 0, FEEDBACK.name: 0}

    def apply_records(self, topic: str, records: list[tuple[bytes | None, bytes]]) -> None:
        if not records:
            return
        first = self.next[topic]
        self.next[topic] += len(records)
        keys, values = [key for key, _ in records], [value for _, value in records]
        offsets = list(range(first, self.next[topic]))
        batch = RecordBatch(topic, 0, offsets, [*keys], [*values], [0] * len(records))
        apply = self.processor.apply if topic == EVENTS.name else self.processor.apply_feedback
        self.outputs.extend(apply(batch))
        while self.processor.due is not None:
            reports = [
                DayReport.model_validate_json(report.model_dump_json()) for report in self.processor.close()
            ]
            packages = [package for report in reports for package in self.trainer.receive(report)]
            package = DayPackage.model_validate_json(packages[-1].model_dump_json())
            self.outputs.extend(self.processor.advance(package))

    def restart(self) -> None:
        """Go on from the state topic, as after a crash."""
        self.rows.update(self.processor.checkpoint(1))
        stored = [(key, value) for key, value in self.rows.items() if value is not None]
        self.processor = PartitionProcessor(0, RULES, PartitionState.restore(IDENTITY, stored))

    def quiet(self) -> dict[str, bytes]:
        """The honest one's columns."""
        state = self.processor.state
        row = state.rows[state.slots[QUIET]]
        return {name: row[name].tobytes() for name in ROW.names or ()}


def dates_of(outputs: Outputs) -> Iterator[datetime]:
    """Every day and moment that the store is given."""
    for name, columns in outputs.rows.items():
        for column, kind in TABLES[name].columns.items():
            if "Date" in kind and "Array" not in kind:
                for cell in columns[column]:
                    if isinstance(cell, int):
                        yield datetime.fromtimestamp(cell, UTC)
                    elif isinstance(cell, date):
                        yield datetime(cell.year, cell.month, cell.day, tzinfo=UTC)


def day_of(day: int) -> list[tuple[bytes | None, bytes]]:
    """A tick, and what the honest one does."""
    learner, run = QUIET
    click = activity(f"honest/{day}", instant(day + 0.4), learner=learner, course_run=run, source="lms")
    return [record({"type": "tick", "occurred_at": instant(day)}), record(click)]


def played(events: list[bytes], feedback: list[bytes]) -> Line:
    """Days of the honest one, with the strange ones in between: an event and a word each day, in turn."""
    line = Line()
    for day in range(DAYS + 3):
        mine = day_of(day)
        line.apply_records(EVENTS.name, mine[:1])
        line.apply_records(EVENTS.name, [(key_of(value), value) for value in events[day::DAYS] if day < DAYS])
        line.apply_records(
            FEEDBACK.name, [(key_of(value), value) for value in feedback[day::DAYS] if day < DAYS]
        )
        line.apply_records(EVENTS.name, mine[1:])
        line.restart()
    return line


ALONE = played([], []).quiet()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(
    st.lists(strange(EVENTS), max_size=3 * DAYS),
    st.lists(strange(FEEDBACK), max_size=DAYS),
)
def test_whatever_comes_is_applied_or_a_dead_letter(events: list[bytes], feedback: list[bytes]) -> None:
    line = played(events, feedback)
    clock = line.processor.state.clock
    letters = [
        letter
        for letter in line.outputs.dead_letters
        if letter.topic == EVENTS.name and letter.reason not in FIELD_REASONS
    ]
    assert clock.events + clock.duplicates + len(letters) == len(events) + 2 * (DAYS + 3)
    assert "failed" not in {letter.reason for letter in line.outputs.dead_letters}, "validation is the door"
    assert line.quiet() == ALONE
    assert not [cell for cell in dates_of(line.outputs) if not EARLIEST <= cell < LATEST], (
        "the store has no such day"
    )
