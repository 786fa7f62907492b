"""A field that nobody knows is counted by its name, within bounds, and the record is applied without it."""

from typing import Any

import orjson
from prometheus_client import generate_latest

from engine.batch.unknown_fields import MAX_NAMES, OTHERS, count_names, unknown_names
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from schemas.topics import FEEDBACK
from streams.metrics import Metrics
from tests.engine.test_processor import Bench, calendar, click, due, instant, ticks
from tests.streams.pipeline import IDENTITY, activity, batch_of, record


def counted(bench: Bench) -> dict[str, int]:
    return {row["field"]: row["records"] for row in bench.rows("unknown_fields")}


def test_names_are_of_the_message_and_its_deadlines() -> None:
    message = orjson.loads(calendar(deadlines=due("a", "b"))[1])
    message |= {"colour": 1, "a b": 2, "x" * 49: 3, "größe": 4}
    message["deadlines"][1]["weigth"] = 0.5
    assert unknown_names(orjson.dumps(message)) == (
        "calendar.colour",
        "calendar.deadlines.weigth",
        f"calendar.{OTHERS}",
    )
    assert unknown_names(click(1)[1]) == ()


def test_a_deadline_that_is_none_has_no_names() -> None:
    """The calendar is applied without it."""
    key, value = calendar(deadlines=due("a"))
    broken = orjson.loads(value)
    broken["deadlines"] = [None, 7, *broken["deadlines"]]
    bench = Bench().feed([(key, orjson.dumps(broken)), *ticks(0)])
    assert [letter.reason for letter in bench.outputs.dead_letters] == ["field", "field"]
    assert bench.outputs.unknown_fields == {}


def test_they_are_counted_where_the_record_is_applied_and_said_when_the_day_closes() -> None:
    bench = Bench().feed([calendar(room="5"), *ticks(0)])
    bench.feed(
        [click(0.1, grade=3), click(0.2, grade=3, kind="quiz"), click(0.3), click(0.4, kind="nap", x=1)]
    )
    assert bench.processor.state.clock.dead_letters == 1
    assert bench.outputs.unknown_fields == {"calendar.room": 1, "activity.grade": 2}, (
        "refused ones are letters"
    )
    preferences = {
        "type": "preferences",
        "event_id": "p",
        "learner": "l",
        "occurred_at": instant(0),
        "opted_in": [],
    }
    bench.outputs.extend(bench.processor.apply_feedback(batch_of([record(preferences)], topic=FEEDBACK.name)))
    rows = {key: value for key, value in bench.processor.checkpoint(1) if value is not None}
    bench.processor = PartitionProcessor(0, bench.rules, PartitionState.restore(IDENTITY, rows.items()))
    bench.feed(ticks(3, 1))
    assert counted(bench) == {"calendar.room": 1, "activity.grade": 2, "preferences.opted_in": 1}
    assert bench.processor.state.unknown_fields == {}


def test_what_a_platform_calls_its_fields_costs_no_more() -> None:
    names = [f"activity.f{number}" for number in range(500)]
    counts: dict[str, int] = {}
    count_names(counts, names)
    count_names(counts, names)
    assert len(counts) == MAX_NAMES + 1
    assert counts["activity.f0"] == 2
    assert sum(counts.values()) == 1_000
    metrics = Metrics()
    bench = Bench()
    more: dict[str, Any] = {f"f{number}": 1 for number in range(500)}
    metrics.count_outputs(
        0, bench.processor.apply(batch_of([record(activity("e", instant(0.1), **more)), click(0.2, grade=1)]))
    )
    lines = [
        line for line in generate_latest(metrics.registry).decode().splitlines() if "fields_total{" in line
    ]
    assert len(lines) == MAX_NAMES + 1
    assert sum(float(line.split()[-1]) for line in lines) == 501
