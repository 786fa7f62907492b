"""What a stranger may cost the console: raw sockets against the real server, before any key is shown."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn

from cli.wiring.console import SERVER
from console.app import create_app
from console.bounds import Bounds
from console.parts import Parts
from console.protocol import BoundedProtocol
from console.readers import Readers
from local.brokers import free_port
from sinks.address import StoreAddress

BOUNDS = Bounds(body_bytes=10_000, body_s=1.0)
HEALTH = b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n"
WHAT_IF = b"POST /api/v1/what-if HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
SLOW = 20.0
"""Seconds within which a bound of one has worked, however busy the machine is."""

Connect = Callable[[], socket.socket]


class Quick(BoundedProtocol):
    """The real one, which loses patience sooner."""

    head_s = 1.0
    write_s = 1.0
    most = 20


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A console as `homeroom console` serves it, but for the patience; its store is never asked."""
    readers, port = Readers(StoreAddress("127.0.0.1", 1)), free_port()
    app = create_app(Parts(readers), [], bounds=BOUNDS)
    server = uvicorn.Server(uvicorn.Config(app, port=port, **{**SERVER, "http": Quick}))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    yield port
    server.should_exit = True
    thread.join(10)
    readers.close()


@pytest.fixture
def connect(port: int) -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", port), SLOW))


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes; empty where it cuts off without a word."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            received += piece
    return received


def drip(connection: socket.socket, piece: bytes, pause_s: float) -> float:
    """Send a piece again and again until the server has had enough; the seconds that it took."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < SLOW:
            connection.sendall(piece)
            time.sleep(pause_s)
    return time.monotonic() - began


@pytest.mark.parametrize("begun", [b"", b"GET / HT", WHAT_IF, HEALTH + b"GET /api"])
def test_a_head_that_is_not_finished_is_cut_off(connect: Connect, begun: bytes) -> None:
    connection = connect()
    connection.sendall(begun)
    assert answer(connection).count(b"HTTP/1.1 200") == begun.count(HEALTH)


def test_a_head_in_drops_is_cut_off_however_busy_it_looks(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n")
    assert drip(connection, b"X-A: b\r\n", 0.1) < SLOW


def test_a_head_that_does_not_end_is_refused(connect: Connect) -> None:
    connection = connect()
    with contextlib.suppress(ConnectionError):
        connection.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nX: " + 100_000 * b"a")
    response = answer(connection)
    assert not response or response.startswith(b"HTTP/1.1 400")


def test_a_length_that_is_too_long_is_refused_before_any_of_it_is_read(connect: Connect) -> None:
    connection = connect()
    connection.sendall(WHAT_IF + b"Content-Length: 500000000\r\n\r\n")
    response = answer(connection)
    assert response.startswith(b"HTTP/1.1 413")
    assert b"a body has at most 10,000 bytes" in response
    assert b"content-security-policy" in response.lower()


def test_chunks_without_an_end_are_refused(connect: Connect) -> None:
    connection = connect()
    connection.sendall(WHAT_IF + b"Transfer-Encoding: chunked\r\n\r\n")
    assert drip(connection, b"1000\r\n" + 4096 * b"a" + b"\r\n", 0.05) < SLOW


def test_a_body_in_drops_is_refused_in_time(connect: Connect) -> None:
    connection = connect()
    connection.sendall(WHAT_IF + b"Content-Length: 9000\r\n\r\n{")
    response = answer(connection)
    assert response.startswith(b"HTTP/1.1 408")
    connection = connect()
    connection.sendall(WHAT_IF + b"Content-Length: 9000\r\n\r\n{")
    assert drip(connection, b" ", 0.1) < SLOW


def test_a_body_of_a_page_that_wants_none_is_bounded_too(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /login HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n")
    assert answer(connection).startswith(b"HTTP/1.1 413")


def test_one_who_waits_makes_room_for_the_next(connect: Connect) -> None:
    """Many connections that say nothing, and still somebody who asks is answered."""
    idle = [connect() for _ in range(4 * Quick.most)]
    for number in range(Quick.most):
        connection = connect()
        connection.sendall(HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert answer(connection).startswith(b"HTTP/1.1 200"), number
    assert [answer(connection) for connection in idle] == [b""] * len(idle)


def test_an_answer_that_nobody_takes_is_not_kept(port: int) -> None:
    """A thousand requests for a long page, none of whose answers is read."""
    request = b"GET /static/vendor/echarts.common.min.js HTTP/1.1\r\nHost: a\r\n\r\n"
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(SLOW)
        connection.connect(("127.0.0.1", port))
        assert drip(connection, request, 0.1) < SLOW


def test_what_is_within_the_bounds_is_asked_for_a_key(connect: Connect) -> None:
    connection = connect()
    body = b"{" + 9_000 * b" " + b"}"
    connection.sendall(WHAT_IF + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert answer(connection).startswith(b"HTTP/1.1 401")
