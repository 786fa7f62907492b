"""Rows of checkpoints that wait together go in together, and each is told once its own are in."""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.day.aggregates import as_date
from engine.outputs import Columns, Outputs
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from sinks.address import StoreAddress
from sinks.errors import StoreRejected
from sinks.store import ClickHouseWriter, StoreReader
from streams.metrics import Metrics
from streams.store_writer import Place, Storing
from tests.stores import fresh_database, real_server_or_embedded, store_on_a_small_disk, until_full
from tests.streams.pipeline import IDENTITY, REPLAY

PARTITIONS = 4


def nowhere(_: int) -> Place:
    return Place(-1, 0, 0.0)


class Counting(ClickHouseWriter):
    """The real writer, which remembers what it inserted."""

    def __init__(self, address: StoreAddress) -> None:
        super().__init__(address)
        self.tables: list[str] = []

    def write(self, table: str, columns: Mapping[str, Any], token: str | None = None) -> int:
        self.tables.append(table)
        return super().write(table, columns, token)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Counting]:
    with (
        real_server_or_embedded(tmp_path) as store,
        fresh_database(store) as database,
    ):
        writer = Counting(database)
        yield writer
        writer.close()


def outputs(partition: int, **changed: Any) -> Outputs:
    found = Outputs()
    row = {"day": as_date(20_000), "course_run": "c/r", "kind": "quiz", "clicks": 1, "active": 1}
    found.add_row("activity_daily", **row | {"partition": partition, "version": 1} | changed)
    return found


async def store_all(storing: Storing, said: list[Outputs]) -> list[BaseException | None]:
    processors = [
        PartitionProcessor(partition, REPLAY, PartitionState(IDENTITY)) for partition in range(len(said))
    ]
    stored = (storing.store(one, of) for one, of in zip(processors, said, strict=True))
    return await asyncio.gather(*stored, return_exceptions=True)


def test_checkpoints_that_wait_together_are_one_insert_a_table(writer: Counting) -> None:
    storing = Storing(writer, Metrics(), nowhere)
    done = asyncio.run(store_all(storing, [outputs(partition) for partition in range(PARTITIONS)]))
    assert done == [None] * PARTITIONS
    assert writer.tables.count("activity_daily") == 1
    assert writer.tables.count("pipeline_health") == 1
    with StoreReader(writer.address) as reader:
        for table in ("activity_daily", "pipeline_health"):
            rows = reader.query(f"SELECT partition FROM {table} ORDER BY partition").rows
            assert rows == [(partition,) for partition in range(PARTITIONS)], table
    assert asyncio.run(store_all(Storing(writer, Metrics(), nowhere), [outputs(0)])) == [None]


def test_rows_that_the_store_will_never_take_are_an_error_for_all_who_wait(writer: Counting) -> None:
    storing = Storing(writer, Metrics(), nowhere)
    done = asyncio.run(store_all(storing, [outputs(0), outputs(1, day="no day")]))
    assert [type(one) for one in done] == [StoreRejected] * 2


def test_a_full_disk_holds_the_pipeline_back_until_there_is_room(tmp_path: Path) -> None:
    """The checkpoint waits, as it does for a store that is away, and is told once its rows are in."""

    async def hold_back_and_go_on(writer: ClickHouseWriter, make_room: Callable[[], object]) -> None:
        metrics = Metrics()
        metrics.store_up.set(1)
        waiting = asyncio.create_task(store_all(Storing(writer, metrics, nowhere), [outputs(0), outputs(1)]))
        while metrics.store_up._value.get():  # noqa: ASYNC110 - a gauge tells nobody
            await asyncio.sleep(0.05)
        assert not waiting.done()
        make_room()
        assert await asyncio.wait_for(waiting, 60) == [None, None]
        assert metrics.store_up._value.get() == 1

    def heavy(batch: int) -> Columns:
        noise = random.Random(batch).randbytes(100_000).hex()
        return outputs(batch, kind=noise, course_run="x").rows["activity_daily"]

    with (
        store_on_a_small_disk(tmp_path) as disk,
        fresh_database(disk.address) as database,
        ClickHouseWriter(database) as writer,
    ):
        writer.command("SYSTEM STOP MERGES")
        until_full(lambda batch: writer.write("activity_daily", heavy(batch)))
        asyncio.run(hold_back_and_go_on(writer, disk.make_room))
        assert writer.command("SELECT count() FROM activity_daily WHERE course_run = 'c/r'") == [(2,)]


def test_a_table_that_is_missing_holds_the_pipeline_back_until_it_is_there(writer: Counting) -> None:
    """The rows are not to blame: what somebody can mend at the store ends no worker that has written."""

    async def hold_back_and_go_on() -> None:
        metrics = Metrics()
        storing = Storing(writer, metrics, nowhere)
        assert await store_all(storing, [outputs(0)]) == [None]
        writer.command("RENAME TABLE activity_daily TO elsewhere")
        waiting = asyncio.create_task(store_all(storing, [outputs(1)]))
        while metrics.store_up._value.get():  # noqa: ASYNC110 - a gauge tells nobody
            await asyncio.sleep(0.05)
        assert not waiting.done()
        with ClickHouseWriter(writer.address) as other:
            other.command("RENAME TABLE elsewhere TO activity_daily")
        assert await asyncio.wait_for(waiting, 60) == [None]

    asyncio.run(hold_back_and_go_on())
    assert writer.command("SELECT count() FROM activity_daily") == [(2,)]


def test_a_store_that_was_never_right_ends_the_worker_with_what_it_says(writer: Counting) -> None:
    writer.command("RENAME TABLE activity_daily TO elsewhere")
    (error,) = asyncio.run(store_all(Storing(writer, Metrics(), nowhere), [outputs(0)]))
    assert isinstance(error, StoreRejected)
    assert "activity_daily" in str(error)


def test_checkpoints_of_one_second_are_rows_of_their_own(writer: Counting) -> None:
    """Rows of one key would be one after a merge, and their counts would change with it."""

    async def three() -> None:
        storing = Storing(writer, Metrics(), nowhere)
        for _ in range(3):
            assert await store_all(storing, [outputs(0)]) == [None]

    asyncio.run(three())
    counted = "SELECT count(), uniqExact(worker, `partition`, at) FROM pipeline_health"
    assert writer.command(counted) == [(3, 3)]
