"""xAPI: written terms read back the same, real statements are all read, and what the cases do not show."""

import gzip
import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.inbound import event_adapter
from schemas.topics import EVENTS
from sources.formats import FORMATS
from sources.formats.adapter import AdapterOptions
from sources.formats.records import RawRecord
from sources.formats.translation import Translation
from sources.formats.xapi.actors import person_of, platform_of
from sources.formats.xapi.adapter import MAX_VOIDED, XapiAdapter
from sources.formats.xapi.statements import score_of
from sources.formats.xapi.terms import COURSE_TYPES, VOIDED, iri_of, name_in
from sources.formats.xapi.writer import KINDS, XapiWriter
from sources.simulation.plan import Run
from sources.simulator import SimulationPlan, stream
from tests.required import lacking
from tests.schemas.from_schema import valid
from tests.sources.formats.cases import cases_of
from tests.sources.formats.test_cases import _paths, _replaced
from tests.sources.formats.xapi_rules import breaches

COURSE: dict[str, Any] = {
    "id": "urn:course:1",
    "definition": {"type": "http://adlnet.gov/expapi/activities/course"},
}
PLAYED: dict[str, Any] = {
    "id": "s-1",
    "actor": {"account": {"homePage": "https://lms.example.org", "name": "ann"}},
    "verb": {"id": "https://w3id.org/xapi/video/verbs/played"},
    "object": {"id": "urn:video:1"},
    "context": {"contextActivities": {"parent": [COURSE]}},
    "timestamp": "2026-02-03T18:22:09Z",
}
SCHEMA = EVENTS.adapter.json_schema() if EVENTS.adapter else {}
IDS = ("event_id", "learner", "course_run", "object", "session", "source", "course")
NOT_KEPT = ("event_id", "version")
SHARED = XapiAdapter()
"""For tests that void nothing: it reads its vocabulary once."""
OWN_FIELDS: dict[str, dict[str, Any]] = {
    "activity": {
        "kind": "other",
        "count": 2,
        "duration_s": 3.5,
        "progress": 0.5,
        "session": "s",
        "role": "staff",
    },
    "enrolled": {"section": "a", "track": "b", "language": "de", "timezone": "Europe/Berlin"},
    "completed": {"result": "distinction"},
    "extension": {"object": "essay-1", "due_at": None},
    "pause": {"from_at": "2026-02-03T18:22:09Z", "until_at": None},
    "calendar": {"course": "BBB", "starts_at": "2026-02-03T18:22:09Z", "deadlines": []},
}
"""Fields of messages whose statements have what no case has, by type."""
COMMON = {
    "event_id": "m-1",
    "learner": "ann",
    "course_run": "BBB/2026J",
    "occurred_at": "2026-02-03T18:22:09Z",
}


def translated(*statements: Any, adapter: XapiAdapter | None = None) -> Translation:
    translation = Translation()
    adapter = adapter or XapiAdapter()
    for statement in statements:
        adapter.translate(RawRecord(json.dumps(statement).encode()), translation)
    assert [each for each in translation.refused if each.reason == "failed"] == []
    return translation


def read_back(message: dict[str, Any]) -> dict[str, Any]:
    """A message as it comes back from the statement that it was written as, which keeps all rules."""
    (record,) = XapiWriter().write(message)
    assert breaches(json.loads(record)) == []
    translation = Translation()
    SHARED.translate(RawRecord(record), translation)
    assert translation.refused == []
    (read,) = translation.messages
    return read


def kept(message: dict[str, Any]) -> dict[str, Any]:
    """A message without what a statement says in its own way, and without fields that say nothing."""
    nothing = {name for name, value in message.items() if value is None and name != "until_at"}
    return {name: value for name, value in message.items() if name not in nothing.union(NOT_KEPT)}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_message_is_read_back_as_it_was_written(data: st.DataObject) -> None:
    message = data.draw(valid(SCHEMA, SCHEMA))
    assume(message["type"] not in XapiWriter.limits)
    assume(all(message[name].strip() for name in IDS if message.get(name) is not None))
    assume("@" not in message.get("learner", ""))
    try:
        event_adapter.validate_json(orjson.dumps(message))
    except ValidationError:
        assume(False)
    if not (message.get("language") or "de").isalpha() or len(message.get("language") or "de") not in range(
        2, 9
    ):
        del message["language"]
    if message.get("duration_s") is not None:  # no clock tells less than a microsecond
        message["duration_s"] = round(message["duration_s"], 6)
    read = read_back(message)
    assert kept(read) == kept(message)
    event_adapter.validate_json(orjson.dumps(read))


def test_a_simulated_term_is_read_back_as_it_was_written() -> None:
    plan = SimulationPlan((Run("BBB", "2026J", 20_486, weeks=8, learners=12),), seed=3)
    ids, types = set(), Counter[str]()
    for sent in stream(plan):
        message = json.loads(sent.value)
        types[message["type"]] += 1
        if message["type"] == "tick":
            assert XapiWriter().write(message) == []
            continue
        read = read_back(message)
        assert kept(read) == kept(message)
        assert read["event_id"] not in ids
        ids.add(read["event_id"])
    assert {"calendar", "enrolled", "activity", "completed", "tick"} <= types.keys()


def test_each_kind_has_a_name_of_the_vocabulary() -> None:
    for kind in KINDS:
        message = {
            "type": "activity",
            "event_id": kind,
            "learner": "ann",
            "course_run": "BBB/2026J",
            "kind": kind,
            "occurred_at": "2026-02-03T18:22:09Z",
            "object": "unit 3/ü?#%",
            "platform": "moodle-2",
            "count": 3,
        }
        assert kept(read_back(message)) == kept(message)


@pytest.mark.parametrize(
    ("part", "breach"),
    [
        ({"colour": 1}, "statement has colour"),
        ({"result": {"score": {"scaled": 2}}}, "scaled is out of range"),
        ({"result": {"score": {"raw": 3, "max": 2}}}, "raw is out of range"),
        ({"result": {"duration": "4 min"}}, "duration 4 min is none of ISO 8601"),
        ({"result": None}, ".result is null"),
        ({"result": {"extensions": {"progress": None}}}, "extension progress is no IRI"),
        ({"actor": {"name": "ann"}}, "agent has not exactly one identifier"),
        ({"verb": {"id": "played"}}, "verb is no IRI"),
        ({"context": {"contextActivities": {"parent": COURSE}}}, "context activities are returned as lists"),
        ({"timestamp": "2026-02-03T18:22:09"}, "timestamp has no zone"),
    ],
)
def test_each_rule_can_be_broken(part: dict[str, Any], breach: str) -> None:
    whole = {**PLAYED, "id": "6d1f033b-3f70-458c-b53a-e6bb63cbaef9"}
    assert breaches(whole) == []
    assert breach in breaches({**whole, **part})


def test_one_address_is_one_learner_however_it_is_written() -> None:
    sha1 = hashlib.sha1(b"mailto:ann@example.org").hexdigest()
    for agent in (
        {"mbox": "mailto:ann@example.org"},
        {"mbox": "MAILTO:Ann@Example.ORG"},
        {"mbox_sha1sum": sha1},
        {"mbox_sha1sum": sha1.upper()},
        {"account": {"homePage": "https://lms.example.org", "name": "ann@example.org"}},
    ):
        assert person_of(agent, "actor").learner == sha1


@pytest.mark.parametrize(
    "actor",
    [
        "mailto:ann@example.org",
        {"mbox": "ann@example.org"},
        {"mbox": ["mailto:ann@example.org"]},
        {"mbox": "mailto:ann@example.org", "openid": "ann@example.org"},
        {"mbox_sha1sum": "ann@example.org"},
        {"name": "ann@example.org"},
        {"objectType": "Group", "name": "ann@example.org", "member": [{"mbox": "ann@example.org"}]},
    ],
)
def test_no_refusal_shows_an_address(actor: Any) -> None:
    (refused,) = translated({**PLAYED, "actor": actor}).refused
    assert "example.org" not in refused.detail


@pytest.mark.parametrize(
    ("home_page", "platform"),
    [
        ("http://fun-mooc.fr", "fun-mooc.fr"),
        ("https://user:word@LMS.example.org:8443/a/b?c=d#e", "lms.example.org-8443"),
        ("lms.example.org/x", "lms.example.org"),
        ("https://homeroom.example", None),
        ("https://a-host-with-a-name.of-more-than-32.example.org", "a-host-with-a-name.of-m-e0f3b5e5"),
    ],
)
def test_a_platform_is_named_by_its_host(home_page: str, platform: str | None) -> None:
    assert platform_of(home_page) == platform


@given(st.text(max_size=60))
def test_any_home_page_gives_a_platform_that_the_contract_takes(home_page: str) -> None:
    platform = platform_of(f"https://{home_page}")
    message = {**translated(PLAYED).messages[0], "platform": platform}
    event_adapter.validate_json(orjson.dumps(message))


@given(st.text(min_size=1, max_size=128))
def test_any_name_survives_as_an_iri(name: str) -> None:
    assert name_in(iri_of(name, "activities")) == name


@pytest.mark.parametrize(
    ("score", "share"),
    [
        (None, None),
        ({}, None),
        ({"scaled": 0.4, "raw": 99}, 0.4),
        ({"scaled": -0.5}, 0.0),
        ({"scaled": 1.1}, 1.1),
        ({"raw": 45, "max": 60}, 0.75),
        ({"raw": "45", "min": "", "max": "60"}, 0.75),
        ({"raw": 3, "min": 1, "max": 5}, 0.5),
        ({"raw": 5, "min": -10, "max": 10}, 0.5),
        ({"raw": -5, "min": -10, "max": 10}, 0.0),
        ({"raw": 45}, None),
        ({"raw": 4, "max": 0}, None),
    ],
)
def test_a_score_is_the_share_of_the_points_that_were_earned(score: Any, share: float | None) -> None:
    assert score_of({"score": score}) == share


def test_a_course_within_a_course_is_a_part_of_it() -> None:
    inner = {"id": "urn:course:2", "definition": COURSE["definition"]}
    completed = {**PLAYED, "object": inner, "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"}}
    (message,) = translated(completed).messages
    assert (message["kind"], message["object"], message["course_run"]) == (
        "page",
        "urn:course:2",
        "urn:course:1",
    )


def test_a_statement_without_an_id_is_named_by_what_it_says() -> None:
    without = {name: value for name, value in PLAYED.items() if name != "id"}
    alone, listed = (
        translated(without),
        translated([without, {**without, "timestamp": "2026-02-03T18:22:10Z"}]),
    )
    first, second = (message["event_id"] for message in listed.messages)
    assert alone.messages[0]["event_id"] == first != second


def test_a_file_takes_back_what_it_voids_later_and_a_topic_counts_it(tmp_path: Path) -> None:
    voiding = {
        **PLAYED,
        "id": "v-1",
        "verb": {"id": VOIDED},
        "object": {"objectType": "StatementRef", "id": "S-1"},
    }
    file = tmp_path / "statements.jsonl"
    file.write_bytes(
        b"\n".join(map(orjson.dumps, [PLAYED, {"statements": [voiding]}, {**PLAYED, "id": "s-2"}]))
    )
    assert [json.loads(record.value or b"")["event_id"] for record in FORMATS["xapi"].records(file)] == [
        "s-2"
    ]
    live = translated(PLAYED, voiding, {**PLAYED, "id": "s-1"})
    assert len(live.messages) == 1
    assert live.names == {
        (PLAYED["verb"]["id"], "translated"): 1,
        (VOIDED, "voided"): 1,
        (PLAYED["verb"]["id"], "voided"): 1,
    }


def test_only_so_many_voidings_are_remembered() -> None:
    adapter = XapiAdapter()
    voiding = {"verb": {"id": VOIDED}, "object": {"objectType": "StatementRef"}}
    for number in range(MAX_VOIDED + 1):
        adapter.foresee(RawRecord(orjson.dumps({**voiding, "object": {"id": f"s-{number}"}})))
    adapter.foresee(RawRecord(None))
    adapter.foresee(RawRecord(b'"voided'))
    forgotten, remembered = {**PLAYED, "id": "s-0"}, {**PLAYED, "id": f"s-{MAX_VOIDED}"}
    assert [each["event_id"] for each in translated(forgotten, remembered, adapter=adapter).messages] == [
        "s-0"
    ]


def test_no_line_of_the_vocabulary_is_never_looked_up() -> None:
    """Every course is looked up as ADL's, and a verb or a type is an IRI."""
    for name in SHARED.vocabulary.meanings:
        verb, _, kind = name.partition("@")
        assert kind == COURSE["definition"]["type"] or kind not in COURSE_TYPES
        assert all(
            "://" in part or part in ("", "Agent", "Group", "StatementRef", "SubStatement")
            for part in (verb, kind)
        )


def test_an_installation_s_own_meanings_come_first() -> None:
    own = {"https://w3id.org/xapi/video/verbs/played": "quiz", f"{VOIDED}@": "other"}
    adapter = XapiAdapter(AdapterOptions(vocabulary=own))
    assert translated(PLAYED, adapter=adapter).messages[0]["kind"] == "quiz"


@pytest.mark.parametrize(
    "record",
    [
        b"[" * 900 + b"]" * 900,
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b"[" * 100_000,
        b"[]",
        b'{"statements":[]}',
    ],
)
def test_depth_and_emptiness_are_no_fault_of_ours(record: bytes) -> None:
    translation = Translation()
    XapiAdapter().translate(RawRecord(record), translation)
    assert translation.messages == []
    assert all(refused.reason != "failed" for refused in translation.refused)


ODD: tuple[Any, ...] = (None, [], {}, "", " ", 5, -1.5, True, "x", ["x"], {"x": 1}, [[]], "\ud800", 2**70)


def test_no_part_of_a_statement_can_be_anything_that_fails() -> None:
    """Each part of each case's record in turn is each odd value: translated, or refused with a reason."""
    documents = [json.loads(case.record) for case in cases_of("xapi") if not case.refused]
    for kind, fields in OWN_FIELDS.items():
        documents += map(json.loads, XapiWriter().write({"type": kind, **COMMON, **fields}))
    for document in documents:
        for path in _paths(document):
            for odd in ODD:
                translated(_replaced(document, path, odd), adapter=SHARED)


FUN = Path(os.environ.get("HOMEROOM_XAPI", Path(__file__).parents[4] / "shared" / "data" / "xapi_fun"))
"""22,000 statements of FUN-MOOC, video profile, from openfun/ralph (MIT)."""


def test_all_statements_of_a_real_platform_are_read() -> None:
    file = FUN / "statements.json.gz"
    if not file.exists():
        lacking("xapi", f"no statements in {FUN}: set HOMEROOM_XAPI to a folder with them")
    translation = Translation()
    adapter = XapiAdapter()
    for line in gzip.decompress(file.read_bytes()).splitlines():
        adapter.translate(RawRecord(line), translation)
    messages = translation.messages
    assert translation.refused == []
    assert len(messages) == 22_000
    assert {fate for _, fate in translation.names} == {"translated"}
    assert sorted(translation.names.values()) == [54, 338, 636, 1348, 2995, 3546, 6480, 6603]
    numbers = {"learner": 1_452, "session": 3_656, "course_run": 2, "object": 10, "platform": 1, "kind": 1}
    assert {name: len({message[name] for message in messages}) for name in numbers} == numbers
    assert {message["platform"] for message in messages} == {"fun-mooc.fr"}
    assert len({message["event_id"] for message in messages}) == 22_000
    for message in messages:
        event_adapter.validate_json(orjson.dumps(message))
