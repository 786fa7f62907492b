"""Open edX's tracking log: written messages read back the same, and what the cases do not show."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.inbound import event_adapter
from schemas.topics import EVENTS
from sources.formats.adapter import AdapterOptions
from sources.formats.aliases import Aliases
from sources.formats.edx.events import course_in
from sources.formats.edx.tracking import EdxTrackingAdapter
from sources.formats.edx.tracking_writer import KINDS, PATHS, EdxTrackingWriter
from sources.formats.records import RawRecord
from sources.formats.translation import Translation
from tests.schemas.from_schema import valid
from tests.sources.formats.test_cases import _paths, _replaced

RUN = "course-v1:DemoX+Algebra+2026"
PLAYED: dict[str, Any] = {
    "event_type": "play_video",
    "event_source": "browser",
    "time": "2026-02-03T18:22:09+00:00",
    "context": {"user_id": 7, "course_id": RUN},
    "event": '{"id": "v1"}',
}
GRADED: dict[str, Any] = {
    **PLAYED,
    "event_type": "edx.grades.subsection.grade_calculated",
    "event_source": "server",
    "event": {
        "block_id": "hw1",
        "weighted_graded_earned": 1,
        "weighted_graded_possible": 2,
        "first_attempted": "2026-02-03 18:22:00+00:00",
    },
}
SCHEMA = EVENTS.adapter.json_schema() if EVENTS.adapter else {}
IDS = ("learner", "course_run", "object", "session", "track")
NOT_KEPT = ("event_id", "version", "source", "platform")
SHARED = EdxTrackingAdapter()
SAID = ("activity", "enrolled", "withdrawn", "completed", "graded")


def translated(*events: Any, adapter: EdxTrackingAdapter = SHARED) -> Translation:
    translation = Translation()
    for event in events:
        record = event if isinstance(event, bytes) else json.dumps(event).encode()
        adapter.translate(RawRecord(record), translation)
    assert [each for each in translation.refused if each.reason == "failed"] == []
    return translation


def kept(message: dict[str, Any]) -> dict[str, Any]:
    """A message without what says where it comes from, and without fields that say nothing."""
    return {name: value for name, value in message.items() if name not in NOT_KEPT and value is not None}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=st.sampled_from(SAID))
def test_every_message_is_read_back_as_it_was_written(data: st.DataObject, kind: str) -> None:
    message = drawn(data, kind)
    records = EdxTrackingWriter().write(message)
    assert bool(records) == (message.get("result", "pass") == "pass")
    for record in records:
        translation = translated(record)
        assert translation.refused == []
        (read,) = translation.messages
        assert kept(read) == kept(message)
        event_adapter.validate_json(orjson.dumps(read))


def drawn(data: st.DataObject, kind: str) -> dict[str, Any]:
    """A valid message of a type, without blank names."""
    message: dict[str, Any] = data.draw(valid(_schema_of(kind), SCHEMA))
    assume(all(message[name].strip() for name in IDS if message.get(name) is not None))
    try:
        event_adapter.validate_json(orjson.dumps(message))
    except ValidationError:
        assume(False)
    return message


def _schema_of(kind: str) -> dict[str, Any]:
    """The part of the events topic's schema that is a message's of one type."""
    (found,) = (
        each for each in SCHEMA["$defs"].values() if each["properties"].get("type", {}).get("const") == kind
    )
    return dict(found)


def test_each_kind_has_an_event_of_the_vocabulary() -> None:
    assert len(KINDS) + len(PATHS) == 10
    for kind in [*KINDS, *PATHS]:
        message = {
            "type": "activity",
            "learner": "ann",
            "course_run": "BBB/2026J",
            "kind": kind,
            "occurred_at": "2026-02-03T18:22:09Z",
            "object": "unit 3/ü?#%/",
            "score": 0.3,
            "count": 3,
        }
        (record,) = EdxTrackingWriter().write(message)
        translation = translated(record)
        assert kept(translation.messages[0]) == message
        assert [fate for _, fate in translation.names] == ["translated"]


def test_what_the_log_cannot_say_is_not_written() -> None:
    for kind in ("tick", "calendar", "progress", "extension", "pause", "merged", "renamed"):
        assert kind in EdxTrackingWriter.limits
        assert EdxTrackingWriter().write({"type": kind}) == []


@pytest.mark.parametrize(
    ("address", "run"),
    [
        (f"/courses/{RUN}/course/", RUN),
        (f"https://learn.example.org/courses/{RUN}?x=1", RUN),
        ("https://learn.example.org/courses/course-v1%3ADemoX%2BAlgebra%2B2026/", RUN),
        ("/courses/DemoX/Alg101/2013_Fall/courseware/", "DemoX/Alg101/2013_Fall"),
        ("/courses/DemoX/Alg101", None),
        ("/courses/", None),
        ("/xblock/block-v1:DemoX+Algebra+2026+type@vertical+block@v1", RUN),
        ("/xblock/block-v1:DemoX", None),
        ("/event", None),
        ("", None),
    ],
)
def test_a_course_is_found_in_an_address(address: str, run: str | None) -> None:
    assert course_in(address) == run


def test_one_event_is_the_same_however_it_is_shipped() -> None:
    line = json.dumps(PLAYED)
    prefixed = f"Feb 3 18:22:09 lms [tracking] INFO - {line}"
    ids = {
        message["event_id"]
        for message in translated(
            line.encode(), prefixed.encode(), {"message": prefixed, "host": "lms"}
        ).messages
    }
    other = translated({**PLAYED, "time": "2026-02-03T18:22:10+00:00"}).messages[0]["event_id"]
    assert len(ids) == 1
    assert other not in ids


def test_an_attempt_counts_once() -> None:
    check = {**PLAYED, "event_type": "problem_check", "name": "problem_check", "event": "input_1=2"}
    path = f"/courses/{RUN}/xblock/b/handler/xmodule_handler/problem_check"
    request = {**check, "event_type": path, "name": path, "event_source": "server"}
    graded = {**check, "event_source": "server", "event": {"problem_id": "p", "grade": 0, "max_grade": 1}}
    graph = {**check, "event_type": "problem_graded", "name": "problem_graded", "event": ["input_1=2", "<p>"]}
    translation = translated(check, request, graded, graph)
    assert [(each["kind"], each["score"]) for each in translation.messages] == [("quiz", 0.0)]
    assert sorted(fate for _, fate in translation.names) == ["repeated"] * 3 + ["translated"]


def test_each_grade_tells_of_the_same_first_attempt() -> None:
    later = {**GRADED, "time": "2026-02-03T19:00:00+00:00"}
    too_late = {**GRADED, "time": "2026-02-05T19:00:00+00:00"}
    found = translated(GRADED, later, too_late).messages
    hand_ins = [message["event_id"] for message in found if message["type"] == "activity"]
    assert len(hand_ins) == 2
    assert len(set(hand_ins)) == 1
    assert len({message["event_id"] for message in found if message["type"] == "graded"}) == 3


def test_a_first_attempt_that_is_no_moment_refuses_the_grade() -> None:
    translation = translated({**GRADED, "event": {**GRADED["event"], "first_attempted": "then"}})
    assert translation.messages == []
    assert [each.field for each in translation.refused] == ["event.first_attempted"]


def test_an_installation_has_its_own_names() -> None:
    aliases = Aliases({"learner": {"7": "ann"}, "object": {"v1": "unit-1"}})
    own = EdxTrackingAdapter(AdapterOptions("edx", {"play_video": "submission"}, aliases))
    (message,) = translated(PLAYED, adapter=own).messages
    assert (message["learner"], message["object"], message["kind"]) == ("ann", "unit-1", "submission")
    assert message["platform"] == "edx"


def test_a_browser_s_event_that_is_cut_is_of_nothing_in_particular() -> None:
    (message,) = translated({**PLAYED, "event": '{"id": "v1", "code'}).messages
    assert "object" not in message


ODD: tuple[Any, ...] = (None, [], {}, "", " ", 5, -1.5, True, "x", ["x"], {"x": 1}, "/", "{", "\ud800", 2**70)


def test_no_part_of_an_event_can_be_anything_that_fails() -> None:
    for event in (PLAYED, GRADED, {**PLAYED, "context": {**PLAYED["context"], "homeroom": {"count": 2}}}):
        for path in _paths(event):
            for odd in ODD:
                translated(_replaced(event, path, odd))
