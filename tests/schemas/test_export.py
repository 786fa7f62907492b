"""The files of the contract are in step with the models, and others can use them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import export
from schemas.topics import TOPICS

DOCUMENTS = export.documents()
SCHEMAS = {name: json.loads(text) for name, text in DOCUMENTS.items() if name != "asyncapi.json"}
ASYNCAPI = json.loads(DOCUMENTS["asyncapi.json"])


def test_the_files_are_up_to_date() -> None:
    assert export.differences() == []


def test_every_json_topic_has_its_file() -> None:
    assert sorted(SCHEMAS) == sorted(f"{it.name}.json" for it in TOPICS if it.adapter is not None)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_document_is_a_draft_2020_12_schema(name: str) -> None:
    schema = SCHEMAS[name]
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)


def test_asyncapi_has_the_topics_that_others_publish_or_consume_and_no_other() -> None:
    public = {it.name: it.direction for it in TOPICS if it.direction != "own"}
    assert set(public.values()) == {"in", "out"}
    assert {it["address"] for it in ASYNCAPI["channels"].values()} == set(public)
    actions = {
        ASYNCAPI["channels"][it["channel"]["$ref"].rsplit("/")[-1]]["address"]: it["action"]
        for it in ASYNCAPI["operations"].values()
    }
    assert actions == {name: "receive" if way == "in" else "send" for name, way in public.items()}


def test_asyncapi_leads_to_the_schema_of_every_message() -> None:
    for channel in ASYNCAPI["channels"].values():
        schema = SCHEMAS[f"{channel['address']}.json"]
        payloads = {
            kind: _resolved(message["payload"]["schema"]["$ref"])
            for kind, message in channel["messages"].items()
        }
        assert {kind: message["properties"]["type"]["const"] for kind, message in payloads.items()} == {
            kind: kind for kind in payloads
        }
        assert len(payloads) == len(schema.get("oneOf", [schema])), "no message is left out"


def _resolved(reference: str) -> dict[str, Any]:
    file, _, where = reference.partition("#")
    schema: dict[str, Any] = SCHEMAS[file.removeprefix("./")]
    for name in where.split("/")[1:]:
        schema = schema[name]
    return schema


def test_asyncapi_refers_to_nothing_that_is_not_there() -> None:
    references = [it for it in _references(ASYNCAPI) if it.startswith("#")]
    assert references
    for reference in references:
        target = ASYNCAPI
        for name in reference.split("/")[1:]:
            target = target[name]


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "$ref":
                yield value
            else:
                yield from _references(value)


def test_differences_are_found_and_written_away(tmp_path: Path) -> None:
    export.write(tmp_path)
    assert export.differences(tmp_path) == []
    (tmp_path / "homeroom.events.json").write_text("{}")
    (tmp_path / "homeroom.nudges.json").unlink()
    (tmp_path / "homeroom.gone.json").write_text("{}")
    assert export.differences(tmp_path) == [
        "homeroom.nudges.json is missing",
        "homeroom.gone.json belongs to no topic",
        "homeroom.events.json is out of date",
    ]
    export.write(tmp_path)
    assert export.differences(tmp_path) == []


def test_check_says_so_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export.main(["--check"]) == 0
    assert export.main(["--wrong"]) == 2
    monkeypatch.setattr(export.differences, "__defaults__", (tmp_path,))
    assert export.main(["--check"]) == 1
    assert "homeroom.events.json is missing; run python -m schemas.export" in capsys.readouterr().err
