"""The JSON Schema files are in step with the models, and are schemas that others can use."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from schemas import export
from schemas.topics import TOPICS

DOCUMENTS = export.documents()


def test_the_files_are_up_to_date() -> None:
    assert export.differences() == []


def test_every_json_topic_has_its_file() -> None:
    assert sorted(DOCUMENTS) == sorted(f"{it.name}.json" for it in TOPICS if it.adapter is not None)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_a_draft_2020_12_schema(name: str) -> None:
    schema = json.loads(DOCUMENTS[name])
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)


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
