"""What a partition counts of its sources."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from data_quality.counts import merge_counts
from engine.batch.admission import BatchAdmission, Timing
from engine.batch.decoding import Refusal, dead_letter
from engine.state.source_counts import MAX_KEYS, SourceActivities, SourceCounters
from schemas.activity import ACTIVITY_KINDS
from schemas.quality import UNNAMED
from tests.streams.pipeline import activity, batch_of, record

DAY, DAY_S = 20_000, 86_400


def add(
    counters: SourceCounters, *events: tuple[dict[str, Any], float, int], kind: str = "quiz", clock: int = 0
) -> None:
    """Messages with their day and hour."""
    kinds = np.full(len(events), ACTIVITY_KINDS.index(kind))
    messages = [message for message, _, _ in events]
    named = [message.get("course_run", "c/r") for message in messages]
    runs = sorted(set(named))
    hits = SourceActivities(
        sources=[message.get("source", UNNAMED) for message in messages],
        runs=np.array([runs.index(run) for run in named], np.int32),
        days=np.array([DAY + int(day) for _, day, _ in events]),
        hours=np.array([hour for _, _, hour in events]),
        kinds=kinds,
        clock=np.full(len(events), clock),
        without_object=np.array([message.get("object") is None for message in messages]),
        without_duration=np.array([message.get("duration_s") is None for message in messages]),
    )
    counters.add(hits, runs)


def test_events_are_counted_by_source_run_kind_and_hour() -> None:
    counters = SourceCounters()
    add(
        counters, ({"source": "web"}, 0, 7), ({"source": "web"}, 0, 7), ({"source": "app"}, 1, 23), ({}, 0, 0)
    )
    add(counters, ({"source": "web", "object": "o", "duration_s": 3.0}, 0, 9), kind="forum", clock=-1)
    counts = merge_counts(counters.pop(DAY))
    assert list(counts) == [("unnamed", "c/r"), ("web", "c/r")]
    web = counts["web", "c/r"]
    assert web.hours[ACTIVITY_KINDS.index("quiz"), 7] == 2
    assert web.hours[ACTIVITY_KINDS.index("forum"), 9] == 1
    assert web.hours.sum() == 3
    assert {fault: count for fault, count in web.faults.items() if count} == {
        "behind": 1,
        "without_object": 2,
        "without_duration": 2,
    }
    assert list(merge_counts(counters.pop(DAY + 1))) == [("app", "c/r")]
    assert counters.pop(DAY + 1) == []


def test_repeats_and_refused_records_are_counted_where_they_say_what_they_belong_to() -> None:
    counters = SourceCounters()
    counters.count_duplicate("web", "c/r", DAY)
    bodies = [
        {"course_run": "c/r", "source": "web", "kind": "k"},
        {"course_run": "c/r", "source": 7},
        {"course_run": "", "source": "web"},
        ["c/r"],
    ]
    batch = batch_of([(b"l", orjson.dumps(body)) for body in bodies] + [(b"l", b"{")])
    for index in range(5):
        counters.count_refused(dead_letter(batch, index, Refusal("unknown_kind", "kind", "…")), DAY)
    counters.count_refused(dead_letter(batch, 0, Refusal("wrong_key", "key", "…")), DAY)
    (counts,) = counters.pop(DAY)
    assert counts.faults == {"duplicates": 1, "unknown_kind": 1}


def test_what_is_stored_goes_on() -> None:
    counters = SourceCounters()
    add(counters, ({"source": "web"}, 0, 7), ({"source": "app"}, 1, 23))
    restored = SourceCounters(orjson.loads(orjson.dumps(counters.as_json())))
    for day in (DAY, DAY + 1):
        assert restored.pop(day) == counters.pop(day) != []


def test_clients_that_name_themselves_as_sources_cost_no_more_than_some() -> None:
    counters = SourceCounters()
    add(counters, *(({"source": f"client-{number}"}, 0, 7) for number in range(MAX_KEYS + 500)))
    counts = counters.pop(DAY)
    assert len(counts) == MAX_KEYS + 1
    assert merge_counts(counts)["others", "others"].hours.sum() == 500


def test_the_clock_is_the_brokers_live_and_the_ticks_in_a_replay() -> None:
    def at(day: float) -> str:
        return datetime.fromtimestamp(round((DAY + day) * DAY_S), UTC).isoformat()

    tick = record({"type": "tick", "occurred_at": at(0)})
    events = [record(activity(f"e{moment}", at(moment))) for moment in (0.5, -0.01, 1.01, 3.5)]
    broken = (b"l", orjson.dumps({"type": "activity", "course_run": "c/r", "kind": "k"}))
    work = BatchAdmission(Timing(clock="replay")).admit(batch_of([broken, tick, *events, broken]), -1)
    assert work.clock.tolist() == [0, 0, -1, 1]
    assert work.letter_days == {5: DAY, 6: DAY}, "the first came before any tick"
    live = batch_of([*events[:2], broken], at=round((DAY + 0.5) * DAY_S))
    work = BatchAdmission(Timing()).admit(live, -1)
    assert work.clock.tolist() == [0, -1]
    assert work.letter_days == {2: DAY}
