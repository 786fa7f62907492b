"""Open edX's event bus: written messages read back the same, and the same facts as in the tracking log."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.inbound import event_adapter
from sources.formats.adapter import AdapterOptions
from sources.formats.edx.bus import EdxEventBusAdapter
from sources.formats.edx.bus_writer import EdxEventBusWriter
from sources.formats.edx.tracking_writer import KINDS, PATHS
from sources.formats.records import RawRecord
from sources.formats.translation import Translation
from tests.sources.formats.test_cases import _paths, _replaced
from tests.sources.formats.test_edx_tracking import (
    GRADED,
    ODD,
    SAID,
    drawn,
    kept,
)
from tests.sources.formats.test_edx_tracking import translated as of_the_log

SHARED = EdxEventBusAdapter()
LOST = {name.partition(".")[2] for name in EdxEventBusWriter.limits if "." in name}
FACTS = ("enrolled", "withdrawn", "completed", "graded")


def translated(record: bytes, adapter: EdxEventBusAdapter = SHARED) -> Translation:
    translation = Translation()
    adapter.translate(RawRecord(record), translation)
    assert [each for each in translation.refused if each.reason == "failed"] == []
    return translation


def said(message: dict[str, Any]) -> dict[str, Any]:
    """A message without what the bus cannot say of its type."""
    lost = LOST if message["type"] in ("enrolled", "graded") else set()
    return {name: value for name, value in kept(message).items() if name not in lost}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=st.sampled_from(SAID))
def test_every_message_is_read_back_as_it_was_written(data: st.DataObject, kind: str) -> None:
    message = drawn(data, kind)
    records = EdxEventBusWriter().write(message)
    assert bool(records) == (message.get("result", "pass") == "pass")
    for record in records:
        translation = translated(record)
        assert translation.refused == []
        (read,) = translation.messages
        assert said(read) == said(message)
        event_adapter.validate_json(orjson.dumps(read))


def test_what_the_bus_cannot_say_is_not_written() -> None:
    for kind in ("tick", "calendar", "progress", "extension", "pause", "merged", "renamed"):
        assert kind in EdxEventBusWriter.limits
        assert EdxEventBusWriter().write({"type": kind}) == []


def test_each_kind_is_an_event_of_the_tracking_log() -> None:
    for kind in [*KINDS, *PATHS]:
        message = {
            "type": "activity",
            "event_id": "1",
            "learner": "ann",
            "course_run": "BBB/2026J",
            "kind": kind,
            "occurred_at": "2026-02-03T18:22:09Z",
            "object": "unit 3",
            "session": "s",
        }
        (record,) = EdxEventBusWriter().write(message)
        assert kept(translated(record).messages[0]) == kept(message)


def test_bus_and_log_name_the_same_hand_in() -> None:
    grade = {**GRADED["event"], "usage_key": "hw1", "user_id": 7}
    event = {
        "ce_type": "org.openedx.learning.course.persistent_subsection_grade.changed.v1",
        "ce_time": GRADED["time"],
        "grade": {**grade, "course": {"course_key": GRADED["context"]["course_id"]}},
    }
    of_the_bus = translated(json.dumps(event).encode()).messages[0]
    assert of_the_bus["kind"] == "submission"
    assert of_the_bus["event_id"] == of_the_log(GRADED).messages[0]["event_id"]


def test_an_installation_s_meanings_reach_wrapped_events() -> None:
    own = EdxEventBusAdapter(AdapterOptions(vocabulary={"play_video": "quiz"}))
    message = {"type": "activity", "event_id": "1", "learner": "7", "course_run": "r", "kind": "video"}
    (record,) = EdxEventBusWriter().write({**message, "occurred_at": "2026-02-03T18:22:09Z"})
    assert translated(record, own).messages[0]["kind"] == "quiz"


@pytest.mark.parametrize("kind", [*FACTS, "activity"])
def test_no_part_of_an_event_can_be_anything_that_fails(kind: str) -> None:
    message = {
        "type": kind,
        "event_id": "1",
        "learner": "7",
        "course_run": "r",
        "kind": "quiz",
        "object": "o",
        "score": 0.5,
        "occurred_at": "2026-02-03T18:22:09Z",
        "graded_at": "2026-02-03T18:22:09Z",
    }
    (record,) = EdxEventBusWriter().write(message)
    document = json.loads(record)
    for path in _paths(document):
        for odd in ODD:
            translated(json.dumps(_replaced(document, path, odd)).encode())
