"""Names of several platforms: its platform stands before a message's names, and all else is the same."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from engine.batch.activities import Activity
from engine.batch.decoding import DecodedBatch, decode_events
from engine.batch.namespaces import namespaced
from engine.batch.records import RecordBatch
from schemas.fields import MAX_ID
from schemas.topics import EVENTS

AT = "2024-02-01T00:00:00Z"
ENROLMENT = {"event_id": "e", "learner": "ann", "course_run": "c/r"}
MESSAGES: list[dict[str, Any]] = [
    ENROLMENT | {"type": "activity", "kind": "quiz", "object": "o", "occurred_at": AT},
    ENROLMENT | {"type": "activity", "kind": "quiz", "occurred_at": AT, "unknown": 1},
    ENROLMENT | {"type": "enrolled", "occurred_at": AT},
    ENROLMENT | {"type": "withdrawn", "occurred_at": AT},
    ENROLMENT | {"type": "completed", "occurred_at": AT, "result": "pass"},
    ENROLMENT | {"type": "graded", "graded_at": AT, "object": "o", "score": 0.5},
    ENROLMENT | {"type": "progress", "occurred_at": AT, "progress": 0.5},
    ENROLMENT | {"type": "extension", "occurred_at": AT, "object": "o", "excused": True},
    {
        "type": "calendar",
        "event_id": "e",
        "course": "c",
        "course_run": "c/r",
        "occurred_at": AT,
        "starts_at": AT,
        "deadlines": [
            {"assessment": "o", "due_at": "2024-03-01T00:00:00Z", "weight": 0.5, "learner": "ann"},
            {"assessment": "o", "due_at": "2024-03-01T00:00:00Z", "weight": 0.5},
        ],
    },
]


def decoded(message: dict[str, Any], key: str | None) -> DecodedBatch[Any]:
    keys = [None if key is None else key.encode()]
    return decode_events(RecordBatch(EVENTS.name, 0, [0], keys, [orjson.dumps(message)], [0]))


def fields(batch: DecodedBatch[Any]) -> dict[str, Any]:
    (message,) = batch.messages
    found = dict(to_builtins(message) if isinstance(message, Activity) else message)
    found.pop("platform", None)
    return found


def in_long_names(message: dict[str, Any], platform: str) -> dict[str, Any]:
    """The same message, with the platform written into its names."""
    names: dict[str, Any] = {
        name: f"{platform}:{message[name]}" for name in ENROLMENT.keys() & message.keys()
    }
    if "course" in message:
        names["course"] = f"{platform}:{message['course']}"
        names["deadlines"] = [
            deadline | ({"learner": f"{platform}:ann"} if "learner" in deadline else {})
            for deadline in message["deadlines"]
        ]
    return message | names


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["type"])
def test_a_platform_is_the_start_of_every_name(message: dict[str, Any]) -> None:
    key = "edx:ann" if "learner" in message else None
    named, written = decoded(message | {"platform": "edx"}, key), decoded(in_long_names(message, "edx"), key)
    assert not named.letters
    assert fields(named) == fields(written)
    assert named.unknown == written.unknown


def test_the_key_is_the_learner_of_the_platform() -> None:
    (letter,) = decoded(MESSAGES[0] | {"platform": "edx"}, "ann").letters
    assert (letter.reason, letter.detail) == ("wrong_key", "found 'ann'; expected 'edx:ann'")


@pytest.mark.parametrize("platform", ["Edx", "a:b", "", "edx\n", "x" * 33, 7])
def test_a_wrong_platform_refuses_the_record_for_it_would_be_somebody_else(platform: Any) -> None:
    for message in MESSAGES:
        (letter,) = decoded(message | {"platform": platform}, "ann").letters
        assert (letter.reason, letter.field) == ("invalid", "platform")


def test_without_a_platform_names_stay_as_they_are() -> None:
    for nothing in ({}, {"platform": None}):
        assert fields(decoded(MESSAGES[0] | nothing, "ann"))["learner"] == "ann"


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_long_names_of_a_platform_are_shortened_and_stay_apart(one: str, other: str) -> None:
    names = [namespaced(platform, name) for platform in ("a", "b") for name in (one, other)]
    assert all(len(name) <= MAX_ID for name in names)
    assert len(set(names)) == 2 * len({one, other})
