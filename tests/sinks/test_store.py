import os
import signal
import socket
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sinks.address import StoreAddress
from sinks.embedded import EmbeddedStore
from sinks.errors import StoreDown, StoreRejected
from sinks.migrate import migrate
from sinks.store import ClickHouseWriter, StoreReader, content_token, wait_until_up
from tests.sinks.rows import hourly, risk

DAY = date(2014, 3, 1)


def count(writer: ClickHouseWriter, table: str) -> int:
    """Rows as they are stored, before any merge."""
    return int(writer.command(f"SELECT count() FROM {table}")[0][0])


def test_the_same_batch_twice_changes_nothing(writer: ClickHouseWriter) -> None:
    for _ in range(2):
        assert writer.write("activity_hourly", hourly(100)) == 100
    assert count(writer, "activity_hourly") == 100
    assert writer.command("SELECT sum(clicks) FROM activity_hourly") == [(9_900,)]
    writer.write("activity_hourly", hourly(100, tick=1_391_220_000))
    assert count(writer, "activity_hourly") == 200


def test_the_same_batch_twice_changes_nothing_behind_the_view_either(writer: ClickHouseWriter) -> None:
    for _ in range(2):
        writer.write("risk_history", risk("ann", DAY, 0.9))
    assert count(writer, "risk_history") == count(writer, "standing") == 1


def test_a_key_written_again_counts_once_after_the_merge(writer: ClickHouseWriter) -> None:
    """Another split of the same rows has another token; the key holds then."""
    whole = hourly(10)
    writer.write("activity_hourly", whole)
    writer.write("activity_hourly", {name: column[:4] for name, column in whole.items()})
    assert writer.command("SELECT count(), sum(clicks) FROM activity_hourly FINAL") == [(10, 90)]


def test_a_token_of_ones_own(writer: ClickHouseWriter) -> None:
    writer.write("risk_history", risk("ann", DAY, 0.9), token="homeroom.events:0:10-20")
    writer.write("risk_history", risk("bob", DAY, 0.9), token="homeroom.events:0:10-20")
    assert count(writer, "risk_history") == 1


def test_a_token_is_of_the_content_alone() -> None:
    names = ["a", "b"]
    assert content_token("t", names, [[1], ["x"]]) == content_token("t", names, [[1], ["x"]])
    others = [
        content_token("u", names, [[1], ["x"]]),
        content_token("t", names, [[1], ["y"]]),
        content_token("t", names, [[1, 2], ["x", "y"]]),
        content_token("t", ["b", "a"], [[1], ["x"]]),
        content_token("t", names, [[None], ["x"]]),
    ]
    assert content_token("t", names, [[1], ["x"]]) not in others
    assert len(set(others)) == len(others)


def test_numpy_and_lists_give_the_same_rows(writer: ClickHouseWriter) -> None:
    as_numpy: dict[str, Any] = {
        "day": np.array(["2014-02-01", "2014-02-02"], "datetime64[D]"),
        "model_version": np.array(["v1", "v2"]),
        "metric": ["auc", "auc"],
        "value": np.array([0.5, 0.75], np.float32),
        "examples": np.array([1, 2**63], np.uint64),
    }
    writer.write("model_metrics", as_numpy)
    rows = [
        (date(2014, 2, 1), "v1", "auc", 0.5, 1),
        (date(2014, 2, 2), "v2", "auc", 0.75, 2**63),
    ]
    columns = "day, model_version, metric, value, examples"
    assert writer.command(f"SELECT {columns} FROM model_metrics ORDER BY day") == rows
    writer.write("model_metrics", dict(zip(as_numpy, map(list, zip(*rows, strict=True)), strict=True)))
    assert count(writer, "model_metrics") == 2


def test_times_may_be_aware_epoch_or_numpy(writer: ClickHouseWriter) -> None:
    moment = datetime(2014, 2, 1, 12, tzinfo=UTC)
    forms = [moment, int(moment.timestamp())]
    numpy_forms = [
        np.array([moment.replace(tzinfo=None)], f"datetime64[{unit}]") for unit in ("s", "ms", "ns")
    ]
    for number, form in enumerate([*([f] for f in forms), *numpy_forms]):
        writer.write("activity_hourly", hourly(1) | {"hour": form, "version": [number]})
    assert writer.command("SELECT DISTINCT hour FROM activity_hourly") == [(moment,)]


def test_what_is_given_is_not_touched(writer: ClickHouseWriter) -> None:
    days, times = [DAY], [datetime(2014, 2, 1, tzinfo=UTC)]
    writer.write("activity_hourly", hourly(1) | {"hour": times})
    writer.write("risk_history", risk("ann", DAY, 0.5) | {"day": days})
    assert (days, times) == ([DAY], [datetime(2014, 2, 1, tzinfo=UTC)])


def test_nothing_to_write(writer: ClickHouseWriter) -> None:
    assert writer.write("activity_hourly", hourly(0)) == 0


def test_the_newest_risk_is_picked_before_it_is_filtered(
    writer: ClickHouseWriter, reader: StoreReader
) -> None:
    """A learner at risk on one day and well on the next is not at risk, in whatever order they arrive."""
    writer.write("risk_history", risk("ann", date(2014, 3, 2), 0.125))
    writer.write("risk_history", risk("ann", date(2014, 3, 1), 0.875, exit_probability=0.4))
    writer.write("risk_history", risk("bob", date(2014, 3, 1), 0.875))
    writer.write("risk_history", risk("bob", date(2014, 3, 1), 0.75, version=2))
    query = "SELECT learner, level, exit_probability, probability FROM risk_now"
    assert reader.query(f"{query} WHERE level = 'high'").rows == [("bob", "high", None, 0.75)]
    assert reader.query(f"{query} WHERE learner = 'ann'").rows == [("ann", "low", None, 0.125)]
    assert reader.query(f"{query} WHERE day = '2014-03-01'").rows == [("bob", "high", None, 0.75)]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"events": ["many"]}, "events"),
        ({"partition": [-1]}, "partition"),
        ({"partition": [70_000]}, "partition"),
        ({"events": [1, 2]}, "events"),
        ({"nonsense": [1]}, "nonsense"),
    ],
)
def test_a_refused_batch_names_table_and_column(
    writer: ClickHouseWriter, change: dict[str, list[object]], column: str
) -> None:
    with pytest.raises(StoreRejected) as caught:
        writer.write("activity_hourly", hourly(1) | change)
    assert caught.value.table == "activity_hourly"
    assert column in str(caught.value)
    writer.write("activity_hourly", hourly(1))  # and the writer goes on
    assert count(writer, "activity_hourly") == 1


def test_a_table_that_is_not_there_is_said_in_the_servers_words(writer: ClickHouseWriter) -> None:
    with pytest.raises(StoreRejected, match=r"nowhere: code 60: .*nowhere") as caught:
        writer.write("nowhere", {"a": [1]})
    assert caught.value.code == 60


def test_no_server_at_all() -> None:
    writer = ClickHouseWriter(StoreAddress(port=1), connect_timeout=1)
    with pytest.raises(StoreDown, match=r"127\.0\.0\.1:1/homeroom cannot be reached"):
        writer.ping()
    with pytest.raises(StoreDown):
        writer.write("activity_hourly", hourly(1))


def test_a_store_that_comes_up_late_is_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    store = EmbeddedStore(tmp_path, port=port, password="x")
    starting = threading.Timer(1, store.start)
    starting.start()
    try:
        wait_until_up(StoreAddress(port=port, password="x"), 60)
    finally:
        starting.join()
        store.stop()
    with pytest.raises(StoreDown):
        wait_until_up(StoreAddress(port=port, password="x"), 0)


def test_reading(reader: StoreReader) -> None:
    result = reader.query("SELECT %(who)s AS who, toUInt8(3) AS n", {"who": "o'hara; DROP"})
    assert result.columns == ("who", "n")
    assert result.types == ("String", "UInt8")
    assert result.rows == [("o'hara; DROP", 3)]
    empty = reader.query("SELECT learner, level FROM risk_now")
    assert (empty.columns, empty.rows) == (("learner", "level"), [])


def test_an_answer_says_how_many_rows_were_read_for_it(reader: StoreReader, writer: ClickHouseWriter) -> None:
    writer.write("activity_hourly", hourly(30_000))
    whole = reader.query("SELECT sum(clicks) FROM activity_hourly")
    part = reader.query("SELECT sum(clicks) FROM activity_hourly WHERE hour > toDateTime(1391130000)")
    assert whole.rows_read == 30_000
    assert 0 < part.rows_read < 20_000, "whole granules, but only those of the last day"
    assert reader.query("SELECT 1 WHERE 0").rows_read < 2


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE risk_history",
        "INSERT INTO model_metrics (metric) VALUES ('x')",
        "TRUNCATE TABLE risk_history",
        "CREATE TABLE x (a UInt8) ENGINE = Memory",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT * FROM file('/etc/hostname', 'LineAsString', 'line String')",
    ],
)
def test_a_reader_cannot_change_or_reach_anything(reader: StoreReader, sql: str) -> None:
    with pytest.raises(StoreRejected) as caught:
        reader.query(sql)
    assert caught.value.code in (164, 497)
    assert reader.query("SELECT count() FROM risk_history").rows == [(0,)]


def test_a_killed_store_holds_the_writer_and_loses_nothing(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    address = store.start()
    migrate(address)
    writer = ClickHouseWriter(address, connect_timeout=2, timeout=10)
    writer.write("activity_hourly", hourly(50))
    assert store.pid is not None
    os.kill(store.pid, signal.SIGKILL)
    time.sleep(0.2)
    for _ in range(2):
        with pytest.raises(StoreDown):
            writer.write("activity_hourly", hourly(50, tick=1_391_220_000))
    store.stop()
    restarted = EmbeddedStore(tmp_path, port=address.port, password=address.password)
    assert restarted.start() == address
    try:
        assert count(writer, "activity_hourly") == 50
        writer.write("activity_hourly", hourly(50))  # answered before the kill: still known
        writer.write("activity_hourly", hourly(50, tick=1_391_220_000))
        assert count(writer, "activity_hourly") == 100
    finally:
        restarted.stop()
