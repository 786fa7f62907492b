"""Moodle: CSV files, the names that numbers stand for, and what the vocabulary says of its events."""

import csv
import json
from pathlib import Path

import pytest

from sources import simulator
from sources.dialects import write_aliases, write_term
from sources.formats.adapter import AdapterOptions
from sources.formats.aliases import read_aliases
from sources.formats.moodle.writer import KINDS, MoodleCsvWriter, MoodleWriter
from sources.formats.records import RawRecord
from sources.formats.registry import adapter_named, format_named
from sources.formats.translation import Translation
from sources.formats.vocabulary import vocabulary_of
from sources.recorded import ReadingNotes, read_recorded
from sources.simulator import SimulationPlan

VOCABULARY = vocabulary_of("moodle")


def test_a_term_as_csv_is_read_with_its_names(tmp_path: Path) -> None:
    term = list(simulator.stream(SimulationPlan.term(12, courses=1, weeks=4, seed=3)))
    writer, file, names = MoodleCsvWriter(), tmp_path / "log.csv", tmp_path / "names.csv"
    with file.open("wb") as out:
        written = write_term(term, writer, out)
    with names.open("wb") as table:
        write_aliases(writer, table)
    with file.open(encoding="utf-8", newline="") as lines:
        assert len(list(csv.DictReader(lines))) == written.records
    options = AdapterOptions(aliases=read_aliases(names))
    notes = ReadingNotes()
    read = [
        json.loads(message.value)
        for message in read_recorded([(format_named("moodle-csv", options), file)], notes)
    ]
    assert notes.refused == {}

    def moments(messages: list[dict[str, str]], kind: str) -> list[tuple[str, str, str]]:
        return sorted(
            (m["learner"], m["course_run"], m["occurred_at"]) for m in messages if m["type"] == kind
        )

    native = [json.loads(message.value) for message in term]
    for kind in ("activity", "enrolled", "withdrawn"):
        assert moments(read, kind) == moments(native, kind)


@pytest.mark.parametrize(
    ("event", "meaning"),
    [
        *(
            (f"\\{component}\\event\\{target}_{action}", kind)
            for kind, (component, action, target) in KINDS.items()
        ),
        ("\\mod_quiz\\event\\attempt_started", "quiz"),
        ("\\mod_quiz\\event\\attempt_preview_started", "ignored"),
        ("\\mod_assign\\event\\submission_form_viewed", "content"),
        ("\\mod_assign\\event\\submission_graded", "ignored"),
        ("\\mod_forum\\event\\post_created", "forum"),
        ("\\mod_forum\\event\\subscription_created", "ignored"),
        ("\\core\\event\\course_section_viewed", "home"),
        ("\\core\\event\\course_section_created", "ignored"),
        ("\\report_log\\event\\report_viewed", "ignored"),
        ("\\tool_usertours\\event\\tour_started", "ignored"),
        ("\\mod_somethingnew\\event\\seen", None),
    ],
)
def test_what_an_event_means(event: str, meaning: str | None) -> None:
    assert VOCABULARY.meaning(event) == meaning


def test_events_of_one_row_have_different_ids() -> None:
    message = {
        "type": "activity",
        "event_id": "1",
        "learner": "ann",
        "course_run": "A/1",
        "kind": "submission",
        "occurred_at": "2026-02-03T18:22:09Z",
        "object": "essay",
        "score": 0.5,
    }
    translation, writer = Translation(), MoodleWriter()
    for record in writer.write(message):
        adapter_named("moodle").translate(RawRecord(record), translation)
    hand_in, grade = translation.messages
    assert hand_in["event_id"] != grade["event_id"]
    assert hand_in["object"] == grade["object"]
    assert writer.aliases["object"] == {hand_in["object"]: "essay"}
