"""Rows for every table: a few fixed ones, and a strategy that makes any."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from hypothesis import strategies as st

from sinks.tables.declaration import Table

_SINGLE = st.floats(allow_nan=False, allow_infinity=False, width=32)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_SECONDS = st.datetimes(datetime(1970, 1, 1), datetime(2105, 12, 31), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(microsecond=0)
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "String": _TEXT,
    "LowCardinality(String)": _TEXT,
    "Nullable(String)": st.none() | _TEXT,
    "Date": st.dates(date(1970, 1, 1), date(2149, 6, 6)),
    "DateTime('UTC')": _SECONDS,
    "Nullable(DateTime('UTC'))": st.none() | _SECONDS,
    "DateTime64(3, 'UTC')": st.datetimes(
        datetime(1970, 1, 1), datetime(2105, 12, 31), timezones=st.just(UTC)
    ).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)),
    "Bool": st.booleans(),
    "Nullable(Date)": st.none() | st.dates(date(1970, 1, 1), date(2149, 6, 6)),
    "UInt8": st.integers(0, 2**8 - 1),
    "UInt16": st.integers(0, 2**16 - 1),
    "UInt32": st.integers(0, 2**32 - 1),
    "UInt64": st.integers(0, 2**64 - 1),
    "Int64": st.integers(-(2**63), 2**63 - 1),
    "Float32": _SINGLE,
    "Nullable(Float32)": st.none() | _SINGLE,
    "Float64": st.floats(allow_nan=False),
    "Array(String)": st.lists(_TEXT, max_size=5),
    "Array(UInt16)": st.lists(st.integers(0, 2**16 - 1), max_size=7),
    "Array(Float32)": st.lists(_SINGLE, max_size=5),
}


def any_rows(table: Table) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Lists of rows of a table, each key once."""
    names = list(table.columns)
    indices = [names.index(name) for name in table.key]
    return st.lists(
        st.tuples(*(VALUES[kind] for kind in table.columns.values())),
        min_size=1,
        max_size=8,
        unique_by=lambda row: tuple(row[index] for index in indices),
    )


def as_columns(table: Table, rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [row[index] for row in rows] for index, name in enumerate(table.columns)}


def risk(learner: str, day: date, probability: float, **others: Any) -> dict[str, list[Any]]:
    """One row of risk_history."""
    row = {
        "learner": learner,
        "course_run": "BBB/2014B",
        "day": day,
        "probability": probability,
        "exit_probability": None,
        "level": "high" if probability > 0.7 else "low",
        "model_state": "serving",
        "model_version": "lost/1",
        "partition": 0,
        "version": 1,
        "clicks": [],
    }
    return {name: [value] for name, value in (row | others).items()}


def hourly(rows: int, tick: int = 1_391_216_400) -> dict[str, Any]:
    """Rows of activity_hourly as a partition's tick makes them: numpy columns and epoch seconds."""
    return {
        "course_run": ["BBB/2014B"] * rows,
        "kind": ["quiz"] * rows,
        "hour": tick - 3600 * np.arange(rows, dtype=np.int64),
        "partition": np.zeros(rows, np.uint16),
        "tick": np.full(rows, tick),
        "events": np.arange(rows, dtype=np.uint64),
        "clicks": np.arange(rows) * 2,
        "seconds": np.arange(rows) * 3,
        "version": np.ones(rows, np.int64),
    }
