"""The store that tests run against: a server that the environment names, else one in a container where
Docker answers, else the embedded one. All three are the real engine behind the native protocol."""

import contextlib
import os
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sinks.address import StoreAddress
from sinks.embedded import EmbeddedStore
from sinks.migrate import migrate
from sinks.store import ClickHouseWriter

VARIABLE = "HOMEROOM_TEST_STORE"
IMAGE = "clickhouse/clickhouse-server:26.9"


def docker_answers() -> bool:
    """Whether a Docker engine, not only its client, is there."""
    try:
        return (
            subprocess.run(["docker", "info"], check=False, capture_output=True, timeout=20).returncode == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


@contextlib.contextmanager
def real_server_or_embedded(directory: Path) -> Iterator[StoreAddress]:
    """A running store's address; what was started here is stopped on leaving."""
    if url := os.environ.get(VARIABLE):
        yield StoreAddress.parse(url)
    elif docker_answers():
        from testcontainers.clickhouse import ClickHouseContainer

        with ClickHouseContainer(IMAGE, username="homeroom", password="homeroom", dbname="default") as server:
            host, port = server.get_container_host_ip(), int(server.get_exposed_port(9000))
            yield StoreAddress(host, port, "homeroom", "homeroom")
    else:
        with EmbeddedStore(directory) as address:
            yield address


@contextlib.contextmanager
def fresh_database(address: StoreAddress, *, migrated: bool = True) -> Iterator[StoreAddress]:
    """A database of one's own in the store, with all tables unless told otherwise; dropped on leaving."""
    mine = replace(address, database=f"test_{uuid.uuid4().hex[:12]}")
    with ClickHouseWriter(replace(address, database="default")) as writer:
        writer.command(f"CREATE DATABASE {mine.database}")
        if migrated:
            migrate(mine)
        yield mine
        writer.command(f"DROP DATABASE {mine.database}")
