"""CloudEvents: the cases, envelopes around other formats' cases and terms, and names with a plus sign."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.formats import FormatError, format_named
from sources.formats.adapter import AdapterOptions
from sources.formats.aliases import Aliases
from sources.formats.cloudevents import BATCH
from sources.formats.records import RawRecord
from sources.formats.registry import DIALECTS, WRAPPERS, adapter_named, writer_named
from sources.formats.translation import Translation
from tests.sources.formats.cases import Case, cases_of
from tests.sources.formats.test_cases import _mutated, test_a_case_is_translated_as_it_says
from tests.sources.formats.written import kept, read_back, term

NAME = "cloudevents+native"
WRITTEN = [name for name, dialect in DIALECTS.items() if dialect.writer is not None]
WITHDRAWN = b'{"type":"withdrawn","event_id":"w","learner":"ann","course_run":"B","occurred_at":"%s"}'


@pytest.mark.parametrize("case", cases_of(NAME), ids=[case.title for case in cases_of(NAME)])
def test_a_case_of_an_envelope_is_translated_as_it_says(case: Case) -> None:
    test_a_case_is_translated_as_it_says(NAME, case)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_nothing_in_an_envelope_raises(data: st.DataObject) -> None:
    translation = Translation()
    content_type = data.draw(
        st.sampled_from([{}, {"content-type": BATCH.encode()}, {"ce_specversion": b"1.0"}])
    )
    adapter_named(NAME).translate(RawRecord(_mutated(data, NAME), None, content_type), translation)
    assert [each for each in translation.refused if each.reason == "failed"] == []


@pytest.mark.parametrize("name", WRITTEN)
def test_a_term_in_envelopes_says_what_it_says_without(name: str) -> None:
    plain, wrapped = (
        (writer_named(each), adapter_named(each), Translation()) for each in (name, f"cloudevents+{name}")
    )
    for message in term()[::7]:
        for writer, adapter, translation in (plain, wrapped):
            for record in writer.write(message):
                adapter.translate(RawRecord(record), translation)
    assert wrapped[2].messages == plain[2].messages != []
    assert wrapped[2].names == plain[2].names
    assert wrapped[2].refused == plain[2].refused == []


def test_an_envelope_has_what_the_specification_requires() -> None:
    (envelope,) = map(orjson.loads, writer_named(NAME).write(term()[0]))
    assert {"specversion", "id", "source", "type", "data"} <= envelope.keys()


def test_envelopes_nest() -> None:
    name = "cloudevents+cloudevents+native"
    message = term()[0]
    assert kept(read_back(message, writer_named(name), adapter_named(name))) == kept(message)


def test_the_options_are_applied_once() -> None:
    """Else ann would become bob, and bob cy."""
    aliases = Aliases({"learner": {"ann": "bob", "bob": "cy"}})
    translation = Translation()
    event: dict[str, Any] = {"specversion": "1.0", "data": orjson.loads(WITHDRAWN)}
    adapter = adapter_named(NAME, AdapterOptions("campus", aliases=aliases))
    adapter.translate(RawRecord(orjson.dumps(event)), translation)
    (message,) = translation.messages
    assert (message["learner"], message["platform"]) == ("bob", "campus")


def test_a_file_of_envelopes_is_read_and_what_it_takes_back_is_left_out(tmp_path: Path) -> None:
    case = cases_of("xapi")[0]
    voiding = {
        "id": "v",
        "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
        "object": {"objectType": "StatementRef", "id": orjson.loads(case.record)["id"]},
    }
    lines = [
        orjson.dumps({"specversion": "1.0", "data": orjson.loads(case.record)}),
        b"no envelope",
        orjson.dumps([{"specversion": "1.0", "data": voiding}]),
    ]
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(lines[:2]))
    both = [record.refused is None for record in format_named("cloudevents+xapi").records(file)]
    assert both == [True, False]
    file.write_bytes(b"\n".join(lines))
    assert [record.refused is None for record in format_named("cloudevents+xapi").records(file)] == [False]


@pytest.mark.parametrize("name", ["cloudevents+xml", "zip+native", "cloudevents+", "cloudevents"])
def test_an_envelope_of_nothing_is_told(name: str) -> None:
    for named in (format_named, writer_named, adapter_named):
        with pytest.raises(FormatError, match=r"expected one of .*native.*cloudevents\+"):
            named(name)


def test_no_dialect_has_the_name_of_an_envelope() -> None:
    assert DIALECTS.keys().isdisjoint(WRAPPERS)
    assert not any("+" in name for name in (*DIALECTS, *WRAPPERS))
