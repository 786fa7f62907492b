"""Rows that the store refuses for good: found among the others, which are written, and told as dead letters.

Knows neither Kafka nor the clock, and of the store only that it takes rows or says no.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from numbers import Integral
from typing import NamedTuple

from engine.outputs import Columns
from schemas.dead_letter import DeadLetter
from sinks.errors import StoreRejected
from sinks.store import content_token
from sinks.tables import TABLES

MOST = 20
"""Rows of a batch that may be at fault themselves. Where more are, something else is: the worker stops."""

LONGEST = 4_096
"""Characters of a row that its letter keeps."""

SHOWN = 500
"""Characters of a key, and of the store's words."""


class RefusedRow(NamedTuple):
    """A row by column, and what the store said of it alone."""

    table: str
    row: Columns
    error: StoreRejected


Insert = Callable[[str, Columns], Awaitable[None]]


def rows_in(columns: Columns) -> int:
    """How many rows a batch has."""
    return len(next(iter(columns.values()), []))


async def write_apart(insert: Insert, table: str, columns: Columns, error: StoreRejected) -> list[RefusedRow]:
    """Write a batch that was refused in halves, and their halves, until what is refused is single rows.

    Returns those, in order. Where a batch is cut depends on its number of rows alone, so the pieces, and the
    tokens by which the store knows them, are the same when it comes again.

    Raises:
        StoreRejected: ``error`` where all of several rows are refused, or more than :data:`MOST`: then it is
            not the rows that are wrong. Some may be written by then; written again they change nothing.
    """
    refused: list[RefusedRow] = []
    parts = [(columns, error)]
    while parts:
        part, words = parts.pop()
        rows = rows_in(part)
        if rows <= 1:
            refused.append(RefusedRow(table, part, words))
            if len(refused) > MOST:
                raise blamed(error, f"more than {MOST} rows of a batch are refused")
            continue
        for half in (slice(rows // 2), slice(rows // 2, rows)):
            piece = {name: values[half] for name, values in part.items()}
            try:
                await insert(table, piece)
            except StoreRejected as why:
                if why.mendable:
                    raise
                parts.append((piece, why))
    if len(refused) == rows_in(columns) > 1:
        raise blamed(error, f"all {len(refused)} rows of a batch are refused")
    return refused[::-1]


def blamed(error: StoreRejected, finding: str) -> StoreRejected:
    """The error with what makes it more than a row's fault."""
    return StoreRejected(
        f"{error.words} ({finding})", table=error.table, column=error.column, code=error.code
    )


def letter(refused: RefusedRow, at: datetime) -> DeadLetter:
    """A refused row's dead letter. The same row has the same id, and in the store the same key, each time.

    at: when it was refused, by the wall clock.
    """
    table, row, error = refused
    token = content_token(table, list(row), list(row.values()))
    values = {name: held[0] for name, held in row.items()}
    key = ", ".join(f"{name} {values[name]}" for name in TABLES[table].key if name in values)
    partition = values.get("partition", 0)
    return DeadLetter(
        dead_letter_id=f"store:{table}:{token}",
        topic=f"store:{table}",
        partition=int(partition) if isinstance(partition, Integral) else 0,
        offset=int(token[:13], 16),
        reason="refused_by_store",
        field=error.column,
        detail=f"{_printable(key)}: {_printable(str(error))}",
        payload=json.dumps(values, default=str)[:LONGEST],
        received_at=at,
    )


def _printable(text: str) -> str:
    """Of a readable length, and without what no encoding takes, which may be why the row was refused."""
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
