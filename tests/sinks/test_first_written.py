"""When something was first written stays what it was, whatever comes again and whenever the store merges."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from sinks.address import StoreAddress
from sinks.migrate import migrate, migrations
from sinks.store import ClickHouseWriter
from tests.stores import fresh_database

BEFORE = next(step.number for step in migrations() if step.name == "first_written") - 1
FIRST = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
LATER = FIRST + timedelta(hours=1)
DAY = datetime(2026, 2, 1, tzinfo=UTC)
CHANGES = 20_000
"""More than a granule, so that the index by the time of writing has something to pass over."""

KINDS = ["decision", "model_event", "policy", "risk_change"]


@pytest.fixture
def empty(store: StoreAddress) -> Iterator[StoreAddress]:
    with fresh_database(store, migrated=False) as mine:
        yield mine


def write_all(writer: ClickHouseWriter, moment: datetime, token: str) -> None:
    """Changes, of each a decision, and what was found of a model; all as written at ``at``."""
    ids = [f"{number:05d}" for number in range(CHANGES)]
    moments = [DAY + timedelta(seconds=number) for number in range(CHANGES)]
    rows: dict[str, dict[str, list[Any]]] = {
        "risk_changes": {"risk_change_id": ids, "occurred_at": moments, "level": ["high"] * CHANGES},
        "nudge_ledger": {
            "decision_id": ids,
            "decided_at": moments,
            "decision": ["send"] * CHANGES,
            "policy_version": ["first"] * CHANGES,
        },
        "model_metrics": {"metric": ["event/model_replaced/m", "auc"], "day": [date(2026, 2, 1)] * 2},
    }
    for table, columns in rows.items():
        written = [moment] * len(next(iter(columns.values())))
        writer.write(table, columns | {"ingested_at": written}, f"{table} {token}")


def first_writes(writer: ClickHouseWriter, since: datetime) -> list[tuple[str, int]]:
    """What was first written in the hour from a moment, as the boards ask it."""
    hour = f"ingested_at >= toDateTime({int(since.timestamp())}) AND ingested_at < " + (
        f"toDateTime({int(since.timestamp()) + 3600})"
    )
    return writer.command(
        f"SELECT kind, count() FROM first_written FINAL WHERE {hour} GROUP BY kind ORDER BY kind"
    )


def test_a_repeat_does_not_move_it_before_a_merge_or_after(empty: StoreAddress) -> None:
    """The rows are older than the table, which takes over what it can still tell of them."""
    expected = list(zip(KINDS, [CHANGES, 1, 1, CHANGES], strict=True))
    migrate(empty, BEFORE)
    with ClickHouseWriter(empty) as writer:
        writer.command("SYSTEM STOP MERGES")
        write_all(writer, FIRST, "first")
        migrate(empty)
        assert (first_writes(writer, FIRST), first_writes(writer, LATER)) == (expected, [])
        write_all(writer, LATER, "again")
        assert (first_writes(writer, FIRST), first_writes(writer, LATER)) == (expected, [])
        writer.command("SYSTEM START MERGES")
        for table in ("risk_changes", "nudge_ledger", "model_metrics", "first_written"):
            writer.command(f"OPTIMIZE TABLE {table} FINAL")
        assert writer.command("SELECT uniqExact(ingested_at) FROM risk_changes") == [(1,)]
        assert (first_writes(writer, FIRST), first_writes(writer, LATER)) == (expected, [])
        migrate(empty, BEFORE)
        assert not [name for (name,) in writer.command("SHOW TABLES") if name.startswith("first_")]
