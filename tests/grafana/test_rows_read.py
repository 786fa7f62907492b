"""Boards stay quick as learners become many: no query reads more than a few granules of what grows with them.

In small; ``python -m benchmarks.boards`` shows a large platform's year.
"""

import re
from collections.abc import Iterator

import pytest

from benchmarks import boards
from sinks.address import StoreAddress
from sinks.store import StoreReader
from sinks.tables import TABLES
from tests.stores import fresh_database, real_server_or_embedded

SCALE = 0.05

LARGE = {"risk_history", "pipeline_health", "activity_hourly"}
"""Tables that get a row for every learner and day, or every ten seconds."""

GRANULES = 8 * 8192
"""What may be read of one of them: granules in which a learner's or an hour's rows begin and end, in a few
parts."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with real_server_or_embedded(tmp_path_factory.mktemp("large")) as server, fresh_database(server) as store:
        assert boards.fill(store, SCALE) > 1_000_000
        yield store


def test_no_query_reads_much_of_a_table_that_grows_with_the_learners(large: StoreAddress) -> None:
    with StoreReader(large) as reader:
        held = {name: int(reader.query(f"SELECT count() FROM {name}").rows[0][0]) for name in TABLES}
        assert all(held[name] > 4 * GRANULES for name in ("risk_history", "pipeline_health"))
        beyond = {}
        for cost in boards.costs(reader):
            named = re.findall(r"FROM (\w+)", cost.query.sql.replace("risk_now", "standing"))
            bound = sum(GRANULES if name in LARGE else held.get(name, 0) + GRANULES for name in named)
            if cost.rows_read > bound:
                beyond[str(cost.query)] = (cost.rows_read, bound)
    assert beyond == {}
