"""The list of sources: what it says reaches the adapters, and what is wrong is told in one line."""

from pathlib import Path

import pytest

from schemas.errors import HomeroomError
from sources.formats.records import RawRecord
from sources.formats.translation import Translation
from sources.source_list import read_source_list

ENROLLED = (
    b'{"type": "enrolled", "event_id": "1", "learner": "ann@school.example", "course_run": "A/1", '
    b'"occurred_at": "2026-02-01T00:00:00Z"}'
)


def listed(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "sources.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_topics_platforms_and_aliases_reach_the_adapters(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("what,from,to\nlearner,ann@school.example,u-1\n", encoding="utf-8")
    sources = read_source_list(
        listed(
            tmp_path,
            "topics:\n  - {name: campus.events, format: native, platform: moodle-2}\naliases: names.csv\n",
        )
    )
    translation = Translation()
    sources.adapter(sources.topics[0]).translate(RawRecord(ENROLLED), translation)
    assert [(each["learner"], each["platform"]) for each in translation.messages] == [("u-1", "moodle-2")]


def test_an_empty_file_has_no_sources(tmp_path: Path) -> None:
    assert read_source_list(listed(tmp_path, "")).topics == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("topics: [", "cannot be read"),
        ("topics: 3", "topics: found 3"),
        ("topics: [{name: a}]", r"topics\.0\.format"),
        ("topics: [{name: a/b, format: native}]", r"topics\.0\.name: found 'a/b'"),
        ("topics: [{name: a, format: xml}]", r"topics\.0: format is 'xml'; expected one of .*native"),
        ("topics: [{name: a, format: native, platform: A B}]", r"topics\.0\.platform: found 'A B'"),
        ("topics: [{name: homeroom.events, format: native}]", r"topics\.0\.name: found 'homeroom.events'"),
        ("topics: [{name: a, format: native}, {name: a, format: native}]", r"topics\.1\.name: found 'a'"),
        ("vocabulary: {native: {played: film}}", r"'played': found 'film'; expected one of home, content"),
        ("aliases: none.csv", r"none\.csv: cannot be read"),
        ("topcs: []", "topcs"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(HomeroomError, match=told) as raised:
        read_source_list(listed(tmp_path, text))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from,to\na,b\n", "expected the columns what, from, to"),
        ("what,from,to\nteacher,a,b\n", r"names\.csv:2: found 'teacher'"),
        ("what,from,to\nlearner,a,\n", r"names\.csv:2"),
    ],
)
def test_a_wrong_alias_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "names.csv").write_text(text, encoding="utf-8")
    with pytest.raises(HomeroomError, match=told):
        read_source_list(listed(tmp_path, "aliases: names.csv"))
