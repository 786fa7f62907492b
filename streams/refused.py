"""Rows that the store refuses for good: isolated from the others, which are written, and made dead letters.

Knows neither Kafka nor the clock, and of the store only that it inserts rows or refuses them.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from numbers import Integral
from typing import NamedTuple

from engine.outputs import Columns
from schemas.dead_letter import MAX_PAYLOAD_CHARS, DeadLetter
from sinks.errors import StoreRejected
from sinks.store import content_token
from sinks.tables import TABLES

MAX_REFUSED_ROWS = 20
"""Rows of a batch that may be refused. Where more are, the rows are not the cause: the worker stops."""

MAX_DETAIL_CHARS = 500
"""Characters of a row's key, and of the store's message, in a dead letter."""


class RefusedRow(NamedTuple):
    """A row by column, and the store's error for it alone."""

    table: str
    row: Columns
    error: StoreRejected


Insert = Callable[[str, Columns], Awaitable[None]]


def row_count(columns: Columns) -> int:
    """The number of rows of a batch."""
    return len(next(iter(columns.values()), []))


async def insert_by_halves(
    insert: Insert, table: str, columns: Columns, error: StoreRejected
) -> list[RefusedRow]:
    """Insert a refused batch by bisection: in halves, and their halves, until single rows are refused.

    Returns the refused rows, in order. Where a batch is split depends on its number of rows alone, so the
    parts and their deduplication tokens are the same when it is redelivered.

    Raises:
        StoreRejected: ``error`` where all of several rows are refused, or more than
            :data:`MAX_REFUSED_ROWS`: then the rows are not the cause. Some may be inserted by then; inserting
            them again changes nothing.
    """
    refused: list[RefusedRow] = []
    queue = [(columns, error)]
    while queue:
        columns_part, part_error = queue.pop()
        rows = row_count(columns_part)
        if rows <= 1:
            refused.append(RefusedRow(table, columns_part, part_error))
            if len(refused) > MAX_REFUSED_ROWS:
                raise escalated(error, f"more than {MAX_REFUSED_ROWS} rows of a batch are refused")
            continue
        for half in (slice(rows // 2), slice(rows // 2, rows)):
            half_columns = {name: values[half] for name, values in columns_part.items()}
            try:
                await insert(table, half_columns)
            except StoreRejected as half_error:
                if half_error.repairable:
                    raise
                queue.append((half_columns, half_error))
    if len(refused) == row_count(columns) > 1:
        raise escalated(error, f"all {len(refused)} rows of a batch are refused")
    return refused[::-1]


def escalated(error: StoreRejected, finding: str) -> StoreRejected:
    """The error with the finding by which it is not the fault of single rows."""
    return StoreRejected(
        f"{error.message} ({finding})", table=error.table, column=error.column, code=error.code
    )


def refused_row_letter(refused: RefusedRow, refused_at: datetime) -> DeadLetter:
    """A refused row's dead letter. Its id, and its key in the store, depend on the row alone.

    refused_at: by the wall clock.
    """
    table, row, error = refused
    token = content_token(table, list(row), list(row.values()))
    values = {name: column[0] for name, column in row.items()}
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
        payload=json.dumps(values, default=str)[:MAX_PAYLOAD_CHARS],
        received_at=refused_at,
    )


def _printable(text: str) -> str:
    """Shorten a text, and escape what cannot be encoded, which may be why the row was refused."""
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= MAX_DETAIL_CHARS else text[:MAX_DETAIL_CHARS] + "…"
