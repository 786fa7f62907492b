"""A real mail server and a real webhook, that keep what they get and can be told to refuse or to hold."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from local.brokers import free_port
from notifier.outgoing import NUDGE_HEADER


@dataclass
class Mailbox:
    """What the mail server does with the next mails, and what it took. ``held`` is set once a mail's data
    are there and the answer is being held back."""

    refusals: int = 0
    gone: set[str] = field(default_factory=set)
    asked: int = 0
    hold: bool = False
    held: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    tried: int = 0

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        self.asked += 1
        if address in self.gone:
            return f"550 5.1.1 <{address}>: nobody of that name here"
        envelope.rcpt_tos.append(address)
        return "250 is here"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        import asyncio

        self.tried += 1
        if self.refusals:
            self.refusals -= 1
            return "451 try again later"
        content = envelope.original_content or b""
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients += envelope.rcpt_tos
        if self.hold:
            self.held.set()
            await asyncio.get_running_loop().run_in_executor(None, self.let_go.wait, 30)
        return "250 taken"

    @property
    def counts(self) -> Counter[str]:
        """Nudge → mails of it."""
        return Counter(str(mail[NUDGE_HEADER]) for mail in self.mails)


@dataclass
class Webhook:
    """What the webhook answers to the next posts, 204 when none is left; what came when, what it took."""

    statuses: list[int] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    posts: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def answer(self, headers: dict[str, str], body: dict[str, Any]) -> int:
        self.at.append(time.monotonic())
        self.tried.append(headers[NUDGE_HEADER])
        status = self.statuses.pop(0) if self.statuses else 204
        if status == 204:
            self.posts.append((headers, body))
        return status

    @property
    def taken(self) -> list[str]:
        """The nudge of each post that it took."""
        return [headers[NUDGE_HEADER] for headers, _ in self.posts]


@dataclass(frozen=True)
class Receivers:
    """The servers' boxes, and the Apprise URLs that lead to them."""

    mailbox: Mailbox
    webhook: Webhook
    email_url: str
    webhook_url: str


@contextmanager
def receivers() -> Iterator[Receivers]:
    """Both, listening on the loopback."""
    mailbox, webhook = Mailbox(), Webhook()
    smtp = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    smtp.start()
    web = ThreadingHTTPServer(("127.0.0.1", 0), _asking(webhook))
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    try:
        yield Receivers(
            mailbox,
            webhook,
            # cto: to Apprise a server that says nothing for 15 s has refused; ours may hold a mail
            f"mailto://127.0.0.1:{smtp.port}?from=nudges@example.org&to={{address}}&cto=120",
            f"json://127.0.0.1:{web.server_port}/inbox",
        )
    finally:
        mailbox.let_go.set()
        smtp.stop()
        web.shutdown()
        web.server_close()
        thread.join()


def _asking(webhook: Webhook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(webhook.answer(dict(self.headers), orjson.loads(body)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
