"""Native JSON lines: read as they are, and refused with line, field, value and expectation."""

import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from sources import native
from sources.line_files import MAX_LINE, LineFileError
from sources.native import NativeError
from sources.stream import DAY

CLICK = {
    "type": "activity",
    "event_id": "e1",
    "learner": "anna",
    "course_run": "maths/2026",
    "kind": "quiz",
    "occurred_at": "2026-02-03T10:00:00+01:00",
}
CALENDAR = {
    "type": "calendar",
    "event_id": "c1",
    "course": "maths",
    "course_run": "maths/2026",
    "occurred_at": "2026-02-01T00:00:00Z",
    "starts_at": "2026-02-01T00:00:00Z",
    "ends_at": "2026-05-01T00:00:00Z",
    "deadlines": [{"assessment": "a1", "due_at": "2026-03-01T00:00:00Z", "weight": 0.5}],
}


def lines(*messages: Mapping[str, object]) -> bytes:
    return b"".join(orjson.dumps(message) + b"\n" for message in messages)


def test_messages_are_passed_on_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines(CALENDAR) + b"\n" + lines(CLICK))
    calendar, click = native.read(path)
    assert (calendar.key, calendar.broadcast) == (None, True)
    assert (click.key, click.broadcast, click.value) == ("anna", False, orjson.dumps(CLICK))
    assert click.occurred_at == 1_770_109_200


def test_gz_and_standard_input_are_read_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(lines(CALENDAR, CLICK), mtime=0))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(lines(CALENDAR, CLICK))))
    assert list(native.read(packed)) == list(native.read("-"))


def test_ticks_are_added_to_a_file_in_order(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines(CALENDAR, CLICK))
    plain, ticked = list(native.read(path)), list(native.read(path, ticks=True))
    ticks = [message for message in ticked if message.value.startswith(b'{"type":"tick"')]
    assert [message for message in ticked if message not in ticks] == plain
    assert [message.occurred_at % DAY for message in ticks] == [0] * 6


def test_ticks_need_a_file_in_order(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines(CLICK, CALENDAR))
    with pytest.raises(
        NativeError, match=r"events.jsonl: occurred_at: .* expected events in order of time, or no"
    ):
        list(native.read(path, ticks=True))


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"{oops", r"input:2: message: b'\{oops', expected: Invalid JSON"),
        (b"[1]", r"input:2: message: \[1\], expected: Input should be an object"),
        (lines({"type": "click"}), r"input:2: message: .*'click'.* expected: .*'activity', 'enrolled'"),
        (lines({**CLICK, "kind": "dance"}), r"input:2: kind: 'dance', expected: .*'home', 'content'"),
        (lines({**CLICK, "score": 2}), r"input:2: score: 2, expected: .*less than or equal to 1"),
        (lines({**CLICK, "occurred_at": "2026-02-03T10:00:00"}), r"occurred_at: .*, expected: .*timezone"),
        (lines({k: v for k, v in CLICK.items() if k != "learner"}), r"input:2: learner: missing"),
        (
            lines({**CALENDAR, "deadlines": [{"assessment": "a", "due_at": "soon", "weight": 0}]}),
            r"input:2: deadlines.0.due_at: 'soon', expected",
        ),
        (lines({**CLICK, "object": "x" * 200}), r"input:2: object: 'x{79}…, expected: .*at most 128"),
    ],
)
def test_the_first_bad_line_says_what_is_wrong(line: bytes, error: str) -> None:
    reader = native.parse([lines(CLICK), line])
    assert next(reader).key == "anna"
    with pytest.raises(NativeError, match=error):
        next(reader)


def _cut(data: bytes) -> bytes:
    return data[: len(data) - 9]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("gone.jsonl", None, "cannot be read: No such file or directory; expected a file of JSON lines"),
        ("gone.gz", None, "cannot be read: No such file"),
        ("folder", "folder", "cannot be read: Is a directory"),
        ("folder.gz", "folder", "cannot be read: Is a directory"),
        ("a\0b", None, "cannot be read: embedded null byte"),
        ("plain.gz", lines(CALENDAR), "is not packed as its name says"),
        ("header.gz", b"\x1f\x8b", "is not packed as its name says, or not to its end"),
        ("garbage.gz", gzip.compress(b"", mtime=0)[:10] + b"\xff" * 50, "is not packed as its name says"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_when_it_is_named(
    tmp_path: Path, name: str, content: bytes | str | None, error: str
) -> None:
    if content == "folder":
        (tmp_path / name).mkdir()
    elif isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LineFileError, match=error):
        native.read(tmp_path / name, ticks=True)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("cut.gz", _cut(gzip.compress(lines(CALENDAR, CLICK), mtime=0)), r"cut.gz:\d+: .* not to its end"),
        ("wrong.gz", gzip.compress(lines(CALENDAR), mtime=0)[:-8] + b"\0" * 8, r"wrong.gz:\d: is not packed"),
        (
            "utf16.jsonl",
            lines(CALENDAR).decode().encode("utf-16"),
            r"utf16.jsonl:1: message: .* Invalid JSON",
        ),
        ("latin.jsonl", b'{"type": "tick", "source": "\xe4"}', r"latin.jsonl:1: message: .* Invalid JSON"),
        ("zeros.jsonl", b"\0" * 100, r"zeros.jsonl:1: message: .* Invalid JSON"),
        (
            "packed.jsonl",
            gzip.compress(lines(CALENDAR), mtime=0),
            r"packed.jsonl:1: message: .* Invalid JSON",
        ),
        ("long.jsonl", b" " * (MAX_LINE + 1), r"long.jsonl:1: is longer than 1,048,576 bytes"),
        ("bomb.gz", gzip.compress(b"[" * (MAX_LINE + 1), mtime=0), r"bomb.gz:1: is longer than"),
        ("deep.jsonl", b"[" * 100_000, r"deep.jsonl:1: message: .* Invalid JSON"),
    ],
)
def test_what_is_no_message_is_told_with_its_line(
    tmp_path: Path, name: str, content: bytes, error: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((LineFileError, NativeError), match=error):
        list(native.read(tmp_path / name, ticks=True))


def test_a_byte_order_mark_is_no_part_of_the_first_message(tmp_path: Path) -> None:
    (tmp_path / "windows.jsonl").write_bytes(b"\xef\xbb\xbf" + lines(CALENDAR).replace(b"\n", b"\r\n"))
    (message,) = native.read(tmp_path / "windows.jsonl")
    assert message.value == orjson.dumps(CALENDAR)
