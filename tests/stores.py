"""The store that tests run against: a server that the environment names, else one in a container where
Docker answers, else the embedded one. All three are the real engine behind the native protocol."""

import contextlib
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sinks.address import StoreAddress
from sinks.embedded import EmbeddedStore
from sinks.errors import StoreDown
from sinks.migrate import migrate
from sinks.store import ClickHouseWriter
from tests.required import lacking

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


class SmallDisk(NamedTuple):
    """A store whose data lie on a disk of a few megabytes, and how to make room on it."""

    address: StoreAddress
    make_room: Callable[[], object]


MEGABYTES = 24
BALLAST = "ballast"
"""A file on the disk that nobody needs; without it there is room again."""

_MOUNT = (
    f'mount -t tmpfs -o size={MEGABYTES}m none "$0" && head -c 6M /dev/zero > "$0/{BALLAST}" && exec "$@"'
)


class _OnASmallDisk(EmbeddedStore):
    """The embedded store with a small file system of its own, in a namespace of its own."""

    def _command(self) -> list[str]:
        return [*_alone(_MOUNT, self._directory.parent), *super()._command()]


def _alone(script: str, directory: Path) -> list[str]:
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(directory)]


@contextlib.contextmanager
def store_on_a_small_disk(directory: Path) -> Iterator[SmallDisk]:
    """A real server where Docker answers, else the embedded store. Skips where neither can be had."""
    if docker_answers():
        from testcontainers.clickhouse import ClickHouseContainer

        data = "/var/lib/clickhouse/store"
        server = ClickHouseContainer(IMAGE, username="homeroom", password="homeroom", dbname="default")
        with server.with_kwargs(tmpfs={data: f"size={MEGABYTES}m"}) as server:
            server.exec(["sh", "-c", f"head -c 6M /dev/zero > {data}/{BALLAST}"])
            host, port = server.get_container_host_ip(), int(server.get_exposed_port(9000))
            yield SmallDisk(
                StoreAddress(host, port, "homeroom", "homeroom"),
                lambda: server.exec(["rm", f"{data}/{BALLAST}"]),
            )
        return
    mountable = _alone('mount -t tmpfs none "$0"', directory)
    if subprocess.run(mountable, check=False, capture_output=True).returncode:
        lacking("namespaces", "no small disk can be mounted here (user namespaces are closed)")
    store = _OnASmallDisk(directory / "store")
    with store as address:
        yield SmallDisk(address, Path(f"/proc/{store.pid}/root{directory}/{BALLAST}").unlink)


def until_full(write: Callable[[int], object]) -> int:
    """Write batch 0, 1, 2 … until the store takes no more, and return how many it answered for."""
    for batch in range(200):
        try:
            write(batch)
        except StoreDown:
            return batch
    raise AssertionError("200 batches went onto a disk of a few megabytes without an error")
