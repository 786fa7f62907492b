"""The console inside a worker: it answers while events are applied, neither waits for the other, both end."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from console.access import entry, make_key
from local.brokers import free_port
from local.rig import WORKER, Rig
from sinks.address import StoreAddress
from tests.brokers import TestBroker
from tests.stores import fresh_database, real_server_or_embedded
from tests.streams import pipelines as p

SHOWN, KEY = make_key("Ada Byron", "admin", [])
SLOW_S = 40.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with (
        real_server_or_embedded(tmp_path_factory.mktemp("store")) as server,
        fresh_database(server) as mine,
    ):
        yield mine


@pytest.fixture
def rig(broker: TestBroker, prefix: str, store: StoreAddress, tmp_path: Path) -> Iterator[Rig]:
    keys = tmp_path / "keys.toml"
    keys.write_text(entry(KEY), encoding="utf-8")
    settings = p.settings_of(
        broker.address,
        prefix,
        store,
        console_keys=str(keys),
        console_port=free_port(),
        batch_records=2000,
        backlog_records=8000,
    )
    with p.pipeline(tmp_path, settings) as rig:
        yield rig


def client(rig: Rig) -> httpx.Client:
    settings = rig.settings
    return httpx.Client(
        base_url=f"http://127.0.0.1:{settings.console_port}",
        headers={"Authorization": f"Bearer {SHOWN}"},
        timeout=SLOW_S + 60,
    )


def answers(rig: Rig, path: str) -> bool:
    try:
        with client(rig) as asking:
            return asking.get(path).status_code == 200
    except httpx.TransportError:
        return False


def test_a_worker_serves_the_console_and_ends_with_it(rig: Rig) -> None:
    rig.publish(p.stream())
    worker = rig.start_worker((*WORKER, "--with-console"))
    p.wait_until(rig, lambda: answers(rig, "/api/v1/ready"), "the console answers")
    p.finish(rig)
    with client(rig) as asking, asking.stream("GET", "/api/v1/events") as open_page:
        assert (
            open_page.status_code == 200
        )  # it listens for ever, and a worker that ends does not wait for it
        risks = asking.get("/api/v1/risks", params={"level": ["low", "medium", "high"], "limit": 1}).json()
        assert risks["total"] >= 0
        assert asking.get("/api/v1/courses").json()
        started = time.monotonic()
        assert worker.stop() == 0
        assert time.monotonic() - started < 20, worker.tail()
    assert not answers(rig, "/api/v1/health")
    assert "Traceback" not in worker.tail(200), worker.tail(200)
    assert p.committed(rig.settings) == p.ends(rig.settings)
    assert p.outcome(rig.settings) == p.straight().outcome


def test_a_page_that_takes_long_holds_no_event_back(rig: Rig) -> None:
    worker = rig.start_worker(("-m", "tests.streams.slow_console", str(SLOW_S)))
    p.wait_until(rig, lambda: answers(rig, "/api/v1/health"), "the console answers")
    p.wait_until(rig, lambda: bool(worker.counts()), "the worker is up")
    took: list[float] = []

    def request() -> None:
        started = time.monotonic()
        assert answers(rig, "/slow")
        took.append(time.monotonic() - started)

    asking = threading.Thread(target=request)
    asking.start()
    rig.publish(p.stream()[:2000])
    p.finish(rig)
    before = not took
    asking.join()
    assert took[0] >= SLOW_S
    assert before, "the events were there only after the page"


def test_a_port_that_is_taken_is_told_before_anything_starts(rig: Rig, broker: TestBroker) -> None:
    taken = int(broker.address.rpartition(":")[2])
    rig.settings = rig.settings.model_copy(update={"console_port": taken})
    worker = rig.start_worker((*WORKER, "--with-console"))
    assert worker.process.wait(60) != 0
    assert "HOMEROOM_CONSOLE_HOST and _PORT are 127.0.0.1 and" in worker.tail()
    assert "Traceback" not in worker.tail(50)
    rig.workers.remove(worker)
