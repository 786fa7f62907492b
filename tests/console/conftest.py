"""The console of the tests: the real app on a port, over what real workers made of a small simulated term.

The term stops before its end, so that course runs are on, learners at risk and workers still there to take
what the page sends. Broker, store and worker are the embedded ones; settings alone differ from production's.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from rich.console import Console as Terminal

from cli.wiring.console import SERVER, console_app
from console.access import ApiKey, make_key
from console.app import create_app
from console.live import STATE_QUERY
from console.parts import Parts
from console.readers import Readers
from local.brokers import free_port
from local.demo import stream_through, truncated_stream
from local.demo_names import simulated_names
from local.rig import Rig
from sinks.address import StoreAddress
from sinks.store import StoreReader
from sources import simulator
from sources.simulator import SimulationPlan
from tests.streams.pipelines import settings_of

PLAN = SimulationPlan.term(learners=240, weeks=6, past=0.7, seed=2, elapsed=0.75)
COURSE = PLAN.runs[1].course_run
OTHER = PLAN.runs[3].course_run

KEYS = {
    "instructor": make_key("Ada Byron", "instructor", [PLAN.runs[1].course]),
    "other": make_key("Other instructor", "instructor", [PLAN.runs[3].course]),
    "viewer": make_key("A board", "viewer", [COURSE]),
    "admin": make_key("Administrator", "admin", []),
    "nobody": make_key("No course yet", "instructor", ["course-z"]),
}


@dataclass(frozen=True, slots=True)
class Served:
    """A console that answers. ``store`` is what it reads, ``rig`` what feeds that, where there is one."""

    url: str
    store: StoreAddress
    app: FastAPI
    rig: Rig | None = None

    def client(self, who: str = "instructor") -> httpx.Client:
        """Asks with somebody's key."""
        headers = {"Authorization": f"Bearer {KEYS[who][0]}"} if who else {}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=20)


@contextmanager
def served(app: FastAPI, **options: Any) -> Iterator[str]:
    """The app on a port of its own, as `homeroom console` serves it but for the ``options``; its address."""
    port = free_port()
    config = uvicorn.Config(app, port=port, **{**SERVER, "timeout_graceful_shutdown": 1, **options})
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def keys() -> list[ApiKey]:
    return [entry for _, entry in KEYS.values()]


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The console over a term that real workers have followed up to its fifth week."""
    settings = settings_of("none:0", "", None, partitions=2, batch_records=2000, backlog_records=8000)
    with Rig(tmp_path_factory.mktemp("console"), settings) as rig:
        stream_through(rig, truncated_stream(PLAN), simulator.total(PLAN), Terminal(quiet=True))
        _settle(rig.store_address)
        names = simulated_names(simulator.truth(PLAN).learner)
        with console_app(rig.settings, keys(), names) as app, served(app) as url:
            yield Served(url, rig.store_address, app, rig)


def _settle(store: StoreAddress) -> None:
    """Wait until the last day is closed and a second has brought nothing new: events are applied before."""
    deadline, before = time.monotonic() + 60, ""
    with StoreReader(store) as reader:
        while time.monotonic() < deadline:
            state = str(reader.query(STATE_QUERY).rows[0][0])
            newest = reader.query("SELECT toUInt32(max(day)) FROM engagement_daily").rows[0][0]
            if PLAN.until is not None and newest >= PLAN.until - 1 and state == before:
                return
            before = state
            time.sleep(1)
    raise AssertionError(f"the term's last day was not closed; the newest is {newest}, of {PLAN.until}")


@pytest.fixture(scope="session")
def bare(console: Served) -> Iterator[Served]:
    """The same store behind a console that was given nothing else: no names, no broker, no model."""
    readers = Readers(console.store)
    app = create_app(Parts(readers, replay=True), keys())
    with served(app) as url:
        yield Served(url, console.store, app)
    readers.close()
