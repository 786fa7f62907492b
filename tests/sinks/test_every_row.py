"""What a store answers for is in its tables: a full disk, a constraint and a view that fails are errors.

What was refused for a while goes in whole when it is sent again.
"""

import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from sinks.address import StoreAddress
from sinks.errors import StoreDown, StoreRejected
from sinks.store import ClickHouseWriter
from tests.sinks.rows import risk
from tests.stores import fresh_database, store_on_a_small_disk, until_full

ROWS = 10


def heavy(batch: int) -> dict[str, list[Any]]:
    """Rows of risk_history, of 20 kB each that do not compress; each is an enrolment of its own."""
    rows = [
        risk(
            f"{batch}-{row}",
            date(2014, 3, 1),
            0.9,
            model_version=random.Random(f"{batch}-{row}").randbytes(10_000).hex(),
        )
        for row in range(ROWS)
    ]
    return {name: [row[name][0] for row in rows] for name in rows[0]}


def counts(writer: ClickHouseWriter, table: str = "risk_history") -> tuple[int, int]:
    """Rows as stored, and learners among them."""
    return writer.command(f"SELECT count(), uniqExact(learner) FROM {table}")[0]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ClickHouseWriter, int, Any]]:
    """A writer to a store whose disk is full, the batches that were answered for, and how to make room."""
    with (
        store_on_a_small_disk(tmp_path_factory.mktemp("small")) as disk,
        fresh_database(disk.address) as database,
        ClickHouseWriter(database) as writer,
    ):
        writer.command("SYSTEM STOP MERGES")  # they would make room, or take it, at their own time
        answered = until_full(lambda batch: writer.write("risk_history", heavy(batch)))
        yield writer, answered, disk.make_room


def test_a_full_disk_is_an_error_and_what_was_answered_for_is_there(full: Any) -> None:
    writer, answered, make_room = full
    assert answered
    for batch in (answered, answered + 1):
        with pytest.raises(StoreDown):
            writer.write("risk_history", heavy(batch))
    with pytest.raises(StoreDown):
        writer.command("INSERT INTO model_metrics (metric) SELECT randomString(4000000)")
    refused = [f"{batch}-{row}" for batch in (answered, answered + 1) for row in range(ROWS)]
    there = f"SELECT uniqExact(learner) FROM risk_history WHERE learner NOT IN {refused}"
    assert writer.command(there) == [(answered * ROWS,)]
    make_room()
    for batch in (answered, answered + 1, 0):
        assert writer.write("risk_history", heavy(batch)) == ROWS
    whole = (answered + 2) * ROWS
    assert counts(writer) == counts(writer, "standing") == (whole, whole), "behind the view as well"


def create(writer: ClickHouseWriter, constraint: str = "") -> None:
    """``t``, and ``u`` that a view fills from it: n doubled."""
    settings = "ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"
    writer.command(f"CREATE TABLE t (n UInt32) {settings}")
    writer.command(f"CREATE TABLE u (n UInt32{constraint}) {settings}")
    writer.command("CREATE MATERIALIZED VIEW v TO u AS SELECT n * 2 AS n FROM t")


def test_a_violated_constraint_is_an_error(writer: ClickHouseWriter) -> None:
    create(writer)
    writer.command("ALTER TABLE t ADD CONSTRAINT small CHECK n < 50")
    with pytest.raises(StoreRejected, match="small") as caught:
        writer.write("t", {"n": list(range(100))})
    assert caught.value.code == 469
    assert writer.command("SELECT count() FROM t") == [(0,)]
    assert writer.write("t", {"n": [1, 2]}) == 2
    assert writer.command("SELECT count() FROM u") == [(2,)]


def test_an_error_behind_a_view_is_an_error_and_the_same_batch_again_mends_it(
    writer: ClickHouseWriter,
) -> None:
    create(writer, ", CONSTRAINT small CHECK n < 50")
    with pytest.raises(StoreRejected, match="small"):
        writer.write("t", {"n": [1, 40]})
    writer.command("ALTER TABLE u DROP CONSTRAINT small")
    for _ in range(2):
        assert writer.write("t", {"n": [1, 40]}) == 2
    assert writer.command("SELECT n FROM t ORDER BY n") == [(1,), (40,)]
    assert writer.command("SELECT n FROM u ORDER BY n") == [(2,), (80,)]


def test_a_view_without_its_target_is_an_error(writer: ClickHouseWriter) -> None:
    create(writer)
    writer.command("DROP TABLE u")
    with pytest.raises(StoreRejected):
        writer.write("t", {"n": [1]})


def test_a_batch_of_many_blocks_is_there_once(database: StoreAddress) -> None:
    """Tokens number the blocks: they must come in the same order each time."""
    rows = [[number] for number in range(200_000)]
    with ClickHouseWriter(database) as writer:
        create(writer)
        for _ in range(2):
            writer._connection.execute(
                "INSERT INTO t VALUES",
                rows,
                settings={
                    "insert_deduplication_token": "a",
                    "insert_block_size": 10_000,
                    "async_insert": 0,
                    "min_insert_block_size_rows": 10_000,
                    "deduplicate_blocks_in_dependent_materialized_views": 1,
                },
            )
        assert writer.command("SELECT count(), uniqExact(n) FROM t") == [(200_000, 200_000)]
        assert writer.command("SELECT count(), uniqExact(n) FROM u") == [(200_000, 200_000)]
