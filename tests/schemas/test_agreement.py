"""The exported JSON Schema and pydantic say the same of a message.

Some rules that JSON Schema cannot say, or its readers need not check, are pydantic's alone, each with its
test: an instant must be one, with its zone, packed bytes must be base64 (both below), a calendar ends after
it starts, a deadline has one date, and a time zone exists. Who breaks one of them is left to those tests.
"""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from schemas.enrolment import ENDS_TOO_EARLY, MERGED_INTO_ITSELF, NO_SINGLE_DATE, RENAMED_TO_ITSELF
from schemas.fields import UNKNOWN_ZONE
from schemas.inbound import event_adapter
from schemas.packed import PackedArray
from schemas.topics import TOPICS
from tests.schemas.from_schema import spoiled, valid

JSON_TOPICS = [topic for topic in TOPICS if topic.adapter is not None]
SCHEMAS = {topic.name: topic.adapter.json_schema() for topic in JSON_TOPICS if topic.adapter}
PYDANTIC_ALONE = {
    ENDS_TOO_EARLY,
    NO_SINGLE_DATE,
    UNKNOWN_ZONE,
    MERGED_INTO_ITSELF,
    RENAMED_TO_ITSELF,
}
FORMATS = {
    *PYDANTIC_ALONE,
    "datetime_from_date_parsing",
    "datetime_parsing",
    "datetime_type",
    "timezone_aware",
    "base64_decode",
}

each_topic = pytest.mark.parametrize("topic", JSON_TOPICS, ids=lambda topic: topic.name)
runs = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def errors(adapter: TypeAdapter[Any], message: Any, *, strict: bool) -> set[str]:
    """The kinds of error that pydantic finds, none where it accepts."""
    try:
        adapter.validate_json(json.dumps(message), strict=strict)
    except ValidationError as error:
        return {detail["type"] for detail in error.errors()}
    return set()


@each_topic
@runs
@given(data=st.data())
def test_what_the_schema_allows_is_accepted(topic: Any, data: st.DataObject) -> None:
    schema = SCHEMAS[topic.name]
    message = data.draw(valid(schema, schema))
    Draft202012Validator(schema).validate(message)
    assume(not errors(topic.adapter, message, strict=False) & PYDANTIC_ALONE)
    assert errors(topic.adapter, message, strict=False) == set()
    assert errors(topic.adapter, message, strict=True) == set()


@each_topic
@runs
@given(data=st.data())
def test_both_refuse_the_same(topic: Any, data: st.DataObject) -> None:
    """Strict pydantic is the schema exactly; by default pydantic may read "1" as 1, never the reverse."""
    schema = SCHEMAS[topic.name]
    message = data.draw(spoiled(schema))
    error_types = errors(topic.adapter, message, strict=True)
    assume(not error_types & FORMATS)
    allowed = Draft202012Validator(schema).is_valid(message)
    assert allowed == (not error_types), error_types
    assert not (allowed and errors(topic.adapter, message, strict=False))


CLICK = {
    "type": "activity",
    "event_id": "e1",
    "learner": "u1",
    "course_run": "BBB/2014B",
    "kind": "video",
    "occurred_at": "2014-03-01T12:00:00+01:00",
}


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("occurred_at", "2014-03-01T12:00:00", "timezone_aware"),
        ("occurred_at", "yesterday", "datetime_from_date_parsing"),
        ("kind", "slept", "literal_error"),
        ("learner", "", "string_too_short"),
        ("learner", "x" * 129, "string_too_long"),
        ("score", 1.5, "less_than_equal"),
        ("duration_s", -1, "greater_than_equal"),
        ("count", 0, "greater_than_equal"),
        ("version", 3, "literal_error"),
        ("type", "telepathy", "union_tag_invalid"),
    ],
)
def test_a_wrong_field_is_refused_for_its_reason(field: str, value: object, error: str) -> None:
    assert errors(event_adapter, CLICK, strict=False) == set()
    assert errors(event_adapter, CLICK | {field: value}, strict=False) == {error}


def test_packed_bytes_must_be_base64() -> None:
    adapter = TypeAdapter(PackedArray)
    array = {"dtype": "u1", "shape": [1], "data": "AAAA"}
    assert errors(adapter, array, strict=False) == set()
    assert errors(adapter, array | {"data": "AAAAA"}, strict=False) == {"base64_decode"}
