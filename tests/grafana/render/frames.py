"""Answers of the store as data frames, in the JSON in which Grafana's server sends them to the browser.

As the ClickHouse plugin makes them: a time series with text columns becomes a wide frame, a field for each
combination of their values with these as its labels, sorted by name and labels, null where a row is missing.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from grafana.clickhouse import Shape
from sinks.store import Result

WRAPPED = re.compile(r"^(?:Nullable|LowCardinality)\((.*)\)$")
KINDS = (("Date", "time"), ("Bool", "boolean"), ("Int", "number"), ("UInt", "number"), ("Float", "number"))

Field = dict[str, Any]


def frames(result: Result, shape: Shape) -> list[dict[str, Any]]:
    """What a panel receives: one frame."""
    columns = [[row[column] for row in result.rows] for column in range(len(result.columns))]
    fields: list[tuple[Field, list[Any]]] = [
        ({"name": name, "type": kind(of)}, [plain(cell) for cell in cells])
        for name, of, cells in zip(result.columns, result.types, columns, strict=True)
    ]
    if shape == Shape.TIME_SERIES and result.rows and any(field["type"] == "string" for field, _ in fields):
        fields = wide(fields)
    return [
        {
            "schema": {"refId": "A", "fields": [field for field, _ in fields]},
            "data": {"values": [values for _, values in fields]},
        }
    ]


def kind(of: str) -> str:
    """A ClickHouse type as Grafana's."""
    while inner := WRAPPED.match(of):
        of = inner[1]
    return next((name for prefix, name in KINDS if of.startswith(prefix)), "string")


def plain(cell: Any) -> Any:
    """A cell as JSON has it; a time in milliseconds."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=cell.tzinfo or UTC).timestamp() * 1000
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=UTC).timestamp() * 1000
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return cell


def wide(fields: Sequence[tuple[Field, list[Any]]]) -> list[tuple[Field, list[Any]]]:
    """Of a long frame whose first column is the time, ascending."""
    (time, times), *others = fields
    texts = [(field["name"], values) for field, values in others if field["type"] == "string"]
    instants = list(dict.fromkeys(times))
    indices = {instant: index for index, instant in enumerate(instants)}
    series: dict[tuple[str, ...], tuple[Field, list[Any]]] = {}
    for field, values in others:
        if field["type"] == "string":
            continue
        for row, value in enumerate(values):
            labels = {name: cells[row] for name, cells in texts}
            key = (field["name"], *labels.values())
            if key not in series:
                series[key] = ({**field, "labels": labels}, [None] * len(instants))
            series[key][1][indices[times[row]]] = value
    return [(time, instants), *(series[key] for key in sorted(series))]
