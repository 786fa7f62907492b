"""A refusal and a silence are told apart, by what a real server does with a message of Apprise's."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from local.brokers import free_port
from notifier.answers import Answer, AnswerKind, answer_of_failure, may_have_been_sent
from notifier.outgoing import OutgoingMessage
from notifier.providers import MAIL_TIMEOUT_S, WEB_TIMEOUT_S, Providers
from notifier.rendering import Rendered
from schemas.learner import Channel
from tests.notifier.nudging import nudge

SILENT, GONE = b"(says nothing)", b"(closes)"
HELLO = (b"220 here", b"250 here", b"250 from", b"250 to")
HEADER = b"HTTP/1.1 "
TWILIO = "twilio://AC" + "a" * 32 + ":" + "b" * 32 + "@15550100000/{address}"


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
    due = nudge("n", channel=channel)
    message = OutgoingMessage("n", (due,), "ann@example.org", Rendered("title", "text", ""))
    return await Providers({channel: url}).send(message)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([*HELLO, b"354 go on", b"250 taken"], "taken"),
        ([*HELLO, b"354 go on", b"451 later", b"250 reset"], "refused"),
        ([*HELLO, b"354 go on", b"421 closing"], "refused"),
        ([*HELLO, b"451 no data now", b"250 reset"], "refused"),
        ([*HELLO[:3], b"550 nobody here", b"250 reset"], "rejected"),
        ([*HELLO[:3], b"450 mailbox busy", b"250 reset"], "refused"),
        ([*HELLO, b"354 go on", b"554 5.7.1 spam <ann@example.org>"], "rejected"),
        ([*HELLO, b"554 no data ever"], "rejected"),
        ([*HELLO[:2], b"553 no such sender"], "refused"),  # that is a setting, not the address
        ([b"554 no service"], "refused"),
        ([SILENT], "refused"),
        ([*HELLO[:3], SILENT], "refused"),
        ([*HELLO[:2], GONE], "refused"),
        ([*HELLO, b"354 go on", SILENT], "unanswered"),
        ([*HELLO, b"354 go on", GONE], "unanswered"),
        ([*HELLO, SILENT], "unanswered"),  # not handed over yet; rare enough to be careful
    ],
)
async def test_of_a_mail_server(answers: list[bytes], expected: AnswerKind) -> None:
    with server(answers, mail=True) as port:
        url = f"mailto://127.0.0.1:{port}?from=a@example.org&to={{address}}&cto=0.5"
        assert (await sent("email", url)).kind == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HEADER + b"204 Taken\r\n\r\n", "taken"),
        (HEADER + b"429 Slowly\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n", "refused"),
        (HEADER + b"500 Broken\r\nContent-Length: 0\r\n\r\n", "refused"),
        (HEADER + b"502 Not there\r\nContent-Length: 0\r\n\r\n", "refused"),
        (HEADER + b"503 Busy\r\nContent-Length: 9\r\n\r\nerror=504", "refused"),
        (HEADER + b"404 Not there\r\nContent-Length: 0\r\n\r\n", "refused"),
        (HEADER + b"401 Who\r\nContent-Length: 0\r\n\r\n", "refused"),
        (HEADER + b"400 No number\r\nContent-Length: 0\r\n\r\n", "rejected"),
        (HEADER + b"410 Gone\r\nContent-Length: 0\r\n\r\n", "rejected"),
        (HEADER + b"504 Waited\r\nContent-Length: 0\r\n\r\n", "unanswered"),
        (HEADER + b"524 Waited\r\nContent-Length: 0\r\n\r\n", "unanswered"),
        (SILENT, "unanswered"),
        (GONE, "unanswered"),
    ],
)
async def test_of_a_webhook(answer: bytes, expected: AnswerKind) -> None:
    with server([answer], mail=False) as port:
        assert (await sent("in_app", f"json://127.0.0.1:{port}/inbox?rto=0.5")).kind == expected


@pytest.mark.parametrize(
    ("channel", "url"),
    [
        ("email", "mailto://127.0.0.1:{port}?from=a@example.org&to={address}"),
        ("in_app", "json://127.0.0.1:{port}"),
    ],
)
async def test_where_nothing_listens_it_may_be_tried_again(channel: Channel, url: str) -> None:
    answer = await sent(channel, url.replace("{port}", str(free_port())))
    assert answer.kind == "refused"
    assert answer.reason in ("ConnectionRefusedError", "ConnectionError")


async def test_why_is_told_by_codes_without_the_words_that_may_hold_an_address() -> None:
    answers = [*HELLO[:3], b"550 5.1.1 <ann@example.org>: nobody here", b"250 bye"]
    with server(answers, mail=True) as port:
        answer = await sent("email", f"mailto://127.0.0.1:{port}?from=a@example.org&to={{address}}")
    assert answer == Answer("rejected", "550 5.1.1 to RCPT TO")
    with server([HEADER + b"503 Busy\r\nContent-Length: 0\r\n\r\n"], mail=False) as port:
        assert await sent("in_app", f"json://127.0.0.1:{port}/x") == Answer("refused", "HTTP 503")


@pytest.mark.parametrize("url", ["jsons://127.0.0.1:{port}/inbox", TWILIO])
async def test_missing_certificates_are_a_refusal_and_no_end(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They raise an error that Apprise does not catch, before anything is sent."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    channel: Channel = "sms" if url == TWILIO else "in_app"
    due = nudge("n", channel=channel)
    providers = Providers({channel: url.replace("{port}", str(free_port()))})
    answer = await providers.send(OutgoingMessage("n", (due,), "+4917012345678", Rendered("", "text", "")))
    assert answer == Answer("refused", "OSError")


@pytest.mark.parametrize(
    "error", [KeyError("sid"), RecursionError(), MemoryError(), UnicodeError(), OSError()]
)
async def test_whatever_a_plugin_raises_is_an_answer_and_as_it_may_have_sent_not_tried_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a plugin cannot read the answer of a server that took the message."""

    def raises(*_: object, **__: object) -> bool:
        raise error

    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.send", raises)
    assert await sent("in_app", "json://127.0.0.1:9/inbox") == Answer("unanswered", type(error).__name__)


async def test_a_mail_server_whose_certificate_is_not_good_is_a_refusal() -> None:
    with server([b"hello?"], mail=True) as port:
        answer = await sent(
            "email", f"mailtos://127.0.0.1:{port}?from=a@example.org&to={{address}}&mode=ssl&cto=5"
        )
    assert (answer.kind, answer.reason) == ("refused", "SSLError")


def test_what_comes_of_no_library_is_judged_by_its_kind() -> None:
    assert may_have_been_sent(TimeoutError())
    assert may_have_been_sent(ConnectionResetError())
    assert not may_have_been_sent(ConnectionRefusedError())
    assert not may_have_been_sent(ValueError())
    assert answer_of_failure(ValueError()).kind == "unanswered"


def test_silences_are_waited_for_as_long_as_the_url_says_or_else_long_enough() -> None:
    mail = "mailto://127.0.0.1?from=a@example.org&to={address}"
    assert Providers({"email": mail}).longest_timeout_s == MAIL_TIMEOUT_S
    assert Providers({"email": f"{mail}&cto=600"}).longest_timeout_s == 600.0
    assert Providers({"in_app": "json://127.0.0.1"}).longest_timeout_s == 4.0 + WEB_TIMEOUT_S
    assert Providers({"in_app": "json://127.0.0.1?cto=1&rto=2"}).longest_timeout_s == 3.0
