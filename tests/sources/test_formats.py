"""Records of a file as they would lie in a topic, whatever a line holds."""

import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from schemas.topics import EVENTS, FEEDBACK
from sources.formats import FORMATS, FormatError, NativeFormat, SourceRecord, format_named
from sources.line_files import MAX_LINE, LineFile, LineFileError

CLICK = b'{"type": "activity", "learner": "ann", "count": 2}'
DEEP = 100_000


def test_a_bare_line_is_a_message_whose_key_is_its_learner() -> None:
    assert NativeFormat.record(CLICK, 7) == SourceRecord(b"ann", CLICK, None, 7, EVENTS.name)
    tick = b'{"type": "tick"}'
    assert NativeFormat.record(tick, 1) == SourceRecord(None, tick, None, 1, EVENTS.name)


def test_a_platform_stands_before_the_learner_in_the_key() -> None:
    line = b'{"type": "activity", "learner": "ann", "platform": "edx"}'
    assert NativeFormat.record(line, 1).key == b"edx:ann"
    assert NativeFormat.record(b'{"key": "ann", "value": %s}' % line, 1).key == b"ann"


@pytest.mark.parametrize("kind", ["feedback", "preferences"])
def test_a_word_of_the_feedback_topic_is_of_it(kind: str) -> None:
    line = json.dumps({"type": kind, "learner": "ann"}).encode()
    assert NativeFormat.record(line, 1).topic == FEEDBACK.name
    assert NativeFormat.record(b'{"key": "ann", "value": %s}' % line, 1).topic == FEEDBACK.name


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b'{"key": "bob", "timestamp": 5, "value": %s}' % CLICK, (b"bob", CLICK, 5)),
        (b'{"value": %s}' % CLICK, (None, CLICK, None)),
        (b'{"key": null, "timestamp": null, "value": %s}' % CLICK, (None, CLICK, None)),
        (b'{"key": "bob", "value": null}', (b"bob", None, None)),
        (b'{"key": "bob", "value": %s}' % json.dumps(CLICK.decode()).encode(), (b"bob", CLICK, None)),
        (b'{"key": "bob", "value": "not JSON"}', (b"bob", b"not JSON", None)),
        (b'{"timestamp": -9, "value": [1]}', (None, b"[1]", -9)),
    ],
)
def test_a_line_may_be_a_whole_record(
    line: bytes, record: tuple[bytes | None, bytes | None, int | None]
) -> None:
    read = NativeFormat.record(line, 1)
    assert (read.key, read.value, read.timestamp) == record


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "activity", "learner": "ann", "value": 3}',
        b'{"key": 7, "learner": "ann", "value": {}}',
        b'{"key": 7, "value": {}}',
        b'{"value": {}, "timestamp": "2026-03-02T10:00:00Z"}',
        b'{"value": {}, "timestamp": 99999999999999999999}',
        b'{"value": {}, "offset": 3}',
        b'{"value": "\\ud800"}',
        b'{"value": {}',
        b"[" * DEEP + b'"value"',
        b'{"a":' * DEEP,
        b"\xff\xfe",
    ],
)
def test_whatever_else_a_line_is_it_is_a_message_as_it_stands(line: bytes) -> None:
    read = NativeFormat.record(line, 1)
    assert (read.value, read.timestamp) == (line, None)
    assert read.key == (b"ann" if b"ann" in line else None)


def test_a_number_that_only_the_contract_s_parser_takes_does_not_hide_the_key() -> None:
    assert NativeFormat.record(b'{"learner": "ann", "score": NaN}', 1).key == b"ann"


@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: json.dumps({"value": text}).encode()))
def test_no_line_raises(line: bytes) -> None:
    assert NativeFormat.record(line, 1).line == 1


def test_lines_are_numbered_as_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"\xef\xbb\xbf" + CLICK + b"\r\n\n  \n" + CLICK
    (tmp_path / "a.jsonl").write_bytes(text)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text, mtime=0))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    for path in (tmp_path / "a.jsonl", str(tmp_path / "a.jsonl.gz"), "-"):
        read = [(record.line, record.value) for record in FORMATS["native"].records(path)]
        assert read == [(1, CLICK), (4, CLICK)]


def test_a_line_that_is_too_long_is_one_record_and_the_next_is_read(tmp_path: Path) -> None:
    for length in (MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 3 * MAX_LINE + 5):
        (tmp_path / "long.jsonl").write_bytes(b"x" * length + b"\n" + CLICK + b"\n")
        long, click = NativeFormat().records(tmp_path / "long.jsonl")
        assert len(long.value or b"") == min(length, MAX_LINE + 1)
        assert (click.value, click.line) == (CLICK, 2)


def test_how_far_the_file_was_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes((CLICK + b"\n") * 10_000)
    told: list[int] = []
    assert len([*NativeFormat().records(tmp_path / "a.jsonl", told.append)]) == 10_000
    assert len(told) == 5
    assert told == sorted(told)
    assert 0 < told[0] <= told[-1] <= (tmp_path / "a.jsonl").stat().st_size


def test_a_file_that_is_not_whole_is_told_with_its_line(tmp_path: Path) -> None:
    packed = gzip.compress(CLICK + b"\n", mtime=0)
    (tmp_path / "cut.gz").write_bytes(packed[:-4])
    with (
        LineFile(tmp_path / "cut.gz") as file,
        pytest.raises(LineFileError, match=r"cut.gz:\d: .*not to its end"),
    ):
        list(file.lines())


@pytest.mark.parametrize("name", ["a.bz2", "a.xz", "a.zip"])
def test_a_file_that_is_packed_otherwise_is_told_how_to_read_it(name: str) -> None:
    with pytest.raises(
        LineFileError, match=rf"{name}': expected a plain file, gzip or Zstandard; read it as \w+ -d?[cp]"
    ):
        LineFile(name)


def test_zstandard_is_read_frame_by_frame(tmp_path: Path) -> None:
    frames = [zstandard.compress(CLICK + b"\n"), zstandard.compress(CLICK)]
    (tmp_path / "a.zst").write_bytes(b"".join(frames))
    with LineFile(tmp_path / "a.zst") as file:
        assert [line.strip() for line in file.lines()] == [CLICK, CLICK]
    (tmp_path / "cut.zst").write_bytes(b"no frame")
    with pytest.raises(LineFileError, match="expected gzip or Zstandard"):
        LineFile(tmp_path / "cut.zst")


def test_an_unknown_format_is_told_with_those_there_are() -> None:
    assert format_named("native") is FORMATS["native"]
    with pytest.raises(FormatError, match=r"--format is 'xml'; expected one of .*native"):
        format_named("xml")
