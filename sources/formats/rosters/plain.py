"""Rosters as plain CSV with documented columns."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import orjson

from schemas.roles import ROLES
from sources.formats.fields import content_id, moment_in_utc, name_of, number
from sources.formats.files import raw_values, take
from sources.formats.records import OnRead, SourceRecord
from sources.formats.translation import InvalidFieldError, Message, Names, Translation
from sources.line_files import LineFileError

Row = dict[str, str]
_Deadlines = dict[str, list[Message]]

LEARNERS, CALENDARS, DEADLINES = "learners.csv", "calendars.csv", "deadlines.csv"
RESULTS = ("pass", "distinction", "fail")


class PlainRosterFormat:
    """A folder with ``learners.csv``, ``calendars.csv`` and ``deadlines.csv``, or the first of them alone.

    - learners: ``learner,course_run,enrolled_at``; optional ``role,section,track,timezone,language``,
      ``withdrawn_at``, and ``result`` (pass, distinction, fail) with ``result_at``.
    - calendars: ``course_run,course,occurred_at,starts_at``; optional ``ends_at``. ``occurred_at``: when it
      was last changed.
    - deadlines: ``course_run,assessment,due_at,weight`` (a share, 0 to 1); optional ``section,learner``.

    Moments without a zone are in UTC. A date without a time is the start of its day; of ``ends_at``,
    ``due_at``, ``withdrawn_at`` and ``result_at`` the last second of it. A wrong row is refused alone.
    """

    description = "CSV: a folder with learners.csv, calendars.csv and deadlines.csv, or learners.csv alone"
    takes_folders = True

    def records(
        self, path: Path | str, on_read: OnRead = lambda _: None, names: Names | None = None
    ) -> Iterator[SourceRecord]:
        """See :class:`sources.formats.EventFormat`. Calendars come first. Lines are those of each file.

        Raises:
            LineFileError: a file cannot be read, or the folder has neither learners nor calendars.
        """
        into = Translation()
        if names is not None:
            into.names = names
        folder = Path(path)
        if folder.name in (CALENDARS, DEADLINES) and not folder.is_dir():
            raise LineFileError(f"{folder}: is a part of a roster; expected the folder that holds it")
        if not folder.is_dir():
            yield from _rows(path, LEARNERS, _learner, into, on_read)
            return
        there = {each for each in (LEARNERS, CALENDARS, DEADLINES) if (folder / each).is_file()}
        if not there & {LEARNERS, CALENDARS}:
            raise LineFileError(f"{folder}: has neither {LEARNERS} nor {CALENDARS}; expected one of them")
        if DEADLINES in there and CALENDARS not in there:
            raise LineFileError(f"{folder}: has {DEADLINES} and no {CALENDARS}; expected both")
        yield from _calendars(folder, there, into, on_read)
        if LEARNERS in there:
            yield from _rows(folder / LEARNERS, LEARNERS, _learner, into, on_read)


def _calendars(folder: Path, there: set[str], into: Translation, on_read: OnRead) -> Iterator[SourceRecord]:
    if CALENDARS not in there:
        return
    runs = {
        orjson.loads(value).get("course_run") for _, value in raw_values(folder / CALENDARS, framing="csv")
    }
    due: _Deadlines = {}

    def deadline(row: Row, _: Translation) -> None:
        run = name_of(row.get("course_run"), "course_run")
        if run not in runs:
            raise InvalidFieldError("course_run", run, f"a run of {CALENDARS}")
        due.setdefault(run, []).append(_deadline(row))

    if DEADLINES in there:
        yield from _rows(folder / DEADLINES, DEADLINES, deadline, into, on_read)
    yield from _rows(folder / CALENDARS, CALENDARS, lambda row, to: _calendar(row, due, to), into, on_read)


def _rows(
    path: Path | str, file: str, read: Callable[[Row, Translation], None], into: Translation, on_read: OnRead
) -> Iterator[SourceRecord]:
    for line, value in raw_values(path, "csv", on_read):
        row = {name.strip(): text.strip() for name, text in orjson.loads(value).items()}
        try:
            read(row, into)
            into.count(file, "translated")
        except InvalidFieldError as error:
            into.messages.clear()
            into.refuse(error, f"{file}:{line}")
        yield from take(into, value, line)


def _learner(row: Row, into: Translation) -> None:
    learner, run = name_of(row.get("learner"), "learner"), name_of(row.get("course_run"), "course_run")

    def say(kind: str, at: str, **fields: str) -> None:
        message = {"type": kind, "learner": learner, "course_run": run, "occurred_at": at, **fields}
        into.messages.append({**message, "event_id": content_id(orjson.dumps(message))})

    optional = {
        name: text for name in ("section", "track", "timezone", "language") if (text := row.get(name))
    }
    if role := row.get("role"):
        optional["role"] = _one_of(role, "role", ROLES)
    say("enrolled", _at(row, "enrolled_at"), **optional)
    if row.get("withdrawn_at"):
        say("withdrawn", _at(row, "withdrawn_at", ends=True))
    if result := row.get("result"):
        say("completed", _at(row, "result_at", ends=True), result=_one_of(result, "result", RESULTS))


def _calendar(row: Row, due: _Deadlines, into: Translation) -> None:
    run = name_of(row.get("course_run"), "course_run")
    message: Message = {
        "type": "calendar",
        "course_run": run,
        "course": name_of(row.get("course"), "course"),
        "occurred_at": _at(row, "occurred_at"),
        "starts_at": _at(row, "starts_at"),
        "deadlines": due.get(run, []),
    }
    if row.get("ends_at"):
        message["ends_at"] = _at(row, "ends_at", ends=True)
    into.messages.append({**message, "event_id": content_id(orjson.dumps(message))})


def _deadline(row: Row) -> Message:
    weight = number(row.get("weight"), "weight")
    if weight is None or not 0 <= weight <= 1:
        raise InvalidFieldError("weight", row.get("weight"), "a share, 0 to 1")
    whose = {name: text for name in ("section", "learner") if (text := row.get(name))}
    work = name_of(row.get("assessment"), "assessment")
    return {"assessment": work, "due_at": _at(row, "due_at", ends=True), "weight": weight, **whose}


def _at(row: Row, column: str, *, ends: bool = False) -> str:
    found = row.get(column) or None
    if found is None:
        raise InvalidFieldError(column, None, "a date or a moment")
    try:
        day = date.fromisoformat(found)
    except ValueError:
        return moment_in_utc(found, column)
    return f"{day}T{'23:59:59' if ends else '00:00:00'}Z"


def _one_of(found: str, field: str, known: tuple[str, ...]) -> str:
    if found not in known:
        raise InvalidFieldError(field, found, f"one of {', '.join(known)}")
    return found
