"""Boards stay quick as learners become many: no query reads more than a few granules of what grows with them.

In small; ``python -m benchmarks.boards`` says the same of a large platform's year.
"""

from collections.abc import Iterator

import pytest

from benchmarks import boards
from grafana.clickhouse import Shape
from sinks.address import StoreAddress
from sinks.store import StoreReader
from tests.grafana.queries import Query
from tests.stores import fresh_database, real_server_or_embedded

SCALE = 0.05


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with real_server_or_embedded(tmp_path_factory.mktemp("large")) as server, fresh_database(server) as store:
        assert boards.fill(store, SCALE) > 1_000_000
        yield store


def test_no_query_reads_much_of_a_table_that_grows_with_the_learners(large: StoreAddress) -> None:
    with StoreReader(large) as reader:
        for name in ("risk_history", "pipeline_health"):
            assert reader.query(f"SELECT count() FROM {name}").rows[0][0] > 4 * boards.GRANULES
        measured = list(boards.costs(reader))
        assert len(measured) > 100
        assert boards.over_bound(reader, measured) == {}


def test_one_that_does_is_named(large: StoreAddress) -> None:
    sql = "SELECT sum(probability) FROM risk_history"
    whole = Query("risk", "table", "All", sql, Shape.TABLE)
    with StoreReader(large) as reader:
        cost = boards.Cost(whole, reader.query(whole.sql).rows_read, 0.0)
        assert list(boards.over_bound(reader, [cost])) == ["risk: All (table)"]
