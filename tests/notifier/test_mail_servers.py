"""A mail server is reached as its URL says: with TLS or without, with a password, for one mailbox or more."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from local.brokers import free_port
from notifier.answers import Answer
from notifier.outgoing import OutgoingMessage
from notifier.providers import Providers
from notifier.rendering import Rendered
from schemas.learner import Channel
from tests.notifier.nudging import nudge
from tests.required import lacking


@dataclass
class Box:
    """Keeps who a mail was for and how it came; will not have the mailboxes in ``gone``."""

    gone: tuple[str, ...] = ()
    came: list[tuple[list[str], bool, bool]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if address in self.gone:
            return "550 5.1.1 gone"
        envelope.rcpt_tos.append(address)
        return "250 here"

    async def handle_DATA(self, _: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.came.append((envelope.rcpt_tos, session.ssl is not None, bool(session.authenticated)))
        return "250 taken"


def certificate(folder: Path) -> ssl.SSLContext:
    """Of a server that signed for itself."""
    if shutil.which("openssl") is None:
        lacking("openssl", "makes a certificate for a mail server")
    file = str(folder / "server.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", file, "-out", f"{file}.crt"],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{file}.crt", file)
    return context


@contextmanager
def listening(box: Box, **how: Any) -> Iterator[int]:
    smtp = Controller(box, hostname="127.0.0.1", port=free_port(), **how)
    smtp.start()
    try:
        yield smtp.port
    finally:
        smtp.stop()


def knows(_: SMTP, __: Session, ___: Envelope, ____: str, login: Any) -> AuthResult:
    return AuthResult(success=(login.login, login.password) == (b"nudges", b"w:rd@/"), handled=False)


async def sent(url: str, channel: Channel = "email", address: str = "ann@example.org") -> Answer:
    message = OutgoingMessage("n", (nudge("n", channel=channel),), address, Rendered("title", "text", ""))
    return await Providers({channel: url}).send(message)


WHOM = "from=a@example.org&to={address}&cto=20"


async def test_with_starttls_and_a_password(tmp_path: Path) -> None:
    box, context = Box(), certificate(tmp_path)
    with listening(
        box, tls_context=context, require_starttls=True, auth_required=True, authenticator=knows
    ) as port:
        server = f"127.0.0.1:{port}?{WHOM}"
        assert (await sent(f"mailtos://nudges:w%3Ard%40%2F@{server}&verify=no")).kind == "taken"
        assert box.came == [(["ann@example.org"], True, True)]
        wrong = await sent(f"mailtos://nudges:word@{server}&verify=no")
        assert wrong == Answer("refused", "535 before the mail"), "that is no fault of the address"
        unknown = await sent(f"mailtos://nudges:w%3Ard%40%2F@{server}")
        assert unknown == Answer("refused", "SSLCertVerificationError"), "nobody vouches for the server"
        assert (await sent(f"mailto://{server}")).kind == "refused", "it wants TLS"
        assert len(box.came) == 1


async def test_with_tls_from_the_first_byte(tmp_path: Path) -> None:
    box = Box()
    smtp = _Implicit(box, certificate(tmp_path))
    smtp.start()
    try:
        url = f"mailtos://127.0.0.1:{smtp.port}?{WHOM}&mode=ssl&verify=no"
        assert (await sent(url)).kind == "taken"
    finally:
        smtp.stop()
    assert [who for who, _, _ in box.came] == [["ann@example.org"]]


class _Implicit(Controller):
    """A server that speaks TLS at once."""

    def __init__(self, box: Box, context: ssl.SSLContext) -> None:
        super().__init__(box, hostname="127.0.0.1", port=free_port(), ssl_context=context)

    def _trigger_server(self) -> None:
        """The connection by which aiosmtpd sees that it listens. It would look at the certificate."""
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((self.hostname, self.port), 20) as line, trusting.wrap_socket(line):
            """That is all."""


async def test_a_mailbox_of_the_staff_s_or_several_need_no_address() -> None:
    box = Box(gone=("gone@example.org",))
    with listening(box) as port:
        url = f"mailto://127.0.0.1:{port}?from=a@example.org&to=tutors@example.org,head@example.org"
        assert await sent(url, "instructor", "") == Answer("taken")
        url = url.replace("head@", "gone@")
        some = await sent(url, "instructor", "")
        assert some.kind == "taken"
        assert some.reason == "1 of 2 left out: 550 5.1.1 to RCPT TO", "it is told, though the mail has gone"
        none = await sent(url.replace("tutors@", "gone@"), "instructor", "")
        assert none == Answer("rejected", "550 5.1.1 to RCPT TO")
    assert [who for who, _, _ in box.came] == [
        ["tutors@example.org", "head@example.org"],
        ["tutors@example.org"],
    ]


async def test_an_address_beyond_ascii_is_rejected_where_the_server_does_not_take_such() -> None:
    with listening(Box(), enable_SMTPUTF8=False) as port:
        answer = await sent(f"mailto://127.0.0.1:{port}?{WHOM}", address="jörg@example.org")
    assert answer.kind == "rejected"
    assert "SMTPUTF8" in answer.reason


def hang_up(server: SMTP) -> None:
    assert server.transport is not None
    server.transport.close()


@pytest.mark.parametrize("step", ["connect", "EHLO", "MAIL"])
async def test_a_server_that_goes_away_before_the_mail_may_be_tried_again(step: str) -> None:
    class Leaves(Box):
        async def handle_EHLO(  # noqa: N802
            self, server: SMTP, session: Session, envelope: Envelope, host: str, answers: list[str]
        ) -> list[str]:
            session.host_name = host
            if step == "EHLO":
                hang_up(server)
            return answers

        async def handle_MAIL(  # noqa: N802
            self, server: SMTP, _: Session, __: Envelope, ___: str, ____: list[str]
        ) -> str:
            hang_up(server)
            return "250 bye"

    with listening(Leaves()) as port:
        server_port = free_port() if step == "connect" else port
        assert (await sent(f"mailto://127.0.0.1:{server_port}?{WHOM}")).kind == "refused"
