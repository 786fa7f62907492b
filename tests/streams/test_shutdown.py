"""A worker that is told to stop ends within its deadline, with code 0, whatever is going on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.stops import stops
from tests.brokers import TestBroker
from tests.streams import pipelines as p

SCRIPT = """
import sys, threading, time
from streams.shutdown import Shutdown
if sys.argv[1] == "threads":
    for _ in range(20):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
shutdown = Shutdown(float(sys.argv[2]))
if sys.argv[1] != "early":
    shutdown.on_signal(lambda: print("told", flush=True))
if sys.argv[1] == "failed":
    shutdown.start_deadline(1)
print("ready", flush=True)
while True:
    time.sleep(0.1)
"""


def start(kind: str, deadline_s: float) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, kind, str(deadline_s)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("kind", ["hangs", "threads"])
def test_who_hangs_is_ended_at_the_deadline(kind: str) -> None:
    """Also where a library has started threads at its import, which take signals too."""
    process = start(kind, 1.0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert process.communicate()[0] == "told\n"


def test_who_has_not_begun_ends_at_once() -> None:
    process = start("early", 600)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_second_signal_ends_at_once() -> None:
    process = start("hangs", 600)
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "told\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_who_fails_and_hangs_ends_at_the_deadline_with_its_code() -> None:
    assert start("failed", 1.0).wait(30) == 1


@pytest.mark.kafka
@pytest.mark.apache
def test_workers_that_are_told_while_partitions_move(tmp_path: Path, broker: TestBroker, prefix: str) -> None:
    settings = p.settings_of(broker.address, prefix, None, partitions=6, clock="live", stop_s=20.0)
    with p.pipeline(tmp_path, settings) as rig:
        for stop in stops(rig, 10):
            assert (stop.code, stop.traces) == (0, 0), stop.log
            assert stop.seconds < settings.stop_s + 5
        started = time.monotonic()
        assert rig.stop_workers() == [0]
        assert time.monotonic() - started < settings.stop_s + 5
