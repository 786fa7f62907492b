"""Rosters of plain CSV: every row becomes what it says, or is refused with its file and line."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from schemas.enrolment import Calendar, Completed, Enrolled, Withdrawn
from sources.formats import FORMATS, SourceRecord
from sources.line_files import LineFileError

LEARNERS = """learner,course_run,enrolled_at,role,section,timezone,withdrawn_at,result,result_at
ann,bio/1,2026-03-01,,a,Europe/Berlin,,pass,2026-06-30
bob,bio/1,2026-03-01T09:30:00+02:00,staff,,,,,
cy,bio/1,2026-03-02T08:00:00,,,,2026-04-01,,
"""
CALENDARS = """course_run,course,occurred_at,starts_at,ends_at
bio/1,bio,2026-02-01,2026-03-01,2026-06-30
chem/1,chem,2026-02-01,2026-03-01,
"""
DEADLINES = """course_run,assessment,due_at,weight,section,learner
bio/1,essay,2026-04-01,0.4,,
bio/1,essay,2026-04-08T12:00:00Z,0.4,,ann
"""
MODELS: dict[str, TypeAdapter[Any]] = {
    "enrolled": TypeAdapter(Enrolled),
    "withdrawn": TypeAdapter(Withdrawn),
    "completed": TypeAdapter(Completed),
    "calendar": TypeAdapter(Calendar),
}


def _folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def _read(path: Path) -> list[SourceRecord]:
    return list(FORMATS["plain-roster"].records(path))


def _messages(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(record.value or b"") for record in _read(path) if record.refused is None]
    for message in found:
        MODELS[message["type"]].validate_python(message)
    return found


def test_a_folder_is_read_calendars_first(tmp_path: Path) -> None:
    messages = _messages(_folder(tmp_path, learners=LEARNERS, calendars=CALENDARS, deadlines=DEADLINES))
    said = [(each["type"], each.get("learner", each["course_run"]), each["occurred_at"]) for each in messages]
    assert said == [
        ("calendar", "bio/1", "2026-02-01T00:00:00Z"),
        ("calendar", "chem/1", "2026-02-01T00:00:00Z"),
        ("enrolled", "ann", "2026-03-01T00:00:00Z"),
        ("completed", "ann", "2026-06-30T23:59:59Z"),
        ("enrolled", "bob", "2026-03-01T09:30:00+02:00"),
        ("enrolled", "cy", "2026-03-02T08:00:00Z"),
        ("withdrawn", "cy", "2026-04-01T23:59:59Z"),
    ]
    assert messages[0]["ends_at"] == "2026-06-30T23:59:59Z"
    assert "ends_at" not in messages[1], "a run without an end"
    assert messages[0]["deadlines"] == [
        {"assessment": "essay", "due_at": "2026-04-01T23:59:59Z", "weight": 0.4},
        {"assessment": "essay", "due_at": "2026-04-08T12:00:00Z", "weight": 0.4, "learner": "ann"},
    ]
    assert (messages[2]["section"], messages[2]["timezone"]) == ("a", "Europe/Berlin")
    assert messages[4]["role"] == "staff"
    assert len({each["event_id"] for each in messages}) == len(messages)


def test_learners_alone_are_read_from_one_file(tmp_path: Path) -> None:
    folder = _folder(tmp_path, learners=LEARNERS)
    assert _messages(folder / "learners.csv") == _messages(folder), "and again with the same ids"


@pytest.mark.parametrize(
    ("file", "row", "field"),
    [
        ("learners", ",bio/1,2026-03-01,,,,,,", "learner"),
        ("learners", "dan,bio/1,,,,,,,", "enrolled_at"),
        ("learners", "dan,bio/1,1 March,,,,,,", "enrolled_at"),
        ("learners", "dan,bio/1,2026-03-01,boss,,,,,", "role"),
        ("learners", "dan,bio/1,2026-03-01,,,,,A+,2026-06-30", "result"),
        ("learners", "dan,bio/1,2026-03-01,,,,,pass,", "result_at"),
        ("learners", "dan", "course_run"),
        ("calendars", "geo/1,,2026-02-01,2026-03-01,", "course"),
        ("calendars", "geo/1,geo,2026-02-01,soon,", "starts_at"),
        ("deadlines", "bio/1,quiz,2026-04-01,40,,", "weight"),
        ("deadlines", "bio/1,quiz,2026-04-01,,,", "weight"),
        ("deadlines", "art/1,quiz,2026-04-01,0.4,,", "course_run"),
    ],
)
def test_a_wrong_row_is_refused_alone(tmp_path: Path, file: str, row: str, field: str) -> None:
    files = {"learners": LEARNERS, "calendars": CALENDARS, "deadlines": DEADLINES}
    whole = _messages(_folder(tmp_path, **files))
    line = files[file].count("\n") + 1
    files[file] += row + "\n"
    refused = [each for each in _read(_folder(tmp_path, **files)) if each.refused is not None]
    assert [(each.line, each.refused and each.refused.field) for each in refused] == [
        (line, f"{file}.csv:{line}.{field}")
    ]
    assert _messages(tmp_path) == whole


@pytest.mark.parametrize(
    "files", [{}, {"deadlines": DEADLINES}, {"learners": LEARNERS, "deadlines": DEADLINES}]
)
def test_a_folder_without_what_it_needs_is_refused(tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(LineFileError, match="expected"):
        _read(_folder(tmp_path, **files))


def test_calendars_alone_are_not_read_as_learners(tmp_path: Path) -> None:
    folder = _folder(tmp_path, calendars=CALENDARS)
    with pytest.raises(LineFileError, match="expected the folder"):
        _read(folder / "calendars.csv")
