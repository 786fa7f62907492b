"""The port of the metrics: Prometheus is answered, whoever else holds connections open."""

import contextlib
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from streams.metrics_server import MAX_CONNECTIONS, MetricsServer, start_http_server

SLOW = 20.0


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    registry = CollectorRegistry()
    Counter("homeroom_seen", "what the test looks for", registry=registry).inc(3)
    server = start_http_server(0, "127.0.0.1", registry)
    server.request_timeout_s = 1.0
    yield server
    server.shutdown()
    server.server_close()


def metrics(server: MetricsServer) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=SLOW) as answer:
        return str(answer.read().decode())


def threads() -> int:
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def test_it_answers_beside_many_connections_that_say_nothing(server: MetricsServer) -> None:
    before = threads()
    with contextlib.ExitStack() as stack:
        for _ in range(4 * MAX_CONNECTIONS):
            address = ("127.0.0.1", server.server_port)
            stack.enter_context(socket.create_connection(address, SLOW)).sendall(b"GET /met")
        assert "homeroom_seen_total 3.0" in metrics(server)
        deadline = time.monotonic() + SLOW
        while threads() > before:  # each is cut off by itself
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert "homeroom_seen_total 3.0" in metrics(server)


def test_a_head_in_drops_is_cut_off(server: MetricsServer) -> None:
    began = time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", server.server_port), SLOW) as connection,
        contextlib.suppress(ConnectionError),
    ):
        while time.monotonic() - began < SLOW:
            connection.sendall(b"G")
            time.sleep(0.1)
    assert time.monotonic() - began < SLOW


def test_a_port_that_is_taken_is_an_error(server: MetricsServer) -> None:
    with pytest.raises(OSError, match="in use"):
        start_http_server(server.server_port, "127.0.0.1", CollectorRegistry())
