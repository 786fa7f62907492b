"""A worker leaves nothing in the folder that it is started in, which may be one that it may not write to."""

import time
from pathlib import Path

import pytest

from local.brokers import EmbeddedBroker
from local.rig import Rig
from streams.settings import load


def test_nothing_is_put_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs, working = tmp_path / "logs", tmp_path / "working"
    logs.mkdir()
    working.mkdir()
    monkeypatch.chdir(working)
    with EmbeddedBroker() as broker:
        settings = load(
            broker=broker.address, store="", pseudonym_key="a secret of the tests", session_timeout_s=6.0
        )
        with Rig(logs, settings, broker=False, store=False) as rig:
            worker = rig.start_worker()
            while "assigned: partitions" not in worker.tail(100):
                worker.check()
                time.sleep(0.1)
            worker.stop()
    assert not list(working.iterdir())
