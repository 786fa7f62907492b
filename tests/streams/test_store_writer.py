"""Rows of checkpoints that wait together go in together, and each is told once its own are in."""

import asyncio
import json
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.day.aggregates import as_date
from engine.outputs import Columns, Outputs
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from schemas.dead_letter import DeadLetter
from sinks.address import StoreAddress
from sinks.errors import StoreRejected
from sinks.store import ClickHouseWriter, StoreReader
from streams.metrics import Metrics
from streams.refused import MAX_REFUSED_ROWS
from streams.store_writer import PartitionProgress, StoreWriter
from tests.stores import fresh_database, real_server_or_embedded, store_on_a_small_disk, until_full
from tests.streams.pipeline import IDENTITY, REPLAY

PARTITIONS = 4


def nowhere(_: int) -> PartitionProgress:
    return PartitionProgress(-1, 0, 0.0)


def writer_into(
    writer: ClickHouseWriter, metrics: Metrics | None = None, letters: list[DeadLetter] | None = None
) -> StoreWriter:
    """``letters`` takes what would go to the dead-letter topic."""
    collected: list[DeadLetter] = [] if letters is None else letters
    return StoreWriter(writer, metrics or Metrics(), nowhere, collected.append)


class Counting(ClickHouseWriter):
    """The real writer, which remembers what it inserted."""

    def __init__(self, address: StoreAddress) -> None:
        super().__init__(address)
        self.tables: list[str] = []

    def write(self, table: str, columns: Mapping[str, Any], token: str | None = None) -> int:
        self.tables.append(table)
        return super().write(table, columns, token)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with real_server_or_embedded(tmp_path_factory.mktemp("store")) as address:
        yield address


@pytest.fixture
def writer(store: StoreAddress) -> Iterator[Counting]:
    with fresh_database(store) as database:
        writer = Counting(database)
        yield writer
        writer.close()


def outputs(partition: int, **changed: Any) -> Outputs:
    found = Outputs()
    row = {"day": as_date(20_000), "course_run": "c/r", "kind": "quiz", "clicks": 1, "active": 1}
    found.add_row("activity_daily", **row | {"partition": partition, "version": 1} | changed)
    return found


async def store_all(store_writer: StoreWriter, outputs: list[Outputs]) -> list[BaseException | None]:
    processors = [
        PartitionProcessor(partition, REPLAY, PartitionState(IDENTITY)) for partition in range(len(outputs))
    ]
    stored = (
        store_writer.write_checkpoint(processor, output)
        for processor, output in zip(processors, outputs, strict=True)
    )
    return await asyncio.gather(*stored, return_exceptions=True)


def test_checkpoints_that_wait_together_are_one_insert_a_table(writer: Counting) -> None:
    store_writer = writer_into(writer)
    done = asyncio.run(store_all(store_writer, [outputs(partition) for partition in range(PARTITIONS)]))
    assert done == [None] * PARTITIONS
    assert writer.tables.count("activity_daily") == 1
    assert writer.tables.count("pipeline_health") == 1
    with StoreReader(writer.address) as reader:
        for table in ("activity_daily", "pipeline_health"):
            rows = reader.query(f"SELECT partition FROM {table} ORDER BY partition").rows
            assert rows == [(partition,) for partition in range(PARTITIONS)], table
    assert asyncio.run(store_all(writer_into(writer), [outputs(0)])) == [None]


def test_rows_that_the_store_will_never_take_are_an_error_for_all_who_wait(writer: Counting) -> None:
    store_writer = writer_into(writer)
    done = asyncio.run(store_all(store_writer, [outputs(0, day="no day"), outputs(1, day="no day")]))
    assert [type(error) for error in done] == [StoreRejected] * 2


def test_a_full_disk_holds_the_pipeline_back_until_there_is_room(tmp_path: Path) -> None:
    """The checkpoint waits, as it does for a store that is away, and is told once its rows are in."""

    async def hold_back_and_go_on(writer: ClickHouseWriter, make_room: Callable[[], object]) -> None:
        metrics = Metrics()
        metrics.store_up.set(1)
        waiting = asyncio.create_task(store_all(writer_into(writer, metrics), [outputs(0), outputs(1)]))
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
        store_writer = writer_into(writer, metrics)
        assert await store_all(store_writer, [outputs(0)]) == [None]
        writer.command("RENAME TABLE activity_daily TO elsewhere")
        waiting = asyncio.create_task(store_all(store_writer, [outputs(1)]))
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
    (error,) = asyncio.run(store_all(writer_into(writer), [outputs(0)]))
    assert isinstance(error, StoreRejected)
    assert "activity_daily" in str(error)


def test_checkpoints_of_one_second_are_rows_of_their_own(writer: Counting) -> None:
    """Rows of one key would be one after a merge, and their counts would change with it."""

    async def three() -> None:
        store_writer = writer_into(writer)
        for _ in range(3):
            assert await store_all(store_writer, [outputs(0)]) == [None]

    asyncio.run(three())
    counted = "SELECT count(), uniqExact(worker, `partition`, at) FROM pipeline_health"
    assert writer.command(counted) == [(3, 3)]


def days(partition: int, rows: int, wrong: Collection[int] = (), **changed: Any) -> Outputs:
    """A checkpoint with a row for each day, ``changed`` in those that are wrong."""
    found = Outputs()
    for day in range(rows):
        more = changed if day in wrong else {}
        found.extend(outputs(partition, **{"day": as_date(20_000 + day)} | more))
    return found


def stored(writer: ClickHouseWriter) -> tuple[int, int]:
    """Rows of activity_daily as stored, and different ones among them."""
    return writer.command("SELECT count(), uniqExact(`partition`, day) FROM activity_daily")[0]


LETTERS = "SELECT dead_letter_id, topic, reason, detail FROM dead_letters FINAL ORDER BY dead_letter_id"


@pytest.mark.parametrize(
    "changed",
    [{"clicks": 2**40}, {"clicks": -1}, {"day": "no day"}, {"kind": "\ud800"}, {"course_run": None}],
    ids=["constraint", "range", "type", "encoding", "none"],
)
def test_a_row_that_the_store_never_takes_is_a_dead_letter_and_all_others_are_there(
    writer: Counting, changed: dict[str, Any]
) -> None:
    """What the server refuses, and what its client does; the same when it comes again, to another worker."""
    writer.command("ALTER TABLE activity_daily ADD CONSTRAINT believable CHECK clicks < 1000000")
    said = [days(0, 3_000, [1_234], **changed), days(1, 3_000)]
    sent: list[list[DeadLetter]] = [[], []]
    for letters in sent:
        metrics = Metrics()
        store_writer = writer_into(writer, metrics, letters)
        assert asyncio.run(store_all(store_writer, said)) == [None, None]
        assert stored(writer) == (5_999, 5_999)
        assert metrics.rows_refused.labels("activity_daily")._value.get() == 1
        assert asyncio.run(store_all(store_writer, [outputs(2)])) == [None], "the worker goes on"
        writer.command("ALTER TABLE activity_daily DELETE WHERE `partition` = 2 SETTINGS mutations_sync = 2")
    ((first,), (again,)) = sent
    assert first == again.model_copy(update={"received_at": first.received_at})
    assert (first.topic, first.partition, first.reason) == ("store:activity_daily", 0, "refused_by_store")
    assert "partition 0" in first.detail
    assert DeadLetter.model_validate_json(first.model_dump_json()) == first
    row = json.loads(first.payload)
    assert row == {name: values[1_234] for name, values in said[0].rows["activity_daily"].items()} | {
        "day": str(said[0].rows["activity_daily"]["day"][1_234])
    }
    assert writer.command(LETTERS) == [(first.dead_letter_id, first.topic, first.reason, first.detail)]


@pytest.mark.parametrize(
    ("rows", "wrong", "ends"),
    [(100, MAX_REFUSED_ROWS, False), (100, MAX_REFUSED_ROWS + 1, True), (2, 2, True)],
)
def test_many_rows_or_all_are_no_rows_fault(writer: Counting, rows: int, wrong: int, *, ends: bool) -> None:
    letters: list[DeadLetter] = []
    store_writer = writer_into(writer, letters=letters)
    chosen = random.Random(rows).sample(range(rows), wrong)
    (error,) = asyncio.run(store_all(store_writer, [days(0, rows, chosen, clicks=-1)]))
    if ends:
        assert isinstance(error, StoreRejected)
        assert "rows of a batch are refused" in str(error)
        assert len(str(error).splitlines()) == 1
        assert (letters, writer.command(LETTERS)) == ([], [])
    else:
        assert error is None
        assert len({letter.dead_letter_id for letter in letters}) == len(writer.command(LETTERS)) == wrong
        assert stored(writer) == (rows - wrong, rows - wrong)


def test_a_row_that_comes_alone_is_a_dead_letter_unless_its_table_takes_none(writer: Counting) -> None:
    letters: list[DeadLetter] = []
    store_writer = writer_into(writer, letters=letters)

    async def one_by_one(number: int) -> list[BaseException | None]:
        return [
            (await store_all(store_writer, [outputs(0, clicks=-1, version=version)]))[0]
            for version in range(number)
        ]

    assert asyncio.run(one_by_one(MAX_REFUSED_ROWS)) == [None] * MAX_REFUSED_ROWS
    assert asyncio.run(store_all(store_writer, [outputs(0)])) == [None]
    *taken, last = asyncio.run(one_by_one(MAX_REFUSED_ROWS + 1))
    assert taken == [None] * MAX_REFUSED_ROWS
    assert isinstance(last, StoreRejected)
    assert len(letters) == 2 * MAX_REFUSED_ROWS


def test_a_letter_that_the_store_refuses_too_goes_to_its_topic_alone(writer: Counting) -> None:
    writer.command("ALTER TABLE dead_letters ADD CONSTRAINT none CHECK reason != 'refused_by_store'")
    letters: list[DeadLetter] = []
    done = asyncio.run(store_all(writer_into(writer, letters=letters), [days(0, 5, [3], clicks=-1)]))
    assert done == [None]
    assert [letter.topic for letter in letters] == ["store:activity_daily", "store:dead_letters"]
    assert (stored(writer), writer.command(LETTERS)) == ((4, 4), [])
