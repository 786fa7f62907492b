"""Canvas: written terms read back the same, ids of shards, and what the cases do not show."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings

from schemas.inbound import event_adapter
from sources.formats.adapter import AdapterOptions
from sources.formats.aliases import Aliases
from sources.formats.canvas.adapter import CanvasAdapter
from sources.formats.canvas.caliper import NAMES
from sources.formats.canvas.events import local
from sources.formats.canvas.writer import KINDS, CanvasWriter
from sources.formats.records import RawRecord
from sources.formats.translation import Message, Translation
from tests.sources.formats.cases import cases_of
from tests.sources.formats.written import kept, sayable
from tests.sources.formats.written import term as simulated_term

UNSAID = [name for name in CanvasWriter.limits if "." not in name]
METADATA: dict[str, Any] = {
    "event_name": "asset_accessed",
    "event_time": "2026-02-03T17:22:09Z",
    "request_id": "b3c1a6f0",
    "user_id": "417",
    "context_type": "Course",
    "context_id": "52",
}
BODY: dict[str, Any] = {"asset_type": "wiki_page", "asset_id": "12"}


def translated(metadata: dict[str, Any], body: dict[str, Any]) -> Translation:
    """What becomes of an event with other metadata, and that body."""
    translation = Translation()
    record = orjson.dumps({"metadata": {**METADATA, **metadata}, "body": body})
    CanvasAdapter().translate(RawRecord(record), translation)
    return translation


def written_and_read(message: dict[str, Any]) -> list[Message]:
    """The messages that the records of one message are read as, by the names that they had."""
    writer, translation = CanvasWriter(), Translation()
    records = writer.write(message)
    adapter = CanvasAdapter(AdapterOptions(aliases=Aliases(writer.aliases)))
    for record in records:
        adapter.translate(RawRecord(record), translation)
    assert translation.refused == []
    assert len(translation.messages) == len(records)
    for read in translation.messages:
        event_adapter.validate_json(orjson.dumps(read))
    return translation.messages


def lost(message: dict[str, Any]) -> set[str]:
    """Fields of a message's type that Canvas cannot say, and what no estimate knows."""
    start = f"{message['type']}."
    fields = {name.removeprefix(start) for name in CanvasWriter.limits if name.startswith(start)}
    return (fields | {"event_id", "source", "platform"}) - {"role", "actor"}


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(message=sayable(UNSAID))
def test_every_message_is_read_back_as_it_was_written(message: dict[str, Any]) -> None:
    messages = written_and_read(message)
    assume(messages)
    read = messages[0]
    if message["type"] == "enrolled" and message.get("role") is None:
        assert read.pop("role") == "learner"
    if message.get("actor") == "system":  # nobody is signed in
        message = {name: value for name, value in message.items() if name not in ("role", "session")}
    assert kept(read, lost(message)) == kept(message, lost(message))


@pytest.mark.parametrize("progress", [0.0, 0.25, 1.0, 12 / 25, 101 / 123, 0.014])
def test_progress_is_a_count_of_requirements(progress: float) -> None:
    names = {"event_id": "e", "learner": "ann", "course_run": "c", "occurred_at": "2026-02-03T17:22:09Z"}
    (read,) = written_and_read({"type": "progress", "progress": progress, **names})
    assert read["progress"] == progress


def test_what_an_activity_says_of_grade_and_progress_are_messages_of_their_own() -> None:
    names = {"event_id": "e", "learner": "ann", "course_run": "c", "occurred_at": "2026-02-03T17:22:09Z"}
    work = {"type": "activity", "kind": "submission", "object": "essay", "score": 0.5, "progress": 0.25}
    hand_in, grade, progress = written_and_read({**work, **names})
    assert (hand_in["object"], hand_in["learner"], hand_in["occurred_at"]) == (
        grade["object"],
        grade["learner"],
        grade["graded_at"],
    )
    assert (hand_in["type"], grade["score"], progress["progress"]) == ("activity", 0.5, 0.25)
    assert len({hand_in["event_id"], grade["event_id"], progress["event_id"]}) == 3


def test_events_of_a_simulated_term_have_different_ids() -> None:
    writer, translation, adapter = CanvasWriter(), Translation(), CanvasAdapter()
    records = [record for message in simulated_term() for record in writer.write(message)]
    for record in records:
        adapter.translate(RawRecord(record), translation)
    assert len(translation.messages) == len(records)
    clicks_of_a_moment = len(records) - len({each["event_id"] for each in translation.messages})
    assert clicks_of_a_moment == len(records) - len(set(records))


@pytest.mark.parametrize("kind", UNSAID)
def test_what_cannot_be_said_is_not_written(kind: str) -> None:
    assert CanvasWriter().write({"type": kind, "event_id": "e", "occurred_at": "2026-02-03T18:22:09Z"}) == []


@pytest.mark.parametrize("who", [{"role": "bot"}, {"role": "anonymous"}, {"actor": "system"}])
def test_what_would_be_taken_for_a_learners_act_is_not_written(who: dict[str, str]) -> None:
    names = {"event_id": "e", "learner": "ann", "course_run": "c", "occurred_at": "2026-02-03T17:22:09Z"}
    assert CanvasWriter().write({"type": "activity", "kind": "home", **names, **who}) == []


def test_every_asset_that_is_written_is_of_the_vocabulary() -> None:
    vocabulary = CanvasAdapter().vocabulary
    details = {"video": "#video", "wiki": "#participate"}
    for kind, asset in KINDS.items():
        assert vocabulary.meaning(f"asset_accessed/{asset}{details.get(kind, '')}") == kind


@pytest.mark.parametrize(
    ("name", "shard", "expected"),
    [
        ("21070000000000565", "2107", "565"),
        ("565", "2107", "565"),
        ("21080000000000565", "2107", "21080000000000565"),
        ("10000000000565", "1", "565"),
        ("21070000000000565", "", "21070000000000565"),
        ("565", "", "565"),
        ("21070000000000000", "2107", "21070000000000000"),
        ("2107abcdefghijklm", "2107", "2107abcdefghijklm"),
    ],
)
def test_an_id_of_the_accounts_own_shard_is_a_local_one(name: str, shard: str, expected: str) -> None:
    assert local(name, shard) == expected


def test_events_of_one_request_have_different_ids() -> None:
    first, again, second = (
        translated({}, {**BODY, "asset_id": number}).messages[0]["event_id"] for number in ("12", "12", "13")
    )
    assert first == again != second


def test_an_attempt_is_one_event_whoever_tells_of_it() -> None:
    work = {"submission_id": "901", "assignment_id": "355", "user_id": "417"}
    body = {**work, "submitted_at": "2026-02-03T17:22:09Z"}
    created = translated({"event_name": "submission_created"}, body).messages
    updated = translated(
        {"event_name": "submission_updated", "event_time": "2026-02-03T17:22:11Z", "request_id": "other"},
        {**body, "score": 3},
    ).messages
    assert created == updated


def test_a_global_and_a_local_user_are_one_person() -> None:
    shard = {"root_account_id": 21070000000000001}
    own = {"user_id": "21070000000000417", "event_name": "submission_created", **shard}
    body = {"submission_id": 901, "user_id": 417, "submitted_at": "2026-02-03T17:22:09Z"}
    (message,) = translated(own, body).messages
    assert message["learner"] == "417"
    assert "actor" not in message


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"asset_type": "attachment", "filename": "a.pdf"}, "resource"),
        ({"asset_type": "attachment", "display_name": "a.webm"}, "video"),
        ({"asset_type": "attachment", "filename": "mp4"}, "resource"),
        ({"asset_type": "attachment", "filename": 3}, "resource"),
        ({"asset_type": "course", "asset_subtype": "modules"}, "page"),
        ({"asset_type": "quizzes:quiz", "level": "participate"}, "quiz"),
        ({"asset_type": "assignment", "level": "submit"}, "content"),
        ({"asset_type": {}}, "other"),
        ({}, "other"),
    ],
)
def test_the_kind_is_that_of_the_asset(body: dict[str, Any], kind: str) -> None:
    (message,) = translated({}, body).messages
    assert message["kind"] == kind


@pytest.mark.parametrize("name", ["grade_change", "course_progress", "enrollment_created"])
def test_a_fact_of_a_job_is_the_students(name: str) -> None:
    student = {"student_id": "1", "user_id": "1", "user": {"id": "1"}, "workflow_state": "active"}
    points = {"assignment_id": "2", "score": 1, "points_possible": 2}
    counts = {"progress": {"requirement_completed_count": 1, "requirement_count": 2}}
    job = {"event_name": name, "user_id": None, "job_id": "5"}
    (message,) = translated(job, {**student, **points, **counts}).messages
    assert message["learner"] == "1"


@pytest.mark.parametrize(
    "body",
    [
        {"score": 0, "points_possible": 0},
        {"score": 1, "points_possible": None},
        {"score": 1, "points_possible": 2, "grading_complete": False},
    ],
)
def test_a_grade_that_is_none_yet_is_ignored(body: dict[str, Any]) -> None:
    translation = translated(
        {"event_name": "grade_change"}, {"student_id": "1", "assignment_id": "2", **body}
    )
    assert translation.messages == []
    assert translation.names == {("grade_change", "ignored"): 1}


def test_both_formats_of_one_event_give_the_same_names() -> None:
    of_each = []
    for name in ("canvas", "canvas-caliper"):
        (message,) = next(case for case in cases_of(name) if case.title == "a student reads a page").messages
        of_each.append({field: value for field, value in message.items() if field != "event_id"})
    assert of_each[0] == of_each[1]


@pytest.mark.parametrize("name", NAMES.values())
def test_every_native_name_is_of_the_vocabulary(name: str) -> None:
    names = CanvasAdapter().vocabulary.meanings
    assert any(each.startswith(name) for each in names)
