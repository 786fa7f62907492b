"""No test leaves this machine: neither this process nor those that it starts."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests

from tests.loopback import sitecustomize as loopback

ROOT = Path(__file__).parent.parent
ELSEWHERE = "192.0.2.1"
"""Of TEST-NET-1 (RFC 5737): nobody's."""


def by_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"x", (ELSEWHERE, 9))


async def by_aiohttp() -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://{ELSEWHERE}/"):
        """Is not reached."""


WAYS: dict[str, Callable[[], object]] = {
    "a connection": lambda: socket.create_connection((ELSEWHERE, 9), timeout=1),
    "a datagram": by_udp,
    "a look-up": lambda: socket.getaddrinfo("example.org", 80),
    "requests": lambda: requests.get(f"http://{ELSEWHERE}/", timeout=1),
    "asyncio": lambda: asyncio.run(asyncio.open_connection(ELSEWHERE, 9)),
    "aiohttp": lambda: asyncio.run(by_aiohttp()),
    "IPv6": lambda: socket.create_connection(("2001:db8::1", 9), timeout=1),
}


@pytest.mark.parametrize("way", WAYS)
def test_another_machine_is_refused_and_written_down(
    way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = tmp_path / "left.txt"
    monkeypatch.setenv(loopback.LOG, str(left))
    with pytest.raises((OSError, aiohttp.ClientError), match="no test leaves this machine"):
        WAYS[way]()
    assert left.read_text("utf-8").startswith("socket.")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0"]
)
def test_this_machine_is_not_refused(host: str) -> None:
    assert loopback.is_here(host)
    assert loopback.is_here(None)
    assert loopback.is_here(host.encode())


def test_a_process_is_guarded_too(tmp_path: Path) -> None:
    left = tmp_path / "left.txt"
    script = f"import socket; socket.create_connection(({ELSEWHERE!r}, 9), timeout=1)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {loopback.LOG: str(left)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "no test leaves this machine" in done.stderr
    assert ELSEWHERE in left.read_text("utf-8")


def test_a_test_that_keeps_quiet_about_it_fails(tmp_path: Path) -> None:
    """And so does one whose process has asked."""
    (tmp_path / "test_quiet.py").write_text(
        f"""
import contextlib, socket, subprocess, sys
ASKS = "import contextlib, socket; socket.create_connection(({ELSEWHERE!r}, 9), timeout=1)"

def test_itself():
    with contextlib.suppress(OSError):
        exec(ASKS)

def test_its_process():
    subprocess.run([sys.executable, "-c", ASKS])

def test_neither():
    pass
""",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-c", os.devnull]
        + ["--rootdir", str(tmp_path), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"]])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "3 passed, 2 errors" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("left this machine: socket.") >= 2


def test_a_server_that_the_environment_names_may_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that a test started, and each that runs tests beside others, has the guard twice."""
    monkeypatch.setenv("HOMEROOM_TEST_STORE", f"clickhouse://user:word@{ELSEWHERE}:9000/x")
    guards: list[Any] = [loopback, sys.modules.get("sitecustomize", loopback)]
    guards = [guard for guard in guards if hasattr(guard, "named")]
    caches = [cache for guard in guards for cache in (guard.named, guard.addresses)]
    for cache in caches:
        cache.cache_clear()
    try:
        assert loopback.is_here(ELSEWHERE)
        assert not loopback.is_here("192.0.2.2")
    finally:
        monkeypatch.undo()
        for cache in caches:
            cache.cache_clear()
