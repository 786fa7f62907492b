"""Translating the records of a platform's topic: each bad one costs itself."""

import json

import pytest

from schemas.topics import COURSE_FACTS, EVENTS
from sources.formats.records import RawRecord
from sources.formats.registry import adapter_named
from streams.ingest.batch import MAX_SOURCE_BYTES, TopicRecord, TranslatedBatch, translate_batch

CLICK = {
    "type": "activity",
    "event_id": "1",
    "learner": "ann",
    "course_run": "A/1",
    "kind": "quiz",
    "occurred_at": "2026-02-01T00:00:00Z",
}


def translated(*values: bytes | None) -> TranslatedBatch:
    records = [
        TopicRecord(3, 10 + number, RawRecord(value, b"other key", {}, 1_770_000_000_000))
        for number, value in enumerate(values)
    ]
    return translate_batch("campus", adapter_named("native"), records)


def test_messages_are_keyed_by_learner_and_calendars_by_run() -> None:
    calendar = {
        "type": "calendar",
        "event_id": "2",
        "course": "A",
        "course_run": "A/1",
        "occurred_at": "2026-02-01T00:00:00Z",
        "starts_at": "2026-02-01T00:00:00Z",
        "deadlines": [],
    }
    batch = translated(json.dumps(CLICK | {"platform": "edx"}).encode(), json.dumps(calendar).encode())
    assert [(record.topic, record.key) for record in batch.records] == [
        (EVENTS.name, "edx:ann"),
        (COURSE_FACTS.name, "A/1"),
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "malformed"),
        (b"", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b"[]", "malformed"),
        (b'{"type": "activity"}', "invalid"),
        (json.dumps(CLICK | {"count": 2**70}).encode(), "invalid"),
        (b'"' + b"x" * MAX_SOURCE_BYTES + b'"', "too_large"),
        (json.dumps(CLICK | {"object": "x" * 70_000}).encode(), "too_large"),
    ],
)
def test_a_bad_record_costs_that_record_only(value: bytes | None, reason: str) -> None:
    good = json.dumps(CLICK).encode()
    batch = translated(good, value, good)
    assert len(batch.records) == 2
    (letter,) = batch.letters
    assert (letter.topic, letter.partition, letter.offset, letter.reason) == ("campus", 3, 11, reason)
    assert letter.dead_letter_id == "campus:3:11"
    assert len(letter.payload) <= 4_096


def test_names_are_counted() -> None:
    batch = translated(json.dumps(CLICK).encode(), json.dumps({"type": "tick"}).encode())
    assert batch.names == {("activity", "translated"): 1, ("tick", "ignored"): 1}
