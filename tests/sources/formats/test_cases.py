"""Each format translates its cases as they say, to messages that the worker accepts."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.inbound import event_adapter
from sources.formats.adapter import AdapterOptions
from sources.formats.records import RawRecord, Refused
from sources.formats.registry import DIALECTS, adapter_named
from sources.formats.translation import Translation, encoded
from tests.sources.formats.cases import Case, cases_of

ALL = [(name, case) for name in DIALECTS for case in cases_of(name)]
LEAST_CASES, LEAST_REFUSED = 4, 2


def translated(name: str, case: Case) -> Translation:
    """What a fresh adapter makes of a case."""
    adapter = adapter_named(name, AdapterOptions(case.platform, case.vocabulary))
    headers = {key: value.encode() for key, value in case.headers.items()}
    translation = Translation()
    adapter.translate(RawRecord(case.record.encode(), None, headers), translation)
    return translation


@pytest.mark.parametrize(("name", "case"), ALL, ids=[f"{name}: {case.title}" for name, case in ALL])
def test_a_case_is_translated_as_it_says(name: str, case: Case) -> None:
    translation = translated(name, case)
    assert translation.messages == list(case.messages)
    assert [{"reason": each.reason, "field": each.field} for each in translation.refused] == [
        {"reason": each["reason"], "field": each["field"]} for each in case.refused
    ]
    if case.names is not None:
        assert dict(translation.names.keys()) == dict(case.names)
    for message in translation.messages:
        event_adapter.validate_json(orjson.dumps(message))


@pytest.mark.parametrize("name", DIALECTS)
def test_every_format_has_cases_that_are_accepted_and_refused(name: str) -> None:
    cases = cases_of(name)
    assert len(cases) >= LEAST_CASES
    assert any(case.messages for case in cases)
    assert sum(bool(case.refused) for case in cases) >= LEAST_REFUSED
    assert any(case.show for case in cases)


@pytest.mark.parametrize("name", DIALECTS)
def test_the_same_record_gives_the_same_messages(name: str) -> None:
    for case in cases_of(name):
        assert translated(name, case).messages == translated(name, case).messages


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_nothing_in_a_record_raises(name: str, data: st.DataObject) -> None:
    """A case's record with one part replaced by anything, or bytes of any kind: translated or refused."""
    record = _mutated(data, name)
    translation = Translation()
    adapter_named(name).translate(RawRecord(record), translation)
    assert [each for each in translation.refused if each.reason == "failed"] == []
    assert all(isinstance(encoded(message), bytes | Refused) for message in translation.messages)


def _mutated(data: st.DataObject, name: str) -> bytes | None:
    cases = cases_of(name)
    text = data.draw(st.sampled_from([case.record for case in cases])) if cases else "{}"
    how = data.draw(st.sampled_from(["nothing", "bytes", "cut", "part", "text"]))
    if how == "nothing":
        return None
    if how == "bytes":
        return data.draw(st.binary(max_size=200))
    if how == "cut":
        return text.encode()[: data.draw(st.integers(0, len(text)))]
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.replace(
            data.draw(st.sampled_from(sorted(set(text)))), data.draw(st.text(max_size=3))
        ).encode()
    path = data.draw(st.sampled_from(list(_paths(document))))
    new = data.draw(JSON)
    return _dumps(_replaced(document, path, new))


def _paths(document: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    children = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in children:
        yield from _paths(value, (*path, key))


def _replaced(document: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = dict(document) if isinstance(document, dict) else list(document)
    copied[path[0]] = _replaced(document[path[0]], path[1:], new)
    return copied


def _dumps(document: Any) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError:  # a number beyond 64 bits, a lone surrogate
        return json.dumps(document).encode()
