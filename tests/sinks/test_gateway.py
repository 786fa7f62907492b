"""The native protocol in front of the engine, as an unmodified clickhouse-driver sees it."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from sinks.address import StoreAddress
from sinks.embedded import ROOT, EmbeddedStore, EmbeddedStoreError


def connect(address: StoreAddress, **options: Any) -> Client:
    return Client(address.host, address.port, address.database, address.user, address.password, **options)


@pytest.fixture
def client(database: StoreAddress) -> Iterator[Client]:
    with connect(database) as client:
        yield client


MOMENT = datetime(2014, 2, 1, 12, 30, 15, 123000, tzinfo=UTC)
VALUES: dict[str, list[Any]] = {
    "Int8": [-128, 127],
    "UInt64": [0, 2**64 - 1],
    "Float32": [0.5, -2.25],
    "Bool": [True, False],
    "Date": [date(1970, 1, 1), date(2149, 6, 6)],
    "DateTime('UTC')": [datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)],
    "DateTime64(3, 'UTC')": [MOMENT, MOMENT.replace(year=1999)],
    "String": ["", "naïve 学習 🎓 \x00 'quoted'"],
    "FixedString(4)": ["abcd", "ab"],
    "LowCardinality(String)": ["quiz", "forum"],
    "LowCardinality(Nullable(String))": [None, "x"],
    "Nullable(Float32)": [None, 0.25],
    "Nullable(DateTime('UTC'))": [None, datetime(2014, 2, 1, tzinfo=UTC)],
    "Array(String)": [[], ["a", "ü"]],
    "Array(LowCardinality(String))": [["a", "a"], []],
    "Array(Nullable(Float32))": [[None, 1.0], []],
    "Map(LowCardinality(String), Array(UInt8))": [{}, {"k": [1, 2]}],
    "Tuple(String, UInt8)": [("a", 1), ("", 0)],
    "Enum8('low' = 1, 'high' = 2)": ["low", "high"],
    "Decimal(9, 2)": [1, 2],
    "UUID": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000"],
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_types_values_come_back(client: Client, kind: str) -> None:
    client.execute(f"CREATE TABLE t (n UInt8, v {kind}) ENGINE = MergeTree ORDER BY n")
    client.execute("INSERT INTO t (n, v) VALUES", [[0, 1], list(VALUES[kind])], columnar=True)
    rows, columns = client.execute("SELECT v FROM t ORDER BY n", with_column_types=True)
    assert [str(v) if kind == "UUID" else v for (v,) in rows] == VALUES[kind]
    assert columns == [("v", kind)]


def test_an_insert_of_nothing(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt8, b LowCardinality(String)) ENGINE = MergeTree ORDER BY a")
    assert client.execute("INSERT INTO t VALUES", []) == 0
    assert client.execute("SELECT count() FROM t") == [(0,)]


def test_an_insert_in_many_blocks_and_a_large_answer(client: Client) -> None:
    client.execute("CREATE TABLE t (a UInt32, s String, n Nullable(UInt8)) ENGINE = MergeTree ORDER BY a")
    rows = [(n, "x" * (n % 300), None if n % 3 else 1) for n in range(70_000)]
    client.execute("INSERT INTO t VALUES", rows, settings={"insert_block_size": 1_000})
    assert client.execute("SELECT * FROM t ORDER BY a") == rows


def test_an_empty_answer_still_has_columns(client: Client) -> None:
    assert client.execute("SELECT 1 AS a, 'x' AS b WHERE 0", with_column_types=True) == (
        [],
        [("a", "UInt8"), ("b", "String")],
    )


def test_parameters_are_escaped_by_the_client(client: Client) -> None:
    parameters = {"text": "it's; -- \\ `x`", "number": 3}
    assert client.execute("SELECT %(text)s, %(number)s", parameters) == [(parameters["text"], 3)]


def test_settings_hold_for_their_query_alone(client: Client) -> None:
    query = "SELECT getSetting('max_result_rows')"
    assert client.execute(query, settings={"max_result_rows": 77}) == [(77,)]
    assert client.execute(query) == [(0,)]


def test_an_error_is_readable_and_the_connection_goes_on(client: Client) -> None:
    with pytest.raises(ServerException) as caught:
        client.execute("SELECT nothing_such FROM system.one")
    assert caught.value.code == 47
    assert "nothing_such" in str(caught.value)
    assert client.execute("SELECT 1") == [(1,)]


def test_an_insert_into_nowhere_is_refused_before_the_rows(client: Client) -> None:
    with pytest.raises(ServerException) as caught:
        client.execute("INSERT INTO nowhere (a) VALUES", [(1,)])
    assert caught.value.code == 60


def test_a_database_that_is_not_there(store: StoreAddress) -> None:
    with Client(store.host, store.port, "nowhere", store.user, store.password) as client:
        with pytest.raises(ServerException) as caught:
            client.execute("SELECT 1")
        assert caught.value.code == 81


def test_eight_clients_at_once(database: StoreAddress) -> None:
    with connect(database) as client:
        client.execute("CREATE TABLE t (who UInt8, n UInt32) ENGINE = MergeTree ORDER BY (who, n)")
    results: dict[int, list[tuple[int, int]]] = {}

    def work(who: int) -> None:
        with connect(database) as mine:
            for start in range(0, 500, 100):
                mine.execute("INSERT INTO t VALUES", [(who, n) for n in range(start, start + 100)])
            results[who] = mine.execute("SELECT count(), sum(n) FROM t WHERE who = %(who)s", {"who": who})

    threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == {who: [(500, sum(range(500)))] for who in range(8)}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    """The gateway itself, also where the other tests use a server."""
    with EmbeddedStore(tmp_path_factory.mktemp("embedded"), database="default") as address:
        yield address


@pytest.mark.parametrize("compression", [True, "lz4hc"])
def test_compressed_both_ways(database: StoreAddress, compression: bool | str) -> None:
    """Clients with compression, as Grafana's plugin is: many blocks, none, and an error between."""
    rows = [(n, str(n) * 50, None if n % 3 else 1) for n in range(70_000)]
    with connect(database, compression=compression) as client:
        client.execute("CREATE TABLE t (a UInt32, s String, n Nullable(Int8)) ENGINE = MergeTree ORDER BY a")
        assert client.execute("INSERT INTO t VALUES", []) == 0
        client.execute("INSERT INTO t VALUES", rows, settings={"insert_block_size": 9_000})
        with pytest.raises(ServerException, match="nothing_such"):
            client.execute("SELECT nothing_such FROM t")
        assert client.execute("SELECT * FROM t ORDER BY a") == rows
        assert client.execute("SELECT a FROM t WHERE 0", with_column_types=True) == ([], [("a", "UInt32")])
    with connect(database) as client:
        assert client.execute("SELECT count(), sum(a) FROM t") == [(70_000, sum(range(70_000)))]


def test_another_protocol_is_hung_up_on(embedded: StoreAddress) -> None:
    with socket.create_connection((embedded.host, embedded.port), timeout=10) as line:
        line.sendall(b"GET / HTTP/1.1\r\n\r\n")
        answer = b""
        while piece := line.recv(4096):
            answer += piece
    assert b"is this a native protocol client?" in answer


@pytest.mark.parametrize("cut", [0, 1, 5, 40, 90])
def test_a_client_that_leaves_in_the_middle_harms_nobody(embedded: StoreAddress, cut: int) -> None:
    with connect(embedded) as client:
        client.execute("SELECT 1")
        with socket.create_connection((embedded.host, embedded.port), timeout=10) as line:
            line.sendall(b"\x00\x01x\x14\x0a\x9d\xa9\x03\x00\x07default\x00\x01"[:cut] + b"\x00" * (cut // 2))
        assert client.execute("SELECT 2") == [(2,)]


def test_a_wrong_password_is_refused(embedded: StoreAddress) -> None:
    with connect(replace(embedded, password="guess")) as client:
        with pytest.raises(ServerException, match="Authentication failed") as caught:
            client.execute("SELECT 1")
        assert caught.value.code == 516
    assert embedded.password not in str(embedded) + repr(embedded)


def test_only_loopback_listens(embedded: StoreAddress) -> None:
    assert embedded.host == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):  # bound to one address, not to all
        socket.create_connection(("127.0.0.2", embedded.port), timeout=5)


def test_a_directory_in_use_is_named(tmp_path: Any) -> None:
    with EmbeddedStore(tmp_path):
        with pytest.raises(EmbeddedStoreError, match="in use by another process") as caught:
            EmbeddedStore(tmp_path).start()
        assert str(tmp_path) in str(caught.value)


def test_a_directory_that_cannot_be_is_named(tmp_path: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedStoreError, match=r"could not start: .*file"):
        EmbeddedStore(tmp_path / "file").start()


def test_a_port_in_use_is_an_error(tmp_path: Any, embedded: StoreAddress) -> None:
    with pytest.raises(EmbeddedStoreError, match="Address already in use"):
        EmbeddedStore(tmp_path, port=embedded.port).start()


PARENT = """
import sys, time
from sinks.embedded import EmbeddedStore
store = EmbeddedStore(sys.argv[1])
store.start()
print(store.pid, "chdb" in sys.modules, flush=True)
time.sleep(60)
"""


def test_the_gateway_ends_with_its_parent(tmp_path: Any) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        pid, engine_loaded = parent.stdout.readline().split()
        parent.kill()
    assert engine_loaded == "False", "the engine belongs to the gateway's process alone"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and runs(int(pid)):
        time.sleep(0.1)
    assert not runs(int(pid))


def runs(pid: int) -> bool:
    """Whether the process is there and not a zombie that nobody has collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_stopping_is_clean(tmp_path: Any) -> None:
    store = EmbeddedStore(tmp_path)
    store.start()
    process = store._process
    assert isinstance(process, subprocess.Popen)
    store.stop()
    assert process.returncode == 0
    with store:  # and it can be started again
        pass
