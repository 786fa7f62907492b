"""Recorded files of any format as one stream."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from sources import simulator
from sources.dialects import write_term
from sources.formats.registry import format_named, writer_named
from sources.recorded import ReadingNotes, RecordedError, read_recorded
from sources.simulator import SimulationPlan
from sources.stream import SourceMessage


def line(learner: str, day: int, **more: Any) -> bytes:
    message = {
        "type": "activity",
        "event_id": f"{learner}-{day}",
        "learner": learner,
        "course_run": "A/1",
        "kind": "quiz",
        "occurred_at": f"2026-02-{day:02}T10:00:00+01:00",
    }
    return json.dumps(message | more).encode() + b"\n"


def days_of(stream: list[SourceMessage]) -> list[tuple[str | None, str]]:
    return [
        (message.key, json.loads(message.value)["occurred_at"][:10])
        for message in stream
        if json.loads(message.value)["type"] != "tick"
    ]


def test_files_of_a_folder_are_one_log_in_time_order(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(line("ann", 3) + line("ann", 1)))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "a.jsonl.zst").write_bytes(zstandard.compress(line("bob", 2)))
    (tmp_path / ".hidden").write_bytes(line("eve", 1))
    notes = ReadingNotes()
    stream = list(read_recorded([(format_named("native"), tmp_path)], notes))
    assert days_of(stream) == [("ann", "2026-02-01"), ("bob", "2026-02-02"), ("ann", "2026-02-03")]
    ticks = [message for message in stream if message.broadcast]
    assert [message.occurred_at // 86_400 for message in ticks] == sorted(
        message.occurred_at // 86_400 for message in ticks
    )
    assert (notes.records, notes.messages, notes.refused) == (3, 3, {})


def test_a_bad_record_costs_that_record_and_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(line("ann", 1) + b"{no json\n" + line("ann", 2, occurred_at="soon") + line("ann", 3))
    notes = ReadingNotes()
    stream = list(read_recorded([(format_named("native"), file)], notes))
    assert [day for _, day in days_of(stream)] == ["2026-02-01", "2026-02-03"]
    assert [place for place, _ in notes.examples] == [f"{file}:2", f"{file}:3"]
    assert sum(notes.refused.values()) == 2


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordedError, match="is a folder without a file"):
        list(read_recorded([(format_named("native"), tmp_path)], ReadingNotes()))


def test_a_written_term_is_read_back_to_the_byte(tmp_path: Path) -> None:
    term = list(simulator.stream(SimulationPlan.term(12, courses=1, weeks=4, seed=3)))
    file = tmp_path / "term.jsonl"
    with file.open("wb") as out:
        written = write_term(term, writer_named("native"), out)
    read = list(read_recorded([(format_named("native"), file)], ReadingNotes()))
    assert [json.loads(m.value) for m in read if json.loads(m.value)["type"] != "tick"] == [
        json.loads(m.value) for m in term if json.loads(m.value)["type"] != "tick"
    ]
    assert written.messages == written.records > 100
    assert written.unsaid == {}
