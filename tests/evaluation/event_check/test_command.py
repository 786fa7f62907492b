"""Files, folders and standard input as one log; the clock they are held against; the report that is shown."""

import gzip
import io
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.rules import Rules
from evaluation.errors import EventCheckError
from evaluation.event_check import command, report
from evaluation.event_check.command import check, files_of, read_counts
from evaluation.event_check.counts import EventCounts
from evaluation.event_check.findings import findings
from evaluation.event_check.report import duration, to_json
from output.screen import Screen
from sources.formats import FORMATS
from sources.simulator import SimulationPlan, stream
from tests.evaluation.event_check.samples import NOW, Message, checked, click, fact, whole_run, write
from tests.evaluation.event_check.test_verdicts import LINES, QUICK

NATIVE = FORMATS["native"]


def printed(counts: EventCounts) -> str:
    screen = Screen(file=io.StringIO(), width=300)
    report.show(counts, findings(counts), screen)
    text: str = screen.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_a_folder_is_its_files_by_path_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/2.jsonl.gz", "a/1.jsonl", ".git/x", "a/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    single = tmp_path / "b.jsonl"
    names = [str(path.relative_to(tmp_path)) for path in files_of([single, tmp_path])]
    assert names == ["b.jsonl", "a/1.jsonl", "a/2.jsonl.gz", "b.jsonl"]


def test_what_cannot_be_a_sample_is_told(tmp_path: Path) -> None:
    with pytest.raises(EventCheckError, match="is a folder without a file"):
        files_of([tmp_path])
    with pytest.raises(EventCheckError, match="standard input can be read once"):
        files_of([Path("-"), Path("-")])


def test_several_files_are_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages = whole_run()
    whole = checked(write(tmp_path / "whole.jsonl", messages))
    first, last = write(tmp_path / "1", messages[:100]), write(tmp_path / "3", messages[200:])
    (tmp_path / "2.gz").write_bytes(
        gzip.compress(write(tmp_path / "2", messages[100:200]).read_bytes(), mtime=0)
    )
    for middle in (tmp_path / "2", tmp_path / "2.gz", Path("-")):
        stdin = SimpleNamespace(buffer=io.BytesIO((tmp_path / "2").read_bytes()))
        monkeypatch.setattr("sys.stdin", stdin)
        counts = check([first, middle, last], NATIVE, Rules(), None, NOW)
        assert replace(counts, leap_place=whole.leap_place) == whole


def test_how_a_file_is_cut_into_batches_changes_nothing(tmp_path: Path) -> None:
    messages = whole_run()
    path = write(tmp_path / "run.jsonl", [*messages, messages[3], click(9, kind="dance"), click(9999)])
    assert checked(path, batch=7) == checked(path) == checked(path, batch=100_000)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(LINES, st.integers(1, 30))
def test_any_lines_have_a_report_in_which_every_record_is_counted(lines: list[bytes], batch: int) -> None:
    texts = [line.replace(b"\n", b" ").removeprefix(b"\xef\xbb\xbf") for line in lines]
    with TemporaryDirectory() as folder:
        counts = checked(write(Path(folder) / "any", texts), batch=batch)
    assert counts.records == sum(bool(text.strip()) for text in texts)
    assert counts.applied + counts.repeats + counts.refused == counts.records
    assert counts.refused == sum(group.records for group in counts.refusals.values())
    assert counts.applied == counts.types.total()
    json.dumps(to_json(counts, findings(counts)), allow_nan=False)
    assert "records" in printed(counts)


def test_ticks_make_it_a_replay(tmp_path: Path) -> None:
    """A simulated term may lie in the future."""
    term = write(
        tmp_path / "term.jsonl",
        [message.value for message in stream(SimulationPlan.term(8, courses=1, weeks=4))],
    )
    early = 1_500_000_000
    counts = read_counts([term], NATIVE, Rules(), early)
    assert (counts.clock, counts.refused) == ("replay", 0)
    live = read_counts([term], NATIVE, Rules(), early, "live")
    assert (live.clock, live.applied) == ("live", 0)
    assert live.refusals.keys() == {("future", "occurred_at")}


def test_a_bar_is_shown_for_large_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "run.jsonl", whole_run())
    check([path], NATIVE, Rules(), None, NOW)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(command, "LARGE", 100)
    monkeypatch.setattr(
        command, "Screen", lambda **options: Screen(force_terminal=True, width=100, **options)
    )
    check([path], NATIVE, Rules(), None, NOW)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "reading" in shown.err


def test_the_report_says_all_of_it(tmp_path: Path) -> None:
    messages: list[Message | bytes] = [
        *whole_run(),
        b"not JSON",
        click(10, kind="dance"),
        click(100, score=85, mood="good"),
        click(100, "bot", role="bot"),
        fact("preferences", 100, course_run="x"),
    ]
    counts = checked(write(tmp_path / "bad.jsonl", messages))
    text = printed(counts)
    for words in (
        "What a worker would say (as published now, or at their timestamps)",
        "of homeroom.feedback",
        "Refused, and why",
        "unknown_kind",
        "bad.jsonl:" + str(len(whole_run()) + 2) + ": found 'dance'",
        "Fields refused, the rest applied",
        "found 85; input should be less than or equal to 1; the rest was applied",
        "Fields that the contract does not know",
        "activity.mood",
        "Not counted as learners'",
        "later than one before them",
    ):
        assert words in text
    assert "What would make estimates better" not in text
    assert "Nothing that estimates need is missing, and nothing looks unusual." in text
    lacking = printed(checked(write(tmp_path / "lacking.jsonl", [click(day) for day in range(3)])))
    assert "when the run starts and ends and what is due" in lacking
    assert "Refused" not in lacking


def test_the_figures_are_plain_json(tmp_path: Path) -> None:
    counts = checked(
        write(tmp_path / "run.jsonl", [*whole_run(), click(10, kind="dance"), click(99.2, "x y")])
    )
    figures = json.loads(json.dumps(to_json(counts, findings(counts)), allow_nan=False))
    assert figures["records"] == figures["applied"] + figures["repeats"] + figures["refused"]
    assert [group["field"] for group in figures["refusals"]] == ["kind"]
    assert figures["runs"]["maths/2026"]["deadlines"] == 1
    assert figures["lateness"]["late"] == 1


def test_of_nothing_there_is_a_report_too(tmp_path: Path) -> None:
    counts = checked(write(tmp_path / "empty.jsonl", []))
    assert counts.refused_share == 0
    assert "records" in printed(counts)
    assert [finding.name for finding in findings(counts)] == ["no_activity"]


def test_durations_are_readable() -> None:
    assert [duration(minutes) for minutes in (0, -89, 90, 60 * 47, 60 * 49)] == [
        *("0 min", "-89 min", "1.5 h", "47.0 h", "2 days")
    ]


def test_a_learner_s_name_is_printed_and_not_obeyed(tmp_path: Path) -> None:
    name = "\x1b[2J[red]x"
    messages = [*whole_run(), *(click(number / 24, name) for number in range(600))]
    messages.sort(key=lambda message: str(message["occurred_at"]))
    text = printed(checked(write(tmp_path / "odd.jsonl", messages)))
    assert "\\x1b[2J[red]x" in text
    assert "\x1b[2J" not in text


def test_what_became_of_the_events_of_another_format_is_told_by_name(tmp_path: Path) -> None:
    file = tmp_path / "statements.jsonl"
    viewed = {
        "actor": {"openid": "https://id.example.org/ann"},
        "verb": {"id": "urn:verb:danced"},
        "object": {
            "id": "urn:course:1",
            "definition": {"type": "http://adlnet.gov/expapi/activities/course"},
        },
        "timestamp": "2026-02-03T18:22:09Z",
    }
    outside = {**viewed, "object": {"id": "urn:page:1"}}
    file.write_text("\n".join(json.dumps(statement) for statement in (outside, viewed, outside)))
    counts = read_counts([file], FORMATS["xapi"], Rules(), NOW)
    assert counts.names == {("urn:verb:danced", "unknown"): 1, ("urn:verb:danced", "outside"): 2}
    assert counts.applied == counts.records == 1
    shown = " ".join(printed(counts).split())
    assert "urn:verb:danced 2 outside belongs to no course" in shown
    assert "urn:verb:danced 1 unknown the vocabulary lacks it" in shown
    told = {"name": "urn:verb:danced", "fate": "outside", "events": 2}
    assert told in to_json(counts, findings(counts))["events_read"]
    file.write_text(json.dumps(outside))
    nothing = read_counts([file], FORMATS["xapi"], Rules(), NOW)
    assert (nothing.records, nothing.names) == (0, {("urn:verb:danced", "outside"): 1})
    assert "outside" in printed(nothing)


def test_names_beyond_what_a_reader_can_take_in_are_added_up() -> None:
    counts = EventCounts(names={(f"urn:verb:{number:03}", "translated"): 2 for number in range(43)})
    assert "3 others 6" in " ".join(printed(counts).split())
