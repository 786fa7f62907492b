"""Segment: written terms read back the same, and what the cases do not show."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from sources.formats.properties import snake_case
from sources.formats.records import RawRecord
from sources.formats.segment import FACTS, KINDS, SegmentAdapter, SegmentWriter
from sources.formats.translation import Translation
from tests.sources.formats.written import kept, read_back, sayable, term

ADAPTER, WRITER = SegmentAdapter(), SegmentWriter()
UNSAID = [name for name in SegmentWriter.limits if "." not in name]
VIEWED: dict[str, Any] = {
    "type": "track",
    "event": "Lesson Viewed",
    "userId": "ann",
    "timestamp": "2026-02-03T18:22:09Z",
    "properties": {"course_id": "BBB/2026J"},
}


def translated(*calls: Any) -> Translation:
    translation = Translation()
    for call in calls:
        ADAPTER.translate(RawRecord(orjson.dumps(call)), translation)
    return translation


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(message=sayable(UNSAID))
def test_every_message_is_read_back_as_it_was_written(message: dict[str, Any]) -> None:
    assert kept(read_back(message, WRITER, ADAPTER)) == kept(message, {"platform"})


def test_a_simulated_term_is_read_back_as_it_was_written() -> None:
    messages = term()
    read = [read_back(message, WRITER, ADAPTER) for message in messages]
    assert [kept(each) for each in read] == [kept(each) for each in messages]
    assert len({(each.get("learner"), each["event_id"]) for each in read}) == len(messages)


@pytest.mark.parametrize("kind", UNSAID)
def test_what_cannot_be_said_is_not_written(kind: str) -> None:
    assert WRITER.write({"type": kind, "event_id": "e", "occurred_at": "2026-02-03T18:22:09Z"}) == []


def test_every_event_that_is_written_is_of_the_vocabulary() -> None:
    for kind, event in KINDS.items():
        assert ADAPTER.vocabulary.meaning(snake_case(event)) == kind
    for kind, event in FACTS.items():
        assert ADAPTER.vocabulary.meaning(snake_case(event)) == kind


def test_every_name_of_the_vocabulary_can_be_looked_up() -> None:
    for name in ADAPTER.vocabulary.meanings:
        start = name.removesuffix("*").removesuffix("_")
        assert snake_case(start) == start


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Video Playback Started", "video_playback_started"),
        ("videoPlaybackStarted", "video_playback_started"),
        ("video-playback-started", "video_playback_started"),
        ("VIDEO_PLAYBACK_STARTED", "video_playback_started"),
        ("courseID", "course_id"),
        ("Kurs geöffnet", "kurs_geöffnet"),
        ("quiz2", "quiz2"),
        ("ÜbersichtSeite", "übersicht_seite"),
        ("…", "…"),
    ],
)
def test_names_of_any_case_are_one(name: str, expected: str) -> None:
    assert snake_case(name) == expected


def test_a_call_without_an_id_is_named_by_what_it_says() -> None:
    later = {**VIEWED, "timestamp": "2026-02-03T18:22:10Z"}
    first, again, second = (each["event_id"] for each in translated(VIEWED, [VIEWED], [later]).messages)
    assert first == again != second


@pytest.mark.parametrize(
    "properties",
    [
        {"score": 2**70},
        {"score": "A"},
        {"click_count": 2**70},
        {"click_count": True},
        {"click_count": 0},
        {"object": ["", 3]},
        {"session_id": {}},
        {"course_id": {}},
        {"score": 1, "max_score": 0},
    ],
)
def test_a_wrong_property_is_refused_by_its_name(properties: dict[str, Any]) -> None:
    call = {**VIEWED, "properties": {"course_id": "c", **properties}}
    translation = Translation()
    ADAPTER.translate(RawRecord(repr(call).replace("'", '"').replace("True", "true").encode()), translation)
    (refused,) = translation.refused
    assert refused.field.removeprefix("properties.") in properties
    assert translation.messages == []


@pytest.mark.parametrize("fact", ["Deadline Extended", "Course Paused", "Course Scheduled"])
def test_no_number_of_a_fact_is_too_long_for_the_worker(fact: str) -> None:
    own = '{"course_id": "c", "object": "o", "due_at": %d, "from_at": %d, "starts_at": %d}'
    record = f'{{"type": "track", "event": "{fact}", "userId": "u", "timestamp": "2026-02-03T18:22:09Z", '
    translation = Translation()
    ADAPTER.translate(
        RawRecord((record + '"properties": ' + own % ((2**70,) * 3) + "}").encode()), translation
    )
    (refused,) = translation.refused
    assert refused.reason == "invalid"


def test_what_a_clock_set_back_says_is_left_out() -> None:
    call = {**VIEWED, "properties": {"course_id": "c", "duration_s": -3, "role": "pirate", "score": -1}}
    (message,) = translated(call).messages
    assert "duration_s" not in message
    assert "role" not in message
    assert message["score"] == 0.0
