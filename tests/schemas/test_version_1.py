"""Messages of the contract's version 1, as recorded: they are read for ever, and mean the same."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from engine.batch.activities import Activity
from engine.batch.decoding import decode_events, decode_feedback
from engine.batch.records import RecordBatch
from schemas.inbound import event_adapter, feedback_adapter

FOLDER = Path(__file__).parent / "version_1"
RECORDED = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
OF_FEEDBACK = ("feedback", "preferences")


def test_there_is_a_recording_of_every_type() -> None:
    assert {message["type"] for message in RECORDED.values()} == {
        *("activity", "enrolled", "withdrawn", "completed", "calendar", "tick"),
        *OF_FEEDBACK,
    }


def is_feedback(message: dict[str, Any]) -> bool:
    return message["type"] in OF_FEEDBACK


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_it_is_read_with_every_field(name: str) -> None:
    message = RECORDED[name]
    adapter = feedback_adapter if is_feedback(message) else event_adapter
    read = adapter.validate_json(json.dumps(message))
    assert set(read) == set(message)
    key = message["learner"].encode() if "learner" in message else None
    decode = decode_feedback if is_feedback(message) else decode_events
    decoded = decode(RecordBatch("t", 0, [7], [key], [orjson.dumps(message)], [0]))
    assert (decoded.letters, decoded.unknown, decoded.indices) == ([], {}, [0])


def test_an_activity_without_the_new_fields_is_a_learners() -> None:
    message = RECORDED["activity"]
    batch = RecordBatch("t", 0, [7], [message["learner"].encode()], [orjson.dumps(message)], [0])
    (activity,) = decode_events(batch).messages
    assert isinstance(activity, Activity)
    assert (activity.actor, activity.role) == ("learner", None)
