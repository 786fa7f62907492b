"""Who reads can read tables and nothing else, within bounds, and for no longer than it waits.

Of every kind of statement, and of every table function and function that the engine itself lists.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ServerException

from sinks.address import StoreAddress
from sinks.embedded import EmbeddedStore
from sinks.errors import StoreError, StoreRejected
from sinks.reading import LIMITS
from sinks.store import ClickHouseWriter, StoreReader
from tests.stores import IMAGE, docker_answers

ROOT = Path(__file__).parents[2]
SECRET = "x0-not-to-be-read"


@dataclass
class Outside:
    """What a reader must not reach: a file, and an address of this machine that counts its callers."""

    file: Path
    address: str
    callers: list[object] = field(default_factory=list)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    file = tmp_path_factory.mktemp("outside") / "secret.txt"
    file.write_text(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as server:
        outside_reach = Outside(file, f"127.0.0.1:{server.getsockname()[1]}")

        def count() -> None:
            while True:
                try:
                    line, who = server.accept()
                except OSError:
                    return
                outside_reach.callers.append(who)
                line.close()

        threading.Thread(target=count, daemon=True).start()
        yield outside_reach
        server.shutdown(socket.SHUT_RDWR)


@dataclass
class StoreAddresses:
    """A store with a table ``t`` of one row in the database ``homeroom``."""

    writer: StoreAddress
    reader: StoreAddress
    pid: int | None


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddresses]:
    """A server with the stack's own file of the reader where Docker answers, else the embedded store."""
    if docker_answers():
        from testcontainers.clickhouse import ClickHouseContainer

        server = ClickHouseContainer(IMAGE, username="homeroom", password="homeroom", dbname="homeroom")
        server.with_env("CLICKHOUSE_READER_PASSWORD", "reader")
        users = "clickhouse/users.d/reader.xml"
        with server.with_volume_mapping(
            str(ROOT / users), f"/etc/clickhouse-server/users.d/{Path(users).name}"
        ):
            host, port = server.get_container_host_ip(), int(server.get_exposed_port(9000))
            writer = StoreAddress(host, port, "homeroom", "homeroom")
            made = StoreAddresses(
                writer, replace(writer, user="reader", password="reader", bounded=True), None
            )
            yield filled(made)
        return
    embedded = EmbeddedStore(tmp_path_factory.mktemp("reading"))
    with embedded as writer:
        yield filled(StoreAddresses(writer, embedded.reader(writer), embedded.pid))


def filled(made: StoreAddresses) -> StoreAddresses:
    with ClickHouseWriter(replace(made.writer, database="default")) as writer:
        writer.command("CREATE DATABASE IF NOT EXISTS homeroom")
        writer.command("CREATE TABLE homeroom.t (a UInt8) ENGINE = MergeTree ORDER BY a")
        writer.command("INSERT INTO homeroom.t SELECT 7")
    return made


@pytest.fixture(scope="module", params=["reader", "writer"])
def reader(request: pytest.FixtureRequest, addresses: StoreAddresses) -> Iterator[StoreReader]:
    """As the user who only reads, and as the user who writes, held by ``readonly`` alone."""
    if request.param == "writer" and addresses.pid is None:
        pytest.skip("on a server rights are its users': this is why there is one who only reads")
    with StoreReader(getattr(addresses, request.param)) as reader:
        yield reader


STATEMENTS = [
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t SELECT 1",
    "INSERT INTO FUNCTION file('x', 'CSV', 'a UInt8') SELECT 1",
    "INSERT INTO FUNCTION url('http://{address}/', 'CSV', 'a UInt8') SELECT 1",
    "CREATE TABLE u (a UInt8) ENGINE = MergeTree ORDER BY a",
    "CREATE TEMPORARY TABLE u (a UInt8)",
    "CREATE TEMPORARY TABLE u ENGINE = URL('http://{address}/', 'CSV')",
    "CREATE TABLE u AS url('http://{address}/', 'CSV')",
    "CREATE VIEW u AS SELECT 1",
    "CREATE MATERIALIZED VIEW u ENGINE = MergeTree ORDER BY a AS SELECT a FROM t",
    "CREATE DATABASE u",
    "CREATE DATABASE u ENGINE = MySQL('{address}', 'a', 'b', 'c')",
    "CREATE DICTIONARY u (a UInt64) PRIMARY KEY a SOURCE(FILE(PATH '{file}' FORMAT 'CSV')) LAYOUT(FLAT()) "
    "LIFETIME(0)",
    "CREATE FUNCTION u AS (x) -> x",
    "CREATE USER u",
    "CREATE ROLE u",
    "CREATE NAMED COLLECTION u AS a = 1",
    "CREATE QUOTA u",
    "CREATE ROW POLICY u ON t USING 1",
    "CREATE SETTINGS PROFILE u",
    "GRANT SELECT ON *.* TO reader",
    "REVOKE SELECT ON *.* FROM default",
    "ALTER TABLE t ADD COLUMN b UInt8",
    "ALTER TABLE t DELETE WHERE 1",
    "ALTER TABLE t DROP PARTITION ALL",
    "ALTER USER default IDENTIFIED BY 'x'",
    "DELETE FROM t WHERE 1",
    "UPDATE t SET a = 1 WHERE 1",
    "DROP TABLE t",
    "DROP DATABASE homeroom",
    "DETACH TABLE t",
    "ATTACH TABLE t",
    "TRUNCATE TABLE t",
    "RENAME TABLE t TO u",
    "EXCHANGE TABLES t AND t",
    "OPTIMIZE TABLE t FINAL",
    "UNDROP TABLE t",
    "BACKUP TABLE t TO File('{file}.zip')",
    "RESTORE TABLE t FROM File('{file}.zip')",
    "KILL QUERY WHERE 1",
    "KILL MUTATION WHERE 1",
    "SYSTEM FLUSH LOGS",
    "SYSTEM STOP MERGES",
    "SYSTEM SHUTDOWN",
    "SYSTEM RELOAD CONFIG",
    "SET max_memory_usage = 0",
    "SET readonly = 0",
    "SET ROLE writer",
    "SET ROLE ALL",
    "SET DEFAULT ROLE ALL TO default",
    "EXECUTE AS default SELECT 1",
    "USE default",
    "CHECK TABLE t",
    "BEGIN TRANSACTION",
    "SELECT 1 SETTINGS max_memory_usage = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1 INTO OUTFILE '{file}'",
    "SELECT “'” INTO OUTFILE '{file}' -- '",
    "DESCRIBE TABLE url('http://{address}/')",
    "DESCRIBE TABLE file('{file}')",
    "EXPLAIN SELECT * FROM url('http://{address}/', 'CSV', 'a String')",
    "EXPLAIN SELECT file('{file}')",
]
"""One at least of every kind that the engine's parser knows, and ways around."""

FILE_CALLS = [
    "SELECT file('{file}')",
    "SELECT/**/file /* x */ ('{file}')",
    "SELECT `file`('{file}')",
    "SELECT “file”('{file}')",
    "SELECT \"fi\\x6ce\"('{file}')",
    "SELECT * APPLY file FROM (SELECT '{file}')",
    "SELECT * APPLY(file) FROM (SELECT '{file}')",
    "SELECT * APPLY(\"fi\\x6ce\") FROM (SELECT '{file}')",
    "SELECT arrayMap(x -> file(x), ['{file}'])",
    "WITH x -> file(x) AS f SELECT f('{file}')",
    "(SELECT 1) UNION ALL (SELECT length(file('{file}')))",
    "DESCRIBE (SELECT file('{file}'))",
    "SELECT 1 WHERE file('{file}') LIKE 'x%'",
    "SELECT $$'$$, file('{file}'), $$'$$",
    "SELECT a FROM t WHERE a IN (SELECT length(file('{file}')))",
    "file('{file}')",
]


@pytest.mark.parametrize("sql", [*STATEMENTS, *FILE_CALLS])
def test_no_other_statement_runs(reader: StoreReader, outside: Outside, sql: str) -> None:
    with pytest.raises(StoreRejected):
        reader.query(sql.replace("{file}", str(outside.file)).replace("{address}", outside.address))
    assert reader.query("SELECT a FROM homeroom.t").rows == [(7,)]
    assert outside.file.read_text() == SECRET
    assert outside.callers == []


READING = [
    "SELECT a FROM t",
    "FROM t SELECT a",
    "(SELECT a FROM t) UNION ALL SELECT 1",
    "WITH 1 AS one SELECT a + one FROM t -- the last",
    "SHOW TABLES",
    "SHOW CREATE TABLE t",
    "DESCRIBE TABLE t",
    "DESC t",
    "EXISTS TABLE t",
    "EXPLAIN SELECT a FROM t",
    "SELECT 'file(x)' AS said FROM t",
    "SELECT name FROM system.columns WHERE table = 't'",
    "SELECT number FROM numbers(3)",
]


@pytest.mark.parametrize("sql", READING)
def test_what_reads_tables_runs(reader: StoreReader, sql: str) -> None:
    assert reader.query(sql).rows


def shapes(outside: Outside) -> list[str]:
    """Arguments in the forms that functions of files, addresses and programs take."""
    file, address = outside.file, outside.address
    return [
        f"'{file}'",
        f"'{file}', 'LineAsString', 'l String'",
        f"'cat {file}', 'LineAsString', 'l String'",
        f"'http://{address}/b/k', 'LineAsString', 'l String'",
        f"'http://{address}/b/k', 'key', 'secret', 'LineAsString', 'l String'",
        f"'{address}', 'db', 't', 'user', 'password'",
        f"'{address}', 'key', 'key String'",
    ]


def try_all(addresses: StoreAddresses, outside: Outside, statements: Iterable[str]) -> None:
    """None may tell the secret or call the address, whether it runs or is refused."""
    to = addresses.reader
    with Client(to.host, to.port, "homeroom", to.user, to.password) as client:
        for sql in statements:
            try:
                answer = str(client.execute(sql))
            except ServerException as error:
                answer = str(error)
            assert SECRET not in answer, sql
            assert outside.callers == [], sql


def names(addresses: StoreAddresses, sql: str) -> list[str]:
    with StoreReader(addresses.reader) as reader:
        return [name for (name,) in reader.query(sql).rows]


def test_no_table_function_reaches_beyond_tables(addresses: StoreAddresses, outside: Outside) -> None:
    functions = names(addresses, "SELECT name FROM system.table_functions ORDER BY name")
    assert {"file", "url", "s3", "remote", "executable", "mysql", "dictionary"} <= set(functions)
    calls = [f"`{name}`({shape})" for name in functions for shape in shapes(outside)]
    try_all(addresses, outside, [f"SELECT * FROM {call} LIMIT 2" for call in calls if "null" not in call])


def test_no_function_reaches_beyond_tables(addresses: StoreAddresses, outside: Outside) -> None:
    """Of those in whose categories the engine has what looks around, or that it gives none."""
    functions = names(
        addresses,
        "SELECT name FROM system.functions WHERE NOT is_aggregate AND alias_to = '' AND categories IN "
        "('', 'Other', 'Introspection', 'AI', 'Dictionary', 'Machine Learning', 'URL') "
        "AND name NOT IN ('sleep', 'sleepEachRow') ORDER BY name",
    )
    assert {"file", "dictGet", "hasColumnInTable"} <= set(functions)
    others = f"'{outside.address}', 'user', 'password', 'db', 't', 'c'"
    calls = [f"{name}({shape})" for name in functions for shape in (f"'{outside.file}'", others)]
    try_all(addresses, outside, [f"SELECT toString({call})" for call in calls])


HUNGRY = "SELECT length(groupArray(repeat('x', 1000000))) FROM numbers(100000)"
"""Wants a hundred gigabytes."""


@pytest.mark.parametrize(
    "sql",
    [
        HUNGRY,
        "SELECT number FROM numbers(10000000000)",
        "SELECT repeat('x', 1000000) FROM numbers(10000)",
    ],
)
def test_a_query_has_bounds_and_half_an_answer_is_none(reader: StoreReader, sql: str) -> None:
    with pytest.raises(StoreError, match=r"code (241|396|159|307)"):
        reader.query(sql)


@pytest.mark.parametrize("asked", ["0", "-1", "99999999999999", "1e30", "x"])
def test_no_setting_lifts_a_bound(addresses: StoreAddresses, asked: str) -> None:
    """Nor one that a client sends beside its query, as Grafana's plugin does."""
    to = addresses.reader
    with Client(to.host, to.port, "homeroom", to.user, to.password) as client:
        for name, most in LIMITS.items():
            query = f"SELECT getSetting('{name}')"
            assert refused(client, query, {name: asked, "readonly": "0"}) or client.execute(
                query, settings={name: asked, "readonly": "0"}
            ) == [(most,)]


def refused(client: Client, sql: str, settings: dict[str, str]) -> bool:
    """Whether the settings are not for a reader to bring."""
    try:
        client.execute(sql, settings=settings)
    except ServerException as error:
        return error.code in (164, 452)
    return False


def test_less_may_be_asked_for(addresses: StoreAddresses) -> None:
    with StoreReader(replace(addresses.writer, database="homeroom")) as reader:
        reader._settings["max_result_rows"] = 2
        assert len(reader.query("SELECT number FROM numbers(2)").rows) == 2
        with pytest.raises(StoreRejected, match="Limit for result"):
            reader.query("SELECT number FROM numbers(3)")


def test_the_readers_password_opens_nothing_else(addresses: StoreAddresses) -> None:
    swapped = (
        replace(addresses.reader, password=addresses.writer.password),
        replace(addresses.writer, password=addresses.reader.password),
        replace(addresses.reader, password=""),
    )
    for address in swapped:
        with StoreReader(address) as reader, pytest.raises(StoreError, match=r"code (516|194|193)"):
            reader.query("SELECT 1")


FOREVER = "SELECT max(sipHash64(number, number + 1)) FROM numbers(1000000000000)"


def under_way(writer: ClickHouseWriter) -> int:
    query = "SELECT count() FROM system.processes WHERE startsWith(query, 'SELECT max(sipHash64')"
    return int(writer.command(query)[0][0])


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_reader_that_is_killed_leaves_nothing_behind(addresses: StoreAddresses) -> None:
    """Neither does what it asked for run on, nor is who writes held up meanwhile."""
    to = addresses.reader
    with ClickHouseWriter(addresses.writer) as writer:
        for _ in range(2):
            client = Client(to.host, to.port, "homeroom", to.user, to.password)
            asking = threading.Thread(target=pytest.raises, args=(Exception, client.execute, FOREVER))
            asking.start()
            until(lambda: under_way(writer) == 1)
            client.connection.socket.shutdown(socket.SHUT_RDWR)
            asking.join(60)
            until(lambda: under_way(writer) == 0)
    with StoreReader(to) as reader:
        assert reader.query("SELECT 1").rows == [(1,)]


def test_no_memory_is_kept_after_hungry_queries(addresses: StoreAddresses) -> None:
    if addresses.pid is None:
        pytest.skip("whose process it is, is not seen in a container")
    pid = addresses.pid
    with StoreReader(addresses.reader) as reader:
        for _ in range(3):
            with pytest.raises(StoreError, match="memory"):
                reader.query(HUNGRY)
    until(lambda: resident(pid) < 1200)


def resident(pid: int) -> int:
    """Megabytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
