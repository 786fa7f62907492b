"""What a stranger may cost the links' endpoint: raw sockets against the real server."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from notifier.link_server import Bounds, serve_links
from notifier.links import Links
from notifier.metrics import Metrics
from notifier.web import create_link_app
from tests.notifier.nudging import nudge

LINKS = Links("http://127.0.0.1", "sixteen characters")
SLOW = 20.0
MOST = 20
HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
UNSUBSCRIBE = f"POST /unsubscribed/{LINKS.token(nudge('n'), 'unsubscribed')} HTTP/1.1\r\nHost: a\r\n".encode()

Connect = Callable[[], socket.socket]


class FakeOutbox:
    """Stands for the outbox, whose broker is not what is tested: keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def send_link_feedback(self, content: Any) -> None:
        self.said.append(content)

    async def flush(self) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    ports: list[int] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    ended = asyncio.Event()

    async def serve() -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            ports.append(probe.getsockname()[1])
        app = create_link_app(LINKS, FakeOutbox(), Metrics())  # type: ignore[arg-type]
        async with serve_links(app, "127.0.0.1", ports[0], Bounds(head_s=1.0, answer_s=1.5, most=MOST)):
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()], daemon=True)
    thread.start()
    assert ready.wait(SLOW)
    yield ports[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join(SLOW)
    assert not thread.is_alive(), "it does not stop"


@pytest.fixture
def connect(port: int) -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(("127.0.0.1", port), SLOW))


def answer(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            received += piece
    return received


def drip(connection: socket.socket, piece: bytes) -> float:
    began = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - began < SLOW:
            connection.sendall(piece)
            time.sleep(0.1)
    return time.monotonic() - began


@pytest.mark.parametrize("begun", [b"", b"POST /unsubscribed/", b"GET /health HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_is_not_finished_is_cut_off(connect: Connect, begun: bytes) -> None:
    connection = connect()
    connection.sendall(begun)
    assert answer(connection) == b""


def test_a_head_in_drops_is_cut_off(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n")
    assert drip(connection, b"X-A: b\r\n") < SLOW


def test_a_body_that_is_too_long_is_refused_at_once(connect: Connect) -> None:
    connection = connect()
    connection.sendall(UNSUBSCRIBE + b"Content-Length: 500000000\r\n\r\n")
    assert answer(connection).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("head", "piece"),
    [(b"Content-Length: 4000\r\n\r\n", b"a"), (b"Transfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n")],
)
def test_a_body_that_does_not_end_is_cut_off(connect: Connect, head: bytes, piece: bytes) -> None:
    connection = connect()
    connection.sendall(UNSUBSCRIBE + head)
    assert drip(connection, piece) < SLOW


def test_one_who_waits_makes_room_for_the_next(connect: Connect) -> None:
    idle = [connect() for _ in range(4 * MOST)]
    for number in range(MOST):
        connection = connect()
        connection.sendall(HEALTH)
        assert answer(connection).startswith(b"HTTP/1.1 200"), number
    assert [answer(connection) for connection in idle] == [b""] * len(idle)


def test_a_mailbox_provider_s_click_works(connect: Connect) -> None:
    connection = connect()
    connection.sendall(
        UNSUBSCRIBE + b"Content-Length: 26\r\nConnection: close\r\n\r\nList-Unsubscribe=One-Click"
    )
    assert answer(connection).startswith(b"HTTP/1.1 200")
