"""A worker whose broker has gone for good says so without flooding its log, and ends when it is told to."""

import time
from pathlib import Path

from local.brokers import EmbeddedBroker
from local.rig import Rig
from streams.settings import load

GRACE_S = 30.0
"""What supervisors commonly give a process before they kill it."""


def test_it_ends_in_time_and_does_not_flood_its_log(tmp_path: Path) -> None:
    settings = load(clock="live", store="", pseudonym_key="a secret of the tests", session_timeout_s=6.0)
    with EmbeddedBroker() as broker:
        settings = settings.model_copy(update={"broker": broker.address})
        with Rig(tmp_path, settings, broker=False, store=False) as rig:
            worker = rig.start_worker()
            while "assigned: partitions" not in worker.tail(100):
                worker.check()
                time.sleep(0.1)
            broker.kill()
            time.sleep(3.0)
            stopped_s = time.monotonic()
            worker.stop()
            assert time.monotonic() - stopped_s < GRACE_S
            lines = worker.log.read_text().splitlines()
            assert any("librdkafka" in line or "aiokafka" in line for line in lines), "it is said"
            assert sum(line.startswith("20") for line in lines) < 60
