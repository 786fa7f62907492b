"""Snowplow: written terms read back the same in both forms and keep our schemas, and what no case shows."""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft4Validator

from sources.formats import format_named
from sources.formats.adapter import Adapter, Writer
from sources.formats.records import RawRecord
from sources.formats.registry import adapter_named, writer_named
from sources.formats.snowplow.adapter import SnowplowAdapter, SnowplowJsonAdapter
from sources.formats.snowplow.entities import VENDOR, course_in, part_in, path_of, subject_of
from sources.formats.snowplow.events import COLUMNS, schema_name
from sources.formats.snowplow.writer import FACTS, STRUCTURED, SnowplowJsonWriter, SnowplowWriter
from sources.formats.translation import Translation
from tests.sources.formats.cases import cases_of
from tests.sources.formats.written import IDS_OF_MESSAGES, kept, read_back, sayable, term

FOLDER = Path(__file__).parents[3] / "examples" / "snowplow" / "schemas" / VENDOR
SCHEMAS = {
    schema_name(f"iglu:{VENDOR}/{folder.name}/jsonschema/1-0-0"): json.loads(
        (folder / "jsonschema" / "1-0-0").read_text(encoding="utf-8")
    )
    for folder in FOLDER.iterdir()
}
TSV: tuple[Adapter, Writer] = SnowplowAdapter(), SnowplowWriter()
JSON: tuple[Adapter, Writer] = SnowplowJsonAdapter(), SnowplowJsonWriter()
UNSAID = [name for name in SnowplowJsonWriter.limits if "." not in name]
CALENDAR = {"type": "calendar", "course": "B", "starts_at": "2026-02-03T18:22:09Z", "deadlines": []}
COMMON = {
    "event_id": "e",
    "learner": "ann",
    "course_run": "B/J",
    "occurred_at": "2026-02-03T18:22:09.123456+01:00",
}


def breaches(record: bytes) -> list[str]:
    """What our own schemas do not allow in an event in JSON."""
    found: list[str] = []
    for key, value in orjson.loads(record).items():
        name = key.removeprefix("contexts_").removeprefix("unstruct_event_")
        if name in SCHEMAS:
            for data in value if isinstance(value, list) else [value]:
                found += [error.message for error in Draft4Validator(SCHEMAS[name]).iter_errors(data)]
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(message=sayable(UNSAID))
def test_every_message_is_read_back_as_it_was_written(message: dict[str, Any]) -> None:
    """In tab-separated values a tab of a name is a space; all else is the same."""
    assert breaches(JSON[1].write(message)[0]) == []
    names = [message[name] for name in IDS_OF_MESSAGES if isinstance(message.get(name), str)]
    has_column_ends = any(end in name for name in names for end in "\t\n\r")
    for adapter, writer in [JSON] if has_column_ends else [JSON, TSV]:
        read = read_back(message, writer, adapter)
        assert kept(read, {"event_id"}) == kept(message, {"event_id"})


@pytest.mark.parametrize("name", ["snowplow", "snowplow-json"])
def test_a_simulated_term_is_read_back_as_it_was_written(name: str) -> None:
    messages, writer, adapter = term(), writer_named(name), adapter_named(name)
    read = [read_back(message, writer, adapter) for message in messages]
    assert [kept(each, {"event_id"}) for each in read] == [kept(each, {"event_id"}) for each in messages]
    assert len({each["event_id"] for each in read}) == len(messages)


@pytest.mark.parametrize("kind", UNSAID)
def test_what_cannot_be_said_is_not_written(kind: str) -> None:
    for _, writer in (TSV, JSON):
        assert writer.write({"type": kind, **COMMON}) == []


def test_every_event_that_is_written_is_of_the_vocabulary() -> None:
    meanings = TSV[0].vocabulary
    for kind, (category, action) in STRUCTURED.items():
        assert meanings.meaning(f"{category}/{action}") == kind
    for kind, name in FACTS.items():
        assert meanings.meaning(f"{schema_name(f'iglu:{VENDOR}/{name}/jsonschema/1-0-0')[:-2]}") == kind


def test_our_schemas_are_those_that_are_written_and_each_can_be_broken() -> None:
    written = {schema["self"]["name"] for schema in SCHEMAS.values()}
    assert written == {"course", "learning_activity", *FACTS.values()}
    for schema in SCHEMAS.values():
        Draft4Validator.check_schema(schema)
        assert list(Draft4Validator(schema).iter_errors({"colour": "red"}))


def test_the_columns_are_those_of_the_canonical_event_model() -> None:
    places = {"app_id": 0, "event": 5, "user_id": 12, "page_url": 29, "contexts": 52, "se_category": 53}
    places |= {"unstruct_event": 58, "useragent": 77, "os_timezone": 100, "derived_contexts": 122}
    places |= {"domain_sessionid": 123, "derived_tstamp": 124, "true_tstamp": 130}
    assert {name: COLUMNS.index(name) for name in places} == places
    assert len(set(COLUMNS)) == len(COLUMNS) == 131


def test_a_name_with_a_tab_stays_in_its_column() -> None:
    adapter, writer = TSV
    message = {"type": "withdrawn", **COMMON, "learner": "ann\tb", "source": "a\nb"}
    read = read_back(message, writer, adapter)
    assert (read["learner"], read["source"], read["course_run"]) == ("ann b", "a b", "B/J")


def test_a_moment_is_as_exact_as_it_was() -> None:
    (record,) = SnowplowWriter().write({"type": "withdrawn", **COMMON})
    assert record.decode().split("\t")[130] == "2026-02-03 17:22:09.123456"
    (record,) = SnowplowJsonWriter().write({**CALENDAR, **COMMON, "occurred_at": "2026-02-03T18:22:09Z"})
    assert orjson.loads(record)["true_tstamp"] == "2026-02-03T18:22:09.000Z"


def test_empty_columns_at_the_ends_of_a_line_are_kept(tmp_path: Path) -> None:
    case = next(each for each in cases_of("snowplow") if each.title.startswith("only the collector"))
    assert case.record.startswith("\t")
    assert case.record.endswith("\t")
    file = tmp_path / "enriched.tsv"
    file.write_text(f"{case.record}\n\t \n{case.record}\r\n", encoding="utf-8")
    read = list(format_named("snowplow").records(file))
    assert [record.refused for record in read] == [None, None]
    assert [orjson.loads(record.value or b"") for record in read] == [*case.messages] * 2


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("iglu:com.acme/golfCourse/jsonschema/1-0-2", "com_acme_golf_course_1"),
        ("iglu:com.acme-corp/course/jsonschema/12-0-0", "com_acme_corp_course_12"),
        ("iglu:com.acme/course/jsonschema", ""),
        ("http://example.org/course/jsonschema/1-0-0", ""),
    ],
)
def test_a_schema_has_the_name_that_the_sdks_give_it(uri: str, name: str) -> None:
    assert schema_name(uri) == name


@pytest.mark.parametrize(
    ("url", "course", "part"),
    [
        ("https://x.example/courses/7", "7", None),
        ("https://x.example/courses/7/", "7", None),
        ("https://x.example/lms/courses/a%2Fb/units/3?tab=1#top", "a/b", "/lms/courses/a%2Fb/units/3"),
        ("https://x.example/course/view.php?id=7", None, "/course/view.php"),
        ("https://x.example/about?next=/courses/1", None, "/about"),
        ("https://x.example/courses/", None, None),
        ("https://x.example", None, None),
        ("nonsense", None, None),
        (None, None, None),
        (7, None, None),
    ],
)
def test_a_course_and_its_part_are_read_from_a_page_s_path(url: Any, course: Any, part: Any) -> None:
    path = path_of(url)
    assert (course_in(path), part_in(path)) == (course, part)


def test_a_schema_without_a_version_is_about_nothing() -> None:
    assert subject_of("com_acme_course_1") == "course"
    assert subject_of("com_acme_course") is None
    assert subject_of("com_acme_courses_1") is None


@pytest.mark.parametrize("entity", [{"spiderOrRobot": False}, {"spiderOrRobot": "true"}, None, [], 3])
def test_only_what_says_so_is_a_robot(entity: Any) -> None:
    (record,) = SnowplowJsonWriter().write({"type": "withdrawn", **COMMON})
    event = {**orjson.loads(record), "contexts_com_iab_snowplow_spiders_and_robots_1": [entity]}
    translation = Translation()
    JSON[0].translate(RawRecord(orjson.dumps(event)), translation)
    assert len(translation.messages) == 1
    event["br_type"] = "Robot"
    JSON[0].translate(RawRecord(orjson.dumps(event)), translation)
    assert len(translation.messages) == 1
