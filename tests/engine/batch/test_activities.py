"""The fast reading of activities: what it takes the contract takes, as the same; and it takes the usual."""

import json
from datetime import datetime
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from engine.batch.activities import Activities, Activity, decode_activities
from engine.batch.decoding import decode_events
from schemas.activity import ACTIVITY_KINDS, ActivityEvent
from schemas.fields import EARLIEST, LATEST
from schemas.inbound import event_adapter
from schemas.quality import UNNAMED
from tests.streams.pipeline import activity, batch_of

FULL: dict[str, Any] = {
    "version": 1,
    **activity("e", "2024-02-01T10:00:00+01:00"),
    "object": "quiz-4",
    "duration_s": 412,
    "score": 0.75,
    "progress": 1,
    "session": "s",
    "count": 3,
    "source": "a",
    "role": "learner",
    "actor": "learner",
}
LEFT_OUT = {"version": 1, "count": 1, "source": UNNAMED, "actor": "learner"}
"""What the fast form holds where a message leaves it out; all else is None."""


LEFT_ASIDE = ("title", "default", "examples", "formatMinimum", "formatExclusiveMaximum")
"""Of the contract's JSON Schema. The range of moments is the intake's to look at."""


def contract(value: bytes) -> dict[str, Any] | None:
    """What the contract makes of a record; None where it refuses it."""
    try:
        message: Any = event_adapter.validate_json(value)
    except ValidationError:
        return None
    return dict(message)


def same(fast: Activity, message: dict[str, Any]) -> None:
    for name in Activity.__struct_fields__:
        ours, theirs = getattr(fast, name), message.get(name, LEFT_OUT.get(name))
        if isinstance(ours, datetime):
            assert ours.utcoffset() == theirs.utcoffset()
            ours, theirs = ours.replace(microsecond=0), theirs.replace(microsecond=0)
        assert ours == theirs, name


def agrees(value: bytes) -> bool:
    """Whether the fast form takes a record; fails where it takes another one than the contract."""
    (fast,) = decode_activities([value])
    if fast is None:
        return False
    if not EARLIEST <= fast.occurred_at < LATEST:
        return False  # the intake refuses it
    message = contract(value)
    assert message is not None, "what is read fast the contract reads too"
    same(fast, message)
    return True


def test_both_forms_have_the_same_fields_and_bounds() -> None:
    def plain(schema: dict[str, Any]) -> dict[str, Any]:
        parts = {name: part for name, part in schema.items() if name not in LEFT_ASIDE}
        if "const" in parts:
            parts = {"enum": [parts["const"]]}
        if "enum" in parts:
            parts = {"enum": sorted(parts["enum"])}
        if "pattern" in parts:
            parts["pattern"] = parts["pattern"].replace(r"\Z", "$")  # to Python, $ may stand before a newline
        if "anyOf" in parts:
            parts["anyOf"] = [plain(part) for part in parts["anyOf"]]
        return parts

    ours = msgspec.json.schema(Activity)["$defs"]["Activity"]
    theirs = TypeAdapter(ActivityEvent).json_schema()
    assert sorted(ours["required"]) == sorted(theirs["required"])
    assert {name: plain(part) for name, part in ours["properties"].items()} == {
        name: plain(part) for name, part in theirs["properties"].items()
    }


@pytest.mark.parametrize("left_out", [(), ("version", "score", "progress", "session", "source"), ("object",)])
def test_the_usual_is_read_fast(left_out: tuple[str, ...]) -> None:
    message = {name: value for name, value in FULL.items() if name not in left_out}
    assert agrees(orjson.dumps(message))
    assert agrees(json.dumps(message, indent=1, ensure_ascii=True).encode())


TIMES = [
    *("2024-01-01 00:00:00Z", "2024-01-01t00:00:00z", "2024-01-01T00:00Z", "2024-01-01T00:00:60Z"),
    *("2024-01-01T24:00:00Z", "2024-01-01T00:00:00+0100", "2024-01-01T00:00:00+01", "2024-01-01T00:00:00"),
    *("2024-01-01T00:00:00.1234567891Z", "2024-01-01T00:00:00.9999999Z", "2024-01-01T00:00:00.9999994Z"),
    *("2024-01-01T00:00:00-00:00", "0001-01-01T00:00:00+10:00", "2024-01-01T00:00:00+23:59"),
    *("2024-01-01T00:00:00+24:00", "9999-12-31T23:59:59.9999999Z", "2024-02-30T00:00:00Z", "1704067200"),
    *("2024-01-01T00:00:00,5Z", "20240101T000000Z", "2024-01-01", " 2024-01-01T00:00:00Z", ""),
]
RAW = [
    b'"object":"\\ud800"',
    b'"object":"\xff"',
    b'"object":"\xed\xa0\x80"',
    b'"object":"a\nb"',
    b'"object":"a\\u0000b"',
    b'"object":""',
    *(b'"count":01', b'"count":2.0', b'"count":2e0', b'"count":true', b'"count":"2"', b'"count":-0'),
    *(
        b'"version":1.0',
        b'"version":true',
        b'"version":2',
        b'"version":3',
        b'"score":1e-400',
        b'"score":-0.0',
    ),
    *(b'"score":NaN', b'"score":1e400', b'"score":true', b'"duration_s":"5"', b'"duration_s":86400'),
    *(b'"kind":"x","kind":"quiz"', b'"kind":"quiz","kind":"x"', b'"type":"tick"', b'"type":"activity"'),
    *(b'"more":1', b'"more":"\xff"', b'"more":01', b'"version":null', b'"count":null', b'"source":null'),
    b'"occurred_at":1704067200',
    *(b'"platform":"edx"', b'"platform":"edx\\n"', b'"platform":"Edx"', b'"platform":""', b'"platform":null'),
]


@pytest.mark.parametrize("moment", TIMES)
def test_a_time_is_read_as_the_contract_reads_it(moment: str) -> None:
    agrees(orjson.dumps(FULL | {"occurred_at": moment}))


@pytest.mark.parametrize("raw", RAW)
def test_what_json_and_types_leave_open_is_read_as_the_contract_reads_it(raw: bytes) -> None:
    value = orjson.dumps(activity("e", "2024-02-01T10:00:00Z"))
    agrees(value[:-1] + b"," + raw + b"}")
    agrees(b"{" + raw + b"," + value[1:])


@pytest.mark.parametrize("field", sorted(FULL))
def test_a_field_that_is_missing_is_missed_as_the_contract_misses_it(field: str) -> None:
    agrees(orjson.dumps({name: value for name, value in FULL.items() if name != field}))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=140),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)
within = {
    "kind": st.sampled_from(ACTIVITY_KINDS),
    "occurred_at": st.datetimes(timezones=st.timezones()).map(datetime.isoformat) | st.sampled_from(TIMES),
    "duration_s": st.floats(-1, 90_000) | st.integers(-1, 90_000),
    "count": st.integers(0, 100_001),
    "score": st.floats(-0.1, 1.1),
    "progress": st.sampled_from([0, 1, 0.5, "0.5", -1, 2]),
}


@settings(max_examples=400, deadline=None)
@given(
    changed=st.fixed_dictionaries(
        {}, optional={name: within.get(name, anything) | anything for name in FULL}
    ),
    ascii_only=st.booleans(),
)
def test_any_values_are_read_as_the_contract_reads_them(changed: dict[str, Any], ascii_only: bool) -> None:
    value = json.dumps(FULL | changed, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    decoded = agrees(value)
    assert decoded or changed


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_records_with_wrong_bytes_are_read_as_the_contract_reads_them(data: st.DataObject) -> None:
    value = bytearray(orjson.dumps(FULL))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(value) - 1))
        value[start : start + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    agrees(bytes(value))


def test_what_is_left_to_the_contract_is_an_activity_all_the_same() -> None:
    message = activity("e", "2024-02-01T10:00:00Z")
    fast = orjson.dumps(message)
    slow = orjson.dumps(message | {"more": 1, "occurred_at": 1_706_781_600, "count": 1.0})
    assert decode_activities([fast, slow])[1] is None
    first, second = decode_events(batch_of([(b"l", fast), (b"l", slow)])).messages
    assert isinstance(first, Activity)
    assert first == second


def test_who_is_no_learner_is_marked_with_the_role() -> None:
    roles: list[dict[str, str]] = [{}, {"role": "staff"}, {"actor": "system"}, {"role": "learner"}]
    lines = [activity(f"{number}", "2024-02-01T10:00:00Z", **more) for number, more in enumerate(roles)]
    activities = Activities.of(
        decode_events(batch_of([(b"l", orjson.dumps(line)) for line in lines])).messages
    )
    assert activities.is_other.tolist() == [False, True, True, False]
    assert activities.roles == ("", "staff", "system", "learner")
    assert activities.is_work.tolist() == [False, True, False, True], "a role is a fact"


def test_columns_hold_what_the_messages_say() -> None:
    lines = [
        activity("a", "2024-02-01T10:00:00Z", object="x", count=2),
        {"type": "tick", "occurred_at": "2024-02-01T00:00:00Z"},
        activity("b", "2024-02-01T10:00:00Z", kind="submission", duration_s=1.9, source="s"),
        activity("c", "2024-02-01T10:00:00Z", progress=0.0),
    ]
    activities = Activities.of(
        decode_events(batch_of([(b"l", orjson.dumps(line)) for line in lines])).messages
    )
    assert activities.positions.tolist() == [0, 2, 3]
    assert activities.ids == ("a", "b", "c")
    assert activities.items == ("x", None, None)
    assert activities.clicks.tolist() == [2, 1, 1]
    assert activities.seconds.tolist() == [0, 1, 0]
    assert activities.untimed.tolist() == [True, False, True]
    assert activities.is_work.tolist() == [False, True, True]
    assert activities.sources == (UNNAMED, "s", UNNAMED)
    assert activities.between(1, 3).ids == ("b",)
    assert activities.without([2]).ids == ("a", "c")
    assert activities.without([2]).is_work.tolist() == [False, True]
    assert Activities.of([]).ids == ()
