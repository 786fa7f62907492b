"""A refusal and a silence are told apart, by what a real server does with a message of Apprise's."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from nudges.notifier.answers import Answer, left_open
from nudges.notifier.providers import MAIL_SILENT_S, WEB_SILENT_S, Outgoing, Providers
from nudges.notifier.rendering import Rendered
from schemas.learner import Channel
from streams.brokers import free_port
from tests.nudges.notifier.nudging import nudge

SILENT, GONE = b"(says nothing)", b"(closes)"
HELLO = (b"220 here", b"250 here", b"250 from", b"250 to")
HEADER = b"HTTP/1.1 "


@contextmanager
def server(answers: Sequence[bytes], *, mail: bool) -> Iterator[int]:
    """A server on the loopback that gives these answers, the first of a mail server unasked. Its port."""
    listening, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as lines:
            for number, answer in enumerate(answers):
                if number or not mail:
                    heard(lines, mail and number == 5)
                if answer == SILENT:
                    ended.wait(20)
                    return
                if answer == GONE:
                    return
                connection.sendall(answer + (b"\r\n" if mail else b""))

    def heard(lines: Iterator[bytes], data: bool) -> None:
        length, end = 0, b".\r\n" if data else b"\r\n"
        for line in lines:
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            if line == end or (mail and not data):
                break
        lines.read(length)  # type: ignore[attr-defined]

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        ended.set()
        listening.close()
        thread.join()


async def sent(channel: Channel, url: str) -> Answer:
    one = nudge("n", channel=channel)
    message = Outgoing("n", (one,), "ann@example.org", Rendered("title", "text", ""))
    return await Providers({channel: url}).send(message)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([*HELLO, b"354 go on", b"250 taken"], "taken"),
        ([*HELLO, b"354 go on", b"451 later", b"250 reset"], "refused"),
        ([*HELLO, b"354 go on", b"421 closing"], "refused"),
        ([*HELLO, b"451 no data now", b"250 reset"], "refused"),
        ([*HELLO[:3], b"550 nobody here", b"250 reset"], "refused"),
        ([SILENT], "refused"),
        ([*HELLO[:3], SILENT], "refused"),
        ([*HELLO[:2], GONE], "refused"),
        ([*HELLO, b"354 go on", SILENT], "unanswered"),
        ([*HELLO, b"354 go on", GONE], "unanswered"),
        ([*HELLO, SILENT], "unanswered"),  # not handed over yet; rare enough to be careful
    ],
)
async def test_of_a_mail_server(answers: list[bytes], expected: Answer) -> None:
    with server(answers, mail=True) as port:
        url = f"mailto://127.0.0.1:{port}?from=a@example.org&to={{address}}&cto=0.5"
        assert await sent("email", url) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HEADER + b"204 Taken\r\n\r\n", "taken"),
        (HEADER + b"429 Slowly\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n", "refused"),
        (HEADER + b"500 Broken\r\nContent-Length: 0\r\n\r\n", "refused"),
        (HEADER + b"502 Not there\r\nContent-Length: 0\r\n\r\n", "refused"),
        (HEADER + b"503 Busy\r\nContent-Length: 9\r\n\r\nerror=504", "refused"),
        (HEADER + b"504 Waited\r\nContent-Length: 0\r\n\r\n", "unanswered"),
        (HEADER + b"524 Waited\r\nContent-Length: 0\r\n\r\n", "unanswered"),
        (SILENT, "unanswered"),
        (GONE, "unanswered"),
    ],
)
async def test_of_a_webhook(answer: bytes, expected: Answer) -> None:
    with server([answer], mail=False) as port:
        assert await sent("in_app", f"json://127.0.0.1:{port}/inbox?rto=0.5") == expected


@pytest.mark.parametrize(
    ("channel", "url"),
    [
        ("email", "mailto://127.0.0.1:{port}?from=a@example.org&to=b@example.org"),
        ("in_app", "json://127.0.0.1:{port}"),
    ],
)
async def test_where_nothing_listens_it_may_be_tried_again(channel: Channel, url: str) -> None:
    assert await sent(channel, url.replace("{port}", str(free_port()))) == "refused"


async def test_an_address_that_apprise_will_not_have_is_a_refusal_and_no_failure_of_the_notifier() -> None:
    one = nudge("n", channel="sms")
    providers = Providers({"sms": "twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15550100000/{address}"})
    assert await providers.send(Outgoing("n", (one,), "", Rendered("", "text", ""))) == "refused"


def test_what_comes_of_no_library_is_judged_by_its_kind() -> None:
    assert left_open(TimeoutError())
    assert left_open(ConnectionResetError())
    assert not left_open(ConnectionRefusedError())
    assert not left_open(ValueError())


def test_silences_are_waited_for_as_long_as_the_url_says_or_else_long_enough() -> None:
    mail = "mailto://127.0.0.1?from=a@example.org&to={address}"
    assert Providers({"email": mail}).longest_s == MAIL_SILENT_S
    assert Providers({"email": f"{mail}&cto=600"}).longest_s == 600.0
    assert Providers({"in_app": "json://127.0.0.1"}).longest_s == 4.0 + WEB_SILENT_S
    assert Providers({"in_app": "json://127.0.0.1?cto=1&rto=2"}).longest_s == 3.0
