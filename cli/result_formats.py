"""Output formats of ``homeroom query``: a table, or the format that the query names.

ClickHouse's server ignores ``FORMAT`` for clients of the native protocol, which return rows; the most
common formats are therefore written here.
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
LineWriter = Callable[[Result], Iterator[str]]


class FormatError(HomeroomError, ValueError):
    """A query asks for a format that is not supported; the message names those that are."""


def format_of(sql: str, *, as_json: bool = False) -> LineWriter | None:
    """The function that writes a query's result as lines; None for a table. Call it before the query runs.

    as_json: whether JSON lines were requested by an option.

    Raises:
        FormatError: the format is not supported, or contradicts `as_json`.
    """
    requested = output_format(sql)
    if requested is None:
        return json_lines if as_json else None
    if as_json and requested not in ("JSONEachRow", "JSONLines"):
        raise FormatError(f"FORMAT {requested} and --json: expected one of them")
    if requested not in FORMATS:
        raise FormatError(f"FORMAT {requested}: expected one of {', '.join(FORMATS)}")
    return FORMATS[requested]


def plain(value: Any) -> str:
    """A value in ClickHouse's text formats: ``true``, ``\\N``; all others as Python's ``str``."""
    if value is None:
        return "\\N"
    return str(value).lower() if isinstance(value, bool) else str(value)


def json_lines(result: Result) -> Iterator[str]:
    """One JSON object per row. Infinities and NaN, which JSON lacks, are null."""
    for row in result.rows:
        record = {name: _json_value(value) for name, value in zip(result.columns, row, strict=True)}
        yield json.dumps(record, default=str, allow_nan=False)


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [_json_value(element) for element in value]
    if isinstance(value, dict):
        return {str(name): _json_value(element) for name, element in value.items()}
    return value


def _csv(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    for row in rows:
        line = StringIO()
        csv.writer(line, lineterminator="").writerow([plain(value) for value in row])
        yield line.getvalue()


_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"})


def _tsv(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    for row in rows:
        yield "\t".join("\\N" if value is None else plain(value).translate(_ESCAPED) for value in row)


FORMATS: dict[str, LineWriter | None] = {
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
"""ClickHouse's name of a format → its writer; None for a table."""
