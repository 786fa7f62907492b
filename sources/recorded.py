"""Recorded events of any format, from files and folders, as a stream in the order of event time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson

from schemas.errors import HomeroomError
from schemas.inbound import COURSE_FACT_TYPES
from sources.formats.records import OnRead, SourceRecord
from sources.formats.registry import EventFormat
from sources.line_files import files_in
from sources.stream import SourceMessage, with_ticks
from sources.time_order import in_time_order

MAX_SHOWN = 10
"""Refused records that are shown one by one."""


class RecordedError(HomeroomError, ValueError):
    """A path has no files, or no record in them can be used."""


@dataclass(slots=True)
class ReadingNotes:
    """What was read. refused: by reason and field; examples: of those, place and detail."""

    records: int = 0
    messages: int = 0
    refused: dict[tuple[str, str], int] = field(default_factory=dict)
    examples: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, place: str, reason: str, name: str, detail: str) -> None:
        """Count a refused record."""
        key = (reason, name)
        self.refused[key] = self.refused.get(key, 0) + 1
        if len(self.examples) < MAX_SHOWN:
            self.examples.append((place, f"{name}: {detail}" if name else detail))


def files_of(path: Path) -> list[Path]:
    """A file, or all files of a folder and its folders, by path, but hidden ones.

    Raises:
        RecordedError: there is none.
    """
    if not path.is_dir():
        return [path]
    found = files_in(path)
    if not found:
        raise RecordedError(f"{path}: is a folder without a file; expected files of records")
    return found


def read_recorded(
    sources: Sequence[tuple[EventFormat, Path]],
    notes: ReadingNotes,
    folder: Path | None = None,
    on_file: Callable[[Path], OnRead] = lambda _: lambda _: None,
    *,
    ticks: bool = True,
) -> Iterator[SourceMessage]:
    """The messages of files and folders of some formats, in time order, with clock ticks or without.

    notes: filled in while the files are read, which happens before the first message is returned. folder: for
    temporary files. on_file: called with each file; what it returns gets the bytes read so far.

    Raises:
        RecordedError: a folder is empty.
        LineFileError: a file cannot be read to its end.
    """
    messages = in_time_order(_messages(sources, notes, on_file), folder)
    return with_ticks(messages, "recorded") if ticks else messages


def _messages(
    sources: Iterable[tuple[EventFormat, Path]], notes: ReadingNotes, on_file: Callable[[Path], OnRead]
) -> Iterator[SourceMessage]:
    for event_format, path in sources:
        for file in [path] if event_format.takes_folders else files_of(path):
            for record in event_format.records(file, on_file(file)):
                notes.records += 1
                message = _message(record, file, notes)
                if message is not None:
                    notes.messages += 1
                    yield message


def epoch_of(moment: str) -> float:
    """A moment with its zone as epoch seconds.

    Raises:
        ValueError: it is none, or has no zone.
    """
    parsed = datetime.fromisoformat(moment)
    if parsed.tzinfo is None:
        raise ValueError(f"{moment} has no zone")
    return parsed.timestamp()


def _message(record: SourceRecord, file: Path, notes: ReadingNotes) -> SourceMessage | None:
    place = f"{file}:{record.line}"
    if record.refused is not None:
        refused = record.refused
        notes.refuse(place, refused.reason, refused.field, refused.detail)
        return None
    try:
        message = orjson.loads(record.value or b"null")
        kind = message["type"]
        text = message["graded_at"] if kind == "graded" else message["occurred_at"]
        occurred_at = int(epoch_of(text) // 1)
    except (TypeError, KeyError, ValueError) as error:
        notes.refuse(place, "invalid", "", f"expected a message of the contract ({error})")
        return None
    if kind == "tick":
        return None
    if kind in COURSE_FACT_TYPES:
        return SourceMessage(None, record.value or b"", True, occurred_at)
    if record.key is None:
        notes.refuse(place, "no_key", "learner", "expected a learner")
        return None
    return SourceMessage(record.key.decode(errors="replace"), record.value or b"", False, occurred_at)
