"""A broker that falls silent holds the pipeline back, and does not end the worker."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.brokers import EmbeddedBroker
from streams.publisher import FLUSH_S, Publisher, PublishError
from streams.settings import Settings
from tests.streams import pipelines as p
from tests.streams.test_log_history import clock_of, publish


@contextmanager
def silent(broker: EmbeddedBroker) -> Iterator[None]:
    """It keeps its connections and answers nothing."""
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(broker.pid, signal.SIGCONT)


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """One of the test's own, since it is stopped."""
    with EmbeddedBroker() as found:
        yield found


@pytest.fixture
def settings(broker: EmbeddedBroker) -> Settings:
    return p.settings_of(broker.address, "", None, partitions=1, clock="live")


def test_a_workers_flush_waits_and_a_commands_does_not(broker: EmbeddedBroker, tmp_path: Path) -> None:
    settings = p.settings_of(broker.address, "", None, partitions=1)
    with p.pipeline(tmp_path, settings):
        publisher = Publisher(broker.address, patient=True)
        publisher.send("homeroom.events", b"{}", b"k", 0)
        publisher.flush_now()

        async def across_silence() -> float:
            with silent(broker):
                publisher.send("homeroom.events", b"{}", b"k", 0)
                with pytest.raises(PublishError, match="1 messages still waiting"):
                    publisher.flush_now(1.0)
                waiting = asyncio.ensure_future(publisher.flush())
                await asyncio.sleep(7.0)
                assert not waiting.done()
                silent_s = publisher.silent_s()
            await asyncio.wait_for(waiting, 60)
            return silent_s

        assert asyncio.run(across_silence()) > 1.0
        assert publisher.silent_s() == 0.0


def test_a_worker_goes_on_after_a_minutes_silence(
    tmp_path: Path, settings: Settings, broker: EmbeddedBroker
) -> None:
    """Longer than its session, and than the minute after which it used to end. Nobody restarts it here."""
    with p.pipeline(tmp_path, settings) as rig:
        publish(settings, "before", 40_000)  # so that a checkpoint is always under way
        worker = rig.start_worker()
        p.wait_applied(rig, 200)
        with silent(broker):
            time.sleep(FLUSH_S + 8)
            worker.check()
            assert worker.counts()["homeroom_broker_silent_seconds"] > FLUSH_S / 2
        publish(settings, "after", 100)
        p.wait_applied(rig, 40_100)
        worker.check()
        assert rig.stop_workers() == [0]
        assert "Traceback" not in worker.log.read_text()
        clock = clock_of(settings)
        assert (clock.events, clock.lost) == (40_100, 0)


def test_one_that_is_started_meanwhile_ends_with_a_line_and_works_when_started_again(
    tmp_path: Path, settings: Settings, broker: EmbeddedBroker
) -> None:
    """As its supervisor does."""
    with p.pipeline(tmp_path, settings) as rig:
        publish(settings, "events", 10)
        with silent(broker):
            early = rig.start_worker()
            assert early.process.wait(90) == 2
            rig.workers.clear()
        assert early.log.read_text().startswith(f"homeroom: no Kafka broker answers on {broker.address}")
        rig.start_worker()
        p.wait_applied(rig, 10)
        assert rig.stop_workers() == [0]
