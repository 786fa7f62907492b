"""The migrations make what :mod:`sinks.tables` declares, and every row of it comes back."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.store import ClickHouseWriter
from sinks.tables import FILLED_BY_VIEWS, TABLES
from sinks.tables.declaration import Table
from sinks.tables.risk import RISK_HISTORY
from tests.sinks.rows import any_rows, as_columns

WRITTEN = [table for table in TABLES.values() if table.name not in FILLED_BY_VIEWS]


def by_name(table: Table) -> str:
    return table.name


@pytest.mark.parametrize("table", TABLES.values(), ids=by_name)
def test_a_table_is_as_declared(writer: ClickHouseWriter, table: Table) -> None:
    columns = {row[0]: (row[1], row[3]) for row in writer.command(f"DESCRIBE TABLE {table.name}")}
    kind, default = columns.pop("ingested_at")
    folded = re.sub(r"^SimpleAggregateFunction\((?:min|max), (.*)\)$", r"\1", kind)
    assert (folded, default) == ("DateTime('UTC')", "now()")
    assert {name: kind for name, (kind, _) in columns.items()} == table.columns
    ((key, engine),) = writer.command(
        "SELECT sorting_key, engine_full FROM system.tables "
        f"WHERE database = '{writer.address.database}' AND name = '{table.name}'"
    )
    assert tuple(key.replace("`", "").split(", ")) == table.key
    is_filled_by_views = table.name in FILLED_BY_VIEWS
    assert engine.startswith("AggregatingMergeTree" if is_filled_by_views else "ReplacingMergeTree")
    assert ("(version)" in engine) == ("version" in table.columns and not is_filled_by_views)
    assert "non_replicated_deduplication_window" in engine


def test_nothing_is_deleted_by_event_time(writer: ClickHouseWriter) -> None:
    """A replay of an old term must not vanish as it is written."""
    for name, engine in writer.command(
        "SELECT name, engine_full FROM system.tables "
        f"WHERE database = '{writer.address.database}' AND engine_full LIKE '%TTL%'"
    ):
        expected = "TTL at +" if name == "pipeline_health" else "TTL ingested_at +"
        assert expected in engine, name


def test_risk_now_has_the_columns_of_the_history(writer: ClickHouseWriter) -> None:
    """But for what says how a row was written, and not what was estimated."""
    columns = {row[0]: row[1] for row in writer.command("DESCRIBE TABLE risk_now")}
    expected = set(RISK_HISTORY.columns) - {"partition", "version", "clicks"} | {"gone"}
    assert set(columns) == expected
    assert columns["exit_probability"] == RISK_HISTORY.columns["exit_probability"]


@pytest.mark.parametrize("table", WRITTEN, ids=by_name)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_row_comes_back(writer: ClickHouseWriter, table: Table, data: st.DataObject) -> None:
    rows = data.draw(any_rows(table))
    writer.command(f"SYSTEM STOP TTL MERGES {table.name}")
    writer.command(f"TRUNCATE TABLE {table.name}")
    columns = as_columns(table, rows)
    for _ in range(2):
        writer.write(table.name, columns, token=None)
    listed = ", ".join(f"`{name}`" for name in table.columns)
    selected = writer.command(f"SELECT {listed} FROM {table.name}")
    assert len(selected) == len(rows)
    assert all(row in selected for row in rows)
