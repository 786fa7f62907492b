"""Caliper: written terms read back the same, and what the cases do not show."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from sources.formats.caliper.adapter import CaliperAdapter
from sources.formats.caliper.entities import name_in, own_iri, term
from sources.formats.caliper.events import event_of
from sources.formats.caliper.writer import FACTS, KINDS, CaliperWriter
from sources.formats.records import RawRecord
from sources.formats.translation import Message, Translation
from tests.sources.formats.written import kept, read_back, sayable
from tests.sources.formats.written import term as simulated_term

ADAPTER, WRITER = CaliperAdapter(), CaliperWriter()
UNSAID = [name for name in CaliperWriter.limits if "." not in name]
VIEWED: dict[str, Any] = {
    "id": "urn:uuid:7e10e4f3-a0d8-4430-95bd-783ffae4d916",
    "type": "ViewEvent",
    "actor": "https://campus.example.org/users/554433",
    "action": "Viewed",
    "object": {"id": "https://campus.example.org/pages/3", "type": "Page"},
    "eventTime": "2026-02-03T18:22:09.000Z",
    "group": "https://campus.example.org/courses/7/sections/1",
}


def translated(*documents: Any) -> Translation:
    translation = Translation()
    for document in documents:
        ADAPTER.translate(RawRecord(orjson.dumps(document)), translation)
    return translation


def the_message(**changes: Any) -> Message:
    """The message of a viewed page with other fields."""
    translation = translated({**VIEWED, **changes})
    assert translation.refused == []
    (message,) = translation.messages
    return message


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(message=sayable(UNSAID))
def test_every_message_is_read_back_as_it_was_written(message: dict[str, Any]) -> None:
    event_ids_and_platforms = {"event_id", "platform"}
    read = read_back(message, WRITER, ADAPTER)
    assert kept(read, event_ids_and_platforms) == kept(message, event_ids_and_platforms)


def test_a_simulated_term_is_read_back_as_it_was_written() -> None:
    messages = simulated_term()
    read = [read_back(message, WRITER, ADAPTER) for message in messages]
    assert [kept(each, {"event_id"}) for each in read] == [kept(each, {"event_id"}) for each in messages]
    assert len({each["event_id"] for each in read}) == len(messages)


@pytest.mark.parametrize("kind", UNSAID)
def test_what_cannot_be_said_is_not_written(kind: str) -> None:
    assert WRITER.write({"type": kind, "event_id": "e", "occurred_at": "2026-02-03T18:22:09Z"}) == []


def test_every_type_that_is_written_is_of_the_vocabulary() -> None:
    known = ADAPTER.vocabulary.meanings
    for what, action, of in KINDS.values():
        keys = (f"{what}/{action}@{term(of)}", f"{what}/{action}", f"@{term(of)}", f"{what}/", f"{what}/*")
        assert any(key in known for key in keys)
    for fact, (what, action) in FACTS.items():
        assert fact in {known.get(key) for key in known if key.startswith(f"{term(what)}/{action}")}


@pytest.mark.parametrize("name", ["BBB/2026J", "a:b", "urn:homeroom:x", "100 %", "ü", "https://e.org/#1"])
def test_a_name_of_ours_is_read_from_its_identifier(name: str) -> None:
    assert name_in(own_iri("courses", name)) == name


@pytest.mark.parametrize(
    "iri", [own_iri("objects", None), "http://purl.imsglobal.org/caliper/Person", " ", "urn:homeroom:x:"]
)
def test_what_names_nothing_has_no_name(iri: str) -> None:
    assert name_in(iri) is None


def test_no_message_has_a_mail_address() -> None:
    first, second = (the_message(actor=address) for address in ("mailto:Ann@e.org", "MAILTO:ann@e.org"))
    assert first["learner"] == second["learner"]
    assert "@" not in first["learner"]


def test_terms_may_be_iris() -> None:
    assert term("http://purl.imsglobal.org/vocab/caliper/v1/action#LoggedOut") == "LoggedOut"
    written = {
        "@id": VIEWED["id"],
        "@type": "http://purl.imsglobal.org/caliper/v1/ViewEvent",
        "action": "http://purl.imsglobal.org/vocab/caliper/v1/action#Viewed",
        "object": {"@id": VIEWED["object"]["id"], "@type": "http://purl.imsglobal.org/caliper/v1/Page"},
    }
    old = {name: value for name, value in VIEWED.items() if name not in ("id", "type")} | written
    (message,) = translated(old).messages
    assert message == the_message()


def test_an_event_without_an_id_is_named_by_what_it_says() -> None:
    nameless = {name: value for name, value in VIEWED.items() if name != "id"}
    later = {**nameless, "eventTime": "2026-02-03T18:22:10.000Z"}
    first, again, second = (each["event_id"] for each in translated(nameless, [nameless], later).messages)
    assert first == again != second


def test_a_group_of_people_is_its_members() -> None:
    group = {
        "id": "https://e.org/g/1",
        "type": "Group",
        "members": ["https://e.org/u/1", "https://e.org/u/2"],
    }
    messages = translated({**VIEWED, "actor": group}).messages
    assert [each["learner"] for each in messages] == group["members"]
    assert len({each["event_id"] for each in messages}) == 2


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["Learner"], "learner"),
        (["Instructor", "Learner"], "learner"),
        (["Instructor#TeachingAssistant"], "staff"),
        (["http://purl.imsglobal.org/vocab/lis/v2/membership#Mentor"], "observer"),
        (["Member"], None),
        (["Pirate", 3], None),
        ("Learner", None),
    ],
)
def test_the_role_is_that_of_the_membership(roles: object, expected: str | None) -> None:
    assert the_message(membership={"type": "Membership", "roles": roles}).get("role") == expected


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"id": "https://e.org/s/1", "type": "CourseSection", "courseNumber": "CPS-1"}, "https://e.org/s/1"),
        ({"type": "CourseOffering", "courseNumber": "CPS-1"}, "CPS-1"),
        (
            {
                "id": "https://e.org/teams/1",
                "type": "Group",
                "subOrganizationOf": {"id": "https://e.org/s/1", "type": "CourseSection"},
            },
            "https://e.org/s/1",
        ),
    ],
)
def test_the_run_is_the_course_around_the_event(group: object, expected: str) -> None:
    assert the_message(group=group)["course_run"] == expected


def test_a_team_of_a_team_without_end_is_outside() -> None:
    group: dict[str, Any] = {"id": "https://e.org/teams/0", "type": "Group"}
    for number in range(50):
        group = {"id": f"https://e.org/teams/{number}", "type": "Group", "subOrganizationOf": group}
    assert translated({**VIEWED, "group": group}).names == {("ViewEvent/Viewed", "outside"): 1}


def test_the_length_of_a_video_is_no_time_spent() -> None:
    video = {"id": "https://e.org/v/1", "type": "VideoObject", "duration": "PT1H"}
    assert "duration_s" not in the_message(type="MediaEvent", action="Paused", object=video)
    attempt = {
        "id": "https://e.org/a/1",
        "type": "Attempt",
        "assignable": "https://e.org/q",
        "duration": "PT1H",
    }
    assert the_message(type="AssessmentEvent", action="Paused", generated=attempt)["duration_s"] == 3600


def test_units_completed_are_progress() -> None:
    measure = {
        "type": "AggregateMeasure",
        "metric": "UnitsCompleted",
        "metricValue": 12,
        "maxMetricValue": 25,
    }
    minutes = {**measure, "metric": "MinutesOnTask"}
    collection = {"type": "AggregateMeasureCollection", "items": [minutes, measure]}
    tool = {"id": "https://e.org", "type": "SoftwareApplication"}
    message = the_message(type="ToolUseEvent", action="Used", object=tool, generated=collection)
    assert message["progress"] == 12 / 25


def test_work_that_is_handed_in_for_a_group_is_each_members() -> None:
    people = ["https://e.org/u/1", "https://e.org/u/2"]
    group = {"type": "Group", "members": people}
    attempt = {"type": "Attempt", "assignee": group, "assignable": {"id": "https://e.org/w/1"}}
    event = {
        **VIEWED,
        "type": "AssignableEvent",
        "action": "Submitted",
        "actor": people[0],
        "object": attempt,
    }
    messages = translated(event).messages
    assert [(each["learner"], each.get("actor")) for each in messages] == [
        (people[0], None),
        (people[1], "system"),
    ]


def test_a_number_of_more_than_64_bits_is_refused() -> None:
    own = '{"id": "e", "type": "PauseEvent", "action": "Paused", "actor": "u", "group": "c", '
    rest = (
        f'"eventTime": "2026-02-03T18:22:09Z", "extensions": {{"example.homeroom": {{"from_at": {2**70}}}}}}}'
    )
    translation = Translation()
    ADAPTER.translate(RawRecord((own + rest).encode()), translation)
    assert [each.field for each in translation.refused] == ["extensions.from_at"]


def test_an_event_of_an_unknown_type_is_not_taken_by_its_object() -> None:
    translation = translated({**VIEWED, "type": "GradebookEvent", "action": "Changed"})
    assert translation.messages[0]["kind"] == "other"
    assert translation.names == {("GradebookEvent/Changed", "unknown"): 1}


def test_the_kind_of_an_attempt_is_that_of_its_work() -> None:
    attempt = {"type": "Attempt", "assignable": {"id": "https://e.org/q", "type": "AssessmentItem"}}
    assert event_of({"type": "GradeEvent", "action": "Graded", "object": attempt}).kind == "AssessmentItem"
