"""Reads recorded events of any format with a progress bar."""

import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from output.screen import Screen
from sources.formats.records import OnRead
from sources.formats.registry import format_named
from sources.recorded import ReadingNotes, read_recorded
from sources.source_list import SourceList
from sources.stream import SourceMessage


def read_with_progress(
    sources: SourceList, recorded: Sequence[tuple[str, Path]], platform: str | None
) -> tuple[Iterable[SourceMessage], ReadingNotes]:
    """The messages in time order, with ticks; and what was read, which is complete when this returns.

    recorded: names of formats, and paths.

    Raises:
        FormatError, RecordedError, LineFileError: a format or a file is wrong.
    """
    notes = ReadingNotes()
    files = [(format_named(name, sources.options(name, platform)), path) for name, path in recorded]
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Screen(stderr=True), refresh_per_second=2, transient=True) as bar:

        def on_file(file: Path) -> OnRead:
            task = bar.add_task(file.name, total=os.stat(file).st_size if file.is_file() else None)
            return lambda read: bar.update(task, completed=read)

        stream = read_recorded(files, notes, on_file=on_file)
        first = list(itertools.islice(stream, 1))  # reads and sorts all files
    return itertools.chain(first, stream), notes
