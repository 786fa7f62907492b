"""Rows a second into the store, by rows an insert: ``python -m benchmarks.sink_insert``.

Inserts rows of two tables as the pipeline does (:class:`sinks.store.ClickHouseWriter`, content token
included) through the embedded store's gateway, or into the server named by ``--store``. The result is the
reason why sinks flush at 10,000 rows or every second or two, and not sooner.
"""

import argparse
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np

from sinks.address import StoreAddress
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate
from sinks.store import ClickHouseWriter, Columns

SIZES = (1_000, 10_000, 100_000)
ROWS = 200_000
"""Rows a measurement: some seconds at the smallest size."""


def activity(rows: int, batch: int) -> Columns:
    """Numbers, times and two words: activity_hourly."""
    index = np.arange(rows)
    return {
        "course_run": ["BBB/2014B"] * rows,
        "kind": ["quiz"] * rows,
        "hour": 1_391_216_400 + 3600 * index,
        "partition": np.zeros(rows, np.uint16),
        "tick": np.full(rows, 1_391_216_400 + 3600 * batch),
        "events": index,
        "clicks": index * 2,
        "seconds": index * 3,
        "version": np.full(rows, batch),
    }


def risk(rows: int, batch: int) -> Columns:
    """Mostly text, and a Nullable: risk_history, which feeds a materialized view."""
    return {
        "learner": [f"{number:016x}" for number in range(rows)],
        "course_run": ["BBB/2014B"] * rows,
        "day": [date.fromordinal(735_000 + batch)] * rows,
        "probability": np.linspace(0, 1, rows),
        "exit_probability": np.linspace(0, 1, rows),
        "level": ["medium"] * rows,
        "model_state": ["serving"] * rows,
        "model_version": ["lost/1"] * rows,
        "partition": np.zeros(rows, np.uint16),
        "version": np.full(rows, batch),
    }


MAKERS = {"activity_hourly": activity, "risk_history": risk}


def rate(writer: ClickHouseWriter, table: str, size: int) -> float:
    """Rows a second over ``ROWS`` rows in inserts of ``size``; making the batches is not counted."""
    spent = 0.0
    for batch in range(ROWS // size):
        columns = MAKERS[table](size, batch)
        before = time.perf_counter()
        writer.write(table, columns)
        spent += time.perf_counter() - before
    return ROWS / spent


def measure(address: StoreAddress) -> None:
    migrate(address)
    with ClickHouseWriter(address) as writer:
        for table in MAKERS:
            for size in SIZES:
                writer.command(f"TRUNCATE TABLE {table}")
                print(
                    f"{table:16} {size:>8,} rows an insert {rate(writer, table, size):>10,.0f} rows/s",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.sink_insert")
    parser.add_argument("--store", help="clickhouse://user:password@host:port/database; default: embedded")
    options = parser.parse_args()
    if options.store:
        measure(StoreAddress.parse(options.store))
        return
    with tempfile.TemporaryDirectory() as folder, EmbeddedStore(Path(folder) / "store") as address:
        measure(address)


if __name__ == "__main__":
    main()
