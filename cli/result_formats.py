"""The forms in which ``homeroom query`` writes an answer: a table for people, else what the query names.

ClickHouse's server would write what ``FORMAT`` asks for, but its rows come to us in the form of the native
protocol whatever is asked, so the forms that are asked for most are written here.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from math import isfinite
from typing import Any

from schemas.errors import HomeroomError
from sinks.statements import output_format
from sinks.store import Result

Row = tuple[Any, ...]
Lines = Callable[[Result], Iterator[str]]


class FormatError(HomeroomError, ValueError):
    """A query asks for a form in which no answer is written; the message names those there are."""


def form_of(sql: str, *, as_json: bool = False) -> Lines | None:
    """What writes the answer to a query as lines; None for a table. Ask before the query is run.

    as_json: whether JSON lines were asked for beside the query. Raises ``FormatError``.
    """
    asked = output_format(sql)
    if asked is None:
        return json_lines if as_json else None
    if as_json and asked not in ("JSONEachRow", "JSONLines"):
        raise FormatError(f"FORMAT {asked} and --json: expected one of them")
    if asked not in FORMS:
        raise FormatError(f"FORMAT {asked}: expected one of {', '.join(FORMS)}")
    return FORMS[asked]


def plain(value: Any) -> str:
    """A value as ClickHouse writes it in text: ``true``, ``\\N``; all others as Python does."""
    if value is None:
        return "\\N"
    return str(value).lower() if isinstance(value, bool) else str(value)


def json_lines(answer: Result) -> Iterator[str]:
    """An object a row. What JSON has no word for is null."""
    for row in answer.rows:
        found = {name: _known(value) for name, value in zip(answer.columns, row, strict=True)}
        yield json.dumps(found, default=str, allow_nan=False)


def _known(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [_known(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _known(one) for name, one in value.items()}
    return value


def _csv(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    for row in rows:
        line = StringIO()
        csv.writer(line, lineterminator="").writerow([plain(value) for value in row])
        yield line.getvalue()


_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def _tsv(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    for row in rows:
        yield "\t".join("\\N" if one is None else plain(one).translate(_ESCAPED) for one in row)


FORMS: dict[str, Lines | None] = {
    "CSV": lambda answer: _csv(answer.rows),
    "CSVWithNames": lambda answer: _csv([answer.columns, *answer.rows]),
    "TSV": lambda answer: _tsv(answer.rows),
    "TSVWithNames": lambda answer: _tsv([answer.columns, *answer.rows]),
    "TabSeparated": lambda answer: _tsv(answer.rows),
    "TabSeparatedWithNames": lambda answer: _tsv([answer.columns, *answer.rows]),
    "JSONEachRow": json_lines,
    "JSONLines": json_lines,
    "Pretty": None,
}
"""By ClickHouse's names."""
