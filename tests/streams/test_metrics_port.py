"""A second worker or notifier on one host is told which setting is in its way."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from local.brokers import EmbeddedBroker, free_port
from streams.metrics_port import serve_metrics
from streams.settings import SettingsError


@pytest.fixture
def occupied() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "192.0.2.1", "no such host", "a" * 300, "\N{SNOWMAN}" * 70, ""]
)
def test_where_nothing_can_listen_the_setting_is_named(host: str, occupied: int) -> None:
    with pytest.raises(SettingsError) as error:
        serve_metrics(host, occupied, CollectorRegistry(), "HOMEROOM_METRICS_PORT")
    assert str(error.value).startswith(
        f"HOMEROOM_METRICS_PORT is {occupied}, on HOMEROOM_METRICS_HOST {host!r}: "
    )
    assert "each worker and notifier of a host needs its own, or 0" in str(error.value)


def test_port_0_is_nowhere() -> None:
    serve_metrics("no such host", 0, CollectorRegistry(), "HOMEROOM_METRICS_PORT")


def ended(arguments: list[str], environment: dict[str, str], folder: Path) -> str:
    """What a command says that has to end with 2, at once."""
    done = subprocess.run(
        (sys.executable, "-m", "cli.main", *arguments),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_a_second_worker_and_a_second_notifier_end_in_a_line(occupied: int, tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        environment = {
            "HOMEROOM_BROKER": broker.address,
            "HOMEROOM_STORE": "",
            "HOMEROOM_PSEUDONYM_KEY": "a secret of the tests",
            "HOMEROOM_METRICS_PORT": str(occupied),
            "HOMEROOM_NOTIFIER_METRICS_PORT": str(occupied),
            "HOMEROOM_NOTIFIER_IN_APP_URL": f"json://127.0.0.1:{free_port()}/inbox",
        }
        subprocess.run(
            (sys.executable, "-m", "cli.main", "topics", "create"),
            cwd=Path(__file__).parents[2],
            env=os.environ | environment,
            check=True,
            capture_output=True,
        )
        output = ended(["worker"], environment, tmp_path)
        assert output.startswith(f"homeroom: HOMEROOM_METRICS_PORT is {occupied}, on")
        assert "Address already in use" in output
        output = ended(["notifier", "--send"], environment, tmp_path)
        assert output.startswith(f"homeroom: HOMEROOM_NOTIFIER_METRICS_PORT is {occupied}, on")
        links = {
            "HOMEROOM_NOTIFIER_METRICS_PORT": "0",
            "HOMEROOM_NOTIFIER_PORT": str(occupied),
            "HOMEROOM_NOTIFIER_PUBLIC_URL": "https://nudges.example.org",
            "HOMEROOM_NOTIFIER_LINK_KEY": "a secret of the tests",
        }
        output = ended(["notifier", "--send"], environment | links, tmp_path)
        assert f"HOMEROOM_NOTIFIER_HOST and _PORT are '127.0.0.1' and {occupied}: " in output
