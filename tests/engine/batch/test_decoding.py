"""Every record is a message or a dead letter with its reason, and a bad one never hides a good one."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from engine.batch.activities import Activity
from engine.batch.decoding import (
    MAX_CALENDAR_BYTES,
    MAX_RECORD_BYTES,
    MAX_SHOWN_CHARS,
    decode_events,
    decode_feedback,
)
from engine.batch.records import RecordBatch
from schemas.dead_letter import FIELD_REASONS
from schemas.fields import MAX_ID
from schemas.inbound import event_adapter
from tests.streams.pipeline import activity, batch_of, record

GOOD = activity("e", "2024-02-01T10:00:00Z")
LONG = "x" * 200


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != field}


BAD: list[tuple[str, bytes | None, bytes | None, str, str, str]] = [
    ("no value", b"l", None, "malformed", "value", "no value; expected a JSON object"),
    ("empty", b"l", b"", "malformed", "value", "expected a JSON object"),
    ("not JSON", b"l", b"{'a'", "malformed", "value", "expected a JSON object"),
    ("not text", b"l", b"\xff\xfe{}", "malformed", "value", "expected a JSON object"),
    ("a list", b"l", b"[1]", "malformed", "value", "found [1]; expected a JSON object"),
    ("null", b"l", b"null", "malformed", "value", "found None; expected a JSON object"),
    (
        "large",
        b"l",
        b" " * (MAX_RECORD_BYTES + 1),
        "too_large",
        "value",
        "65,537 bytes; expected at most 65,536",
    ),
    ("no type", b"l", orjson.dumps(without("type")), "unknown_type", "type", "tag"),
    ("other type", b"l", orjson.dumps(GOOD | {"type": "feedback"}), "unknown_type", "type", "'feedback'"),
    ("missing", b"l", orjson.dumps(without("event_id")), "invalid", "event_id", "is missing"),
    ("other kind", b"l", orjson.dumps(GOOD | {"kind": "nap"}), "unknown_kind", "kind", "found 'nap'"),
    ("kind missing", b"l", orjson.dumps(without("kind")), "invalid", "kind", "is missing"),
    (
        "no zone",
        b"l",
        orjson.dumps(GOOD | {"occurred_at": "2024-02-01T10:00:00"}),
        "invalid",
        "occurred_at",
        "zone",
    ),
    ("no key", None, orjson.dumps(GOOD), "no_key", "key", "no key; expected the learner"),
    ("other key", b"m", orjson.dumps(GOOD), "wrong_key", "key", "found 'm'; expected 'l'"),
    ("key not text", b"\xff", orjson.dumps(GOOD), "wrong_key", "key", "expected 'l'"),
]


@pytest.mark.parametrize(
    ("key", "value", "reason", "field", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_every_refusal_names_field_value_and_what_was_expected(
    key: bytes | None, value: bytes | None, reason: str, field: str, words: str
) -> None:
    good = record(GOOD)
    decoded = decode_events(batch_of([good, (key, value), good], 40))
    assert [letter.offset for letter in decoded.letters] == [41]
    (letter,) = decoded.letters
    assert (letter.reason, letter.field) == (reason, field)
    assert words in letter.detail
    assert len(letter.detail) < 3 * MAX_SHOWN_CHARS
    assert letter.dead_letter_id == "homeroom.events:0:41"
    assert decoded.indices == [0, 2], "its neighbours are there"
    assert [message.event_id for message in decoded.messages if isinstance(message, Activity)] == ["e", "e"]


def test_all_bad_records_of_a_batch_are_found_at_once() -> None:
    good = record(GOOD)
    decoded = decode_events(batch_of([cell for row in BAD for cell in (good, (row[1], row[2]))]))
    assert decoded.indices == list(range(0, 2 * len(BAD), 2))
    assert {letter.offset: letter.reason for letter in decoded.letters} == {
        2 * index + 1: row[3] for index, row in enumerate(BAD)
    }


CALENDAR = {
    "type": "calendar",
    "event_id": "k",
    "course": "c",
    "course_run": "c/r",
    "occurred_at": "2024-01-01T00:00:00Z",
    "starts_at": "2024-01-01T00:00:00Z",
    "ends_at": "2024-06-01T00:00:00Z",
}
GRADED = {
    **{"type": "graded", "event_id": "g", "learner": "l", "course_run": "c/r", "object": "a"},
    "graded_at": "2024-02-01T00:00:00Z",
}


ENROLLED = {
    **{"type": "enrolled", "event_id": "e", "learner": "l", "course_run": "c/r"},
    "occurred_at": "2024-02-01T00:00:00Z",
}


def deadline(**more: Any) -> dict[str, Any]:
    return {"assessment": "a", "due_at": "2024-03-01T00:00:00Z", "weight": 0.5} | more


REPAIRED: list[tuple[str, dict[str, Any], dict[str, Any], list[tuple[str, str]]]] = [
    (
        "a bonus",
        GOOD | {"score": 1.05},
        {"score": 1.0},
        [("score", "found 1.05; input should be less than or equal to 1; it was held at 1")],
    ),
    ("a penalty", GRADED | {"score": -0.1}, {"score": 0.0}, [("score", "it was held at 0")]),
    ("a percentage", GOOD | {"score": 85}, {"score": None}, [("score", "found 85; ")]),
    ("a wrong option", GOOD | {"session": "", "count": 0}, {"count": 1}, [("session", ""), ("count", "")]),
    ("a role nobody knows", GOOD | {"role": "king"}, {"role": None}, [("role", "'king'")]),
    (
        "a deadline",
        CALENDAR | {"deadlines": [deadline(weight=-1), deadline()]},
        {"deadlines": 1},
        [("deadlines.0.weight", "without this deadline")],
    ),
    (
        "a deadline's option",
        CALENDAR | {"deadlines": [deadline(attempts="worst")]},
        {"deadlines": 1},
        [("deadlines.0.attempts", "the rest was applied")],
    ),
    (
        "a deadline without a moment",
        CALENDAR | {"deadlines": [deadline(due_at="soon"), deadline()]},
        {"deadlines": 1},
        [("deadlines.0.due_at", "without this deadline")],
    ),
    (
        "a deadline with two dates, and one with none",
        CALENDAR | {"deadlines": [deadline(due_after_days=3), {"assessment": "b", "weight": 0}, deadline()]},
        {"deadlines": 1},
        [("deadlines.0", "found both; the calendar"), ("deadlines.1", "found neither; the calendar")],
    ),
    (
        "a deadline before the learner's start",
        CALENDAR | {"deadlines": [{"assessment": "a", "due_after_days": -1, "weight": 1}]},
        {"deadlines": 0},
        [("deadlines.0.due_after_days", "found -1; ")],
    ),
    (
        "a horizon of three days",
        CALENDAR | {"inactive_after_days": 3, "deadlines": []},
        {"deadlines": 0},
        [("inactive_after_days", "greater than or equal to 7; the rest was applied")],
    ),
    (
        "a zone that does not exist",
        ENROLLED | {"timezone": "Mars/Base"},
        {"timezone": None},
        [
            (
                "timezone",
                "found 'Mars/Base'; expected an IANA name such as Europe/Berlin; the rest was applied",
            )
        ],
    ),
    ("a long name", GOOD | {"object": LONG, "course_run": LONG}, {}, []),
]


@pytest.mark.parametrize(
    ("message", "fields", "letters"), [row[1:] for row in REPAIRED], ids=[row[0] for row in REPAIRED]
)
def test_a_wrong_part_is_refused_alone(
    message: dict[str, Any], fields: dict[str, Any], letters: list[tuple[str, str]]
) -> None:
    decoded = decode_events(batch_of([record(message)]))
    assert [(letter.reason, letter.field) for letter in decoded.letters] == [
        ("field", name) for name, _ in letters
    ]
    for letter, (name, words) in zip(decoded.letters, letters, strict=True):
        assert words in letter.detail
        assert letter.dead_letter_id == f"homeroom.events:0:0:{name}"
    (read,) = decoded.messages
    kept = to_builtins(read) if isinstance(read, Activity) else read
    if "deadlines" in kept:
        kept = kept | {"deadlines": len(kept["deadlines"])}
    assert {name: kept.get(name) for name in fields} == fields


def test_a_required_field_that_is_far_out_of_range_refuses_the_record() -> None:
    (letter,) = decode_events(batch_of([record(GRADED | {"score": 85})])).letters
    assert (letter.reason, letter.field) == ("invalid", "score")


def test_a_long_name_is_the_same_short_one_everywhere() -> None:
    first, again = (
        decode_events(batch_of([record(GOOD | {"learner": LONG, "kind": kind})]))
        for kind in ("quiz", "forum")
    )
    assert not first.letters
    (one,), (other,) = first.messages, again.messages
    assert isinstance(one, Activity)
    assert isinstance(other, Activity)
    assert one.learner == other.learner
    assert len(one.learner) <= MAX_ID
    longer = decode_events(batch_of([record(GOOD | {"learner": LONG + "y"})])).messages[0]
    assert isinstance(longer, Activity)
    assert longer.learner != one.learner


def test_records_before_the_first_place_are_left_alone() -> None:
    decoded = decode_events(batch_of([(b"l", b"?"), record(GOOD), (b"l", b"?")]), 1)
    assert decoded.indices == [1]
    assert [letter.offset for letter in decoded.letters] == [2]


def test_broadcasts_need_no_key() -> None:
    tick = {"type": "tick", "occurred_at": "2024-02-01T00:00:00Z"}
    assert decode_events(batch_of([record(tick), (b"any", orjson.dumps(tick))])).indices == [0, 1]


def test_feedback_has_messages_of_its_own() -> None:
    message = {
        "type": "preferences",
        "event_id": "p",
        "learner": "l",
        "occurred_at": "2024-02-01T00:00:00Z",
        "opted_out": ["email"],
    }
    decoded = decode_feedback(batch_of([record(message), record(GOOD)], topic="homeroom.feedback"))
    assert decoded.messages[0]["opted_out"] == ["email"]
    assert [letter.reason for letter in decoded.letters] == ["unknown_type"]


def test_a_payload_is_kept_and_cut() -> None:
    decoded = decode_events(batch_of([(b"l", b"\xff" + b"y" * 9000)]))
    payload = decoded.letters[0].payload
    assert payload.startswith("\N{REPLACEMENT CHARACTER}y")
    assert len(payload) == 4096


@pytest.mark.parametrize("timestamp", [-1, 0, 10**12, 10**15, 10**18])
def test_a_producers_timestamp_may_be_anything(timestamp: int) -> None:
    batch = RecordBatch("t", 0, [0], [b"l"], [b"?"], [timestamp])
    assert decode_events(batch).letters[0].received_at.year in (1970, 2001, 2100)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
nearly = st.builds(
    lambda field, value: (record(GOOD)[0], _dumps(GOOD | {field: value})),
    st.sampled_from([*GOOD, "score", "count", "duration_s", "object", "progress", "more"]),
    json_values,
)


def _dumps(message: object) -> bytes:
    return json.dumps(message).encode()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        nearly | st.tuples(st.none() | st.binary(max_size=8), st.none() | st.binary(max_size=60)), max_size=6
    )
)
def test_whatever_comes_nothing_raises_and_nothing_is_lost(
    records: list[tuple[bytes | None, bytes | None]],
) -> None:
    decoded = decode_events(batch_of([*records, record(GOOD)]))
    refused = [letter.offset for letter in decoded.letters if letter.reason not in FIELD_REASONS]
    assert sorted([*decoded.indices, *refused]) == list(range(len(records) + 1))
    assert decoded.indices[-1] == len(records), "the good one is there"
    for message in decoded.messages:
        fields = to_builtins(message) if isinstance(message, Activity) else message
        event_adapter.validate_python(fields)


def calendar_of(deadlines: int, padding: int = 0) -> bytes:
    dates = {"occurred_at": "2024-01-01T00:00:00Z", "starts_at": "2024-02-01T00:00:00Z"}
    due = [
        {"assessment": f"week {number}", "due_at": "2024-03-01T00:00:00Z", "weight": 0.001}
        for number in range(deadlines)
    ]
    message = {"type": "calendar", "event_id": "c", "course": "c", "course_run": "c/r", "deadlines": due}
    return orjson.dumps(message | dates) + b" " * padding


def test_a_calendar_may_be_larger_than_other_records() -> None:
    large = orjson.dumps(GOOD) + b" " * MAX_RECORD_BYTES
    values = [calendar_of(1_000), calendar_of(1, MAX_CALENDAR_BYTES), large]
    assert len(values[0]) > MAX_RECORD_BYTES
    decoded = decode_events(batch_of([(None, values[0]), (None, values[1]), (b"l", values[2])]))
    assert [len(message["deadlines"]) for message in decoded.messages if isinstance(message, dict)] == [1_000]
    assert [(letter.offset, letter.reason) for letter in decoded.letters] == [
        (1, "too_large"),
        (2, "too_large"),
    ]


def test_a_wish_with_a_zone_that_does_not_exist_is_heard_without_it() -> None:
    """An opt-out must not be lost for another field of the message."""
    wish = {"type": "preferences", "event_id": "p", "learner": "l", "occurred_at": "2024-02-01T00:00:00Z"}
    value = orjson.dumps(wish | {"timezone": "Mars/Base", "opted_out": ["email"]})
    decoded = decode_feedback(batch_of([(b"l", value)], topic="homeroom.feedback"))
    assert [message["opted_out"] for message in decoded.messages] == [["email"]]
    assert [(letter.reason, letter.field) for letter in decoded.letters] == [("field", "timezone")]
