"""``homeroom check-events``: reads the files of a sample, with a progress bar, to its figures."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

from pydantic_core import from_json
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from engine.rules import Rules
from evaluation.errors import EventCheckError
from evaluation.event_check.counting import EventCounter
from evaluation.event_check.counts import EventCounts
from output.screen import Screen
from sources.formats import EventFormat, SourceRecord
from sources.formats.translation import Names
from sources.line_files import files_in

BATCH = 4_000

LARGE = 8_000_000
"""Bytes of files that are read with a progress bar."""

STDIN = "-"

OnRead = Callable[[int], None]


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files to read, in order; of a folder all files in it and in its folders, by path, but hidden ones.

    Raises:
        EventCheckError: standard input is named twice, or a folder has no file.
    """
    if sum(str(path) == STDIN for path in paths) > 1:
        raise EventCheckError("-: standard input can be read once; expected it to be named once")
    files: list[Path] = []
    for path in paths:
        if not _is_folder(path):
            files.append(path)
            continue
        found = files_in(path)
        if not found:
            raise EventCheckError(f"{path}: is a folder without a file; expected files of records")
        files += found
    return files


def _is_folder(path: Path) -> bool:
    try:
        return str(path) != STDIN and path.is_dir()
    except (OSError, ValueError):
        return False  # whoever opens it says what is wrong


def check(
    paths: Sequence[Path], event_format: EventFormat, rules: Rules, clock: str | None, now: int
) -> EventCounts:
    """The figures of a sample; several files are one log. Shows a progress bar on standard error.

    rules: a worker's. clock: *live* or *replay*; None: a replay where a tick is among the first records, else
    live. now: epoch seconds.

    Raises:
        EventCheckError: a path is not as expected.
        LineFileError: a file cannot be read to its end.
    """
    files = list(paths) if event_format.takes_folders else files_of(paths)
    with _progress(files) as on_read:
        return read_counts(files, event_format, rules, now, clock, on_read=on_read)


def read_counts(
    files: Sequence[Path],
    event_format: EventFormat,
    rules: Rules,
    now: int,
    clock: str | None = None,
    *,
    on_read: OnRead = lambda _: None,
    batch: int = BATCH,
) -> EventCounts:
    """The figures of files, read ``batch`` records at a time. on_read: called with the bytes read so far."""
    counter: EventCounter | None = None
    names: Names = {}
    done = 0
    for file in files:
        size = _size(file)
        records = event_format.records(file, on_read=_shifted(on_read, done), names=names)
        while chunk := list(islice(records, batch)):
            if counter is None:
                counter = EventCounter(_with_clock(rules, clock, chunk), now)
            counter.add(_name(file), chunk)
        done += size
        on_read(done)
    counts = (counter or EventCounter(rules, now)).counts()
    counts.names = names
    return counts


def _shifted(on_read: OnRead, before: int) -> OnRead:
    """Adds the bytes of the files before."""
    return lambda read: on_read(before + read)


def _with_clock(rules: Rules, clock: str | None, first: Sequence[SourceRecord]) -> Rules:
    is_replay = any(map(_is_tick, first)) if clock is None else clock == "replay"
    return replace(rules, timing=replace(rules.timing, clock="replay" if is_replay else "live"))


def _is_tick(record: SourceRecord) -> bool:
    if record.value is None or b'"tick"' not in record.value:
        return False
    try:
        message = from_json(record.value)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("type") == "tick"


def _name(file: Path) -> str:
    return "stdin" if str(file) == STDIN else str(file)


def _size(file: Path) -> int:
    try:
        return 0 if str(file) == STDIN else os.stat(file).st_size
    except (OSError, ValueError):
        return 0  # whoever opens it says what is wrong


@contextmanager
def _progress(files: Sequence[Path]) -> Iterator[OnRead]:
    """A bar of the bytes read, where they are many or their number is not known."""
    total = sum(map(_size, files))
    is_shown = total >= LARGE or any(str(file) == STDIN for file in files)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    screen = Screen(stderr=True)
    with Progress(
        *columns, console=screen, refresh_per_second=2, transient=True, disable=not is_shown
    ) as bar:
        task = bar.add_task("reading", total=total or None)
        yield lambda read: bar.update(task, completed=read)
