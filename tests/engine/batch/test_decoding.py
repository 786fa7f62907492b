"""Every record is a message or a dead letter with its reason, and a bad one never hides a good one."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import to_builtins

from engine.batch.activities import Activity
from engine.batch.decoding import MAX_RECORD_BYTES, MAX_SHOWN_CHARS, decode_events, decode_feedback
from engine.batch.records import RecordBatch
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
        "score",
        b"l",
        orjson.dumps(GOOD | {"score": 1.5}),
        "invalid",
        "score",
        "found 1.5; input should be less",
    ),
    (
        "no zone",
        b"l",
        orjson.dumps(GOOD | {"occurred_at": "2024-02-01T10:00:00"}),
        "invalid",
        "occurred_at",
        "zone",
    ),
    (
        "long",
        b"l",
        orjson.dumps(GOOD | {"learner": LONG}),
        "invalid",
        "learner",
        f"found '{LONG[: MAX_SHOWN_CHARS - 1]}…;",
    ),
    ("no key", None, orjson.dumps(GOOD), "no_key", "key", "no key; expected the learner"),
    ("other key", b"m", orjson.dumps(GOOD), "wrong_key", "key", "found 'm'; expected 'l'"),
    ("key not text", b"\xff", orjson.dumps(GOOD), "wrong_key", "key", "expected 'l'"),
    (
        "within a list",
        None,
        orjson.dumps(
            {
                "type": "calendar",
                "event_id": "k",
                "course": "c",
                "course_run": "c/r",
                "occurred_at": "2024-01-01T00:00:00Z",
                "starts_at": "2024-01-01T00:00:00Z",
                "ends_at": "2024-06-01T00:00:00Z",
                "deadlines": [{"assessment": "a", "due_at": "2024-03-01T00:00:00Z", "weight": -1}],
            }
        ),
        "invalid",
        "deadlines.0.weight",
        "found -1",
    ),
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
    refused = [letter.offset for letter in decoded.letters]
    assert sorted([*decoded.indices, *refused]) == list(range(len(records) + 1))
    assert decoded.indices[-1] == len(records), "the good one is there"
    for message in decoded.messages:
        fields = to_builtins(message) if isinstance(message, Activity) else message
        event_adapter.validate_python(fields)
