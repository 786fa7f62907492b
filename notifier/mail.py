"""Hands mails to a mail server, with Python's ``smtplib``, step by step.

Not with Apprise, which alone reads the URL: of the learner's address it makes whatever its pattern finds in
it (of ``o'brien@good.org`` that is ``brien@good.org``), and of the server's answer a yes or no. Here the
recipient is told to the server exactly as it is, and the answer is known with its code and the step it was
given at (RFC 5321):

- until ``DATA`` nothing has gone, so a silence may be tried again; from then on it must not be;
- 5xx to the recipient or to the mail's words is for good; before that, and 4xx anywhere, it is for now: a
  password or a sender that the server does not like says nothing of the learner's address.
"""

import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage

from apprise.plugins.email import NotifyEmail
from apprise.plugins.email.common import SecureMailMode

from notifier.answers import Answer
from notifier.forms import mailbox_of
from notifier.letters import BEYOND_ASCII, Sender, letter_of
from notifier.outgoing import Outgoing
from schemas.errors import HomeroomError

ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")
"""The code of RFC 3463 that an answer may begin with. The words after it may hold the address."""


class _RefusedError(HomeroomError):
    """The server said no."""

    def __init__(self, step: str, code: int, words: bytes, *, for_good: bool = False) -> None:
        more = found[0].decode("ascii") + " " if (found := ENHANCED.match(words)) else ""
        super().__init__(f"{code} {more}to {step}")
        self.code = code
        self.for_good = for_good and 500 <= code <= 599


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server, as an Apprise URL names it. ``to`` are the mailboxes that the URL itself names."""

    host: str
    port: int
    mode: str
    sender: Sender
    silent_s: float
    to: tuple[str, ...] = ()
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    verify: bool = True

    @classmethod
    def of(cls, plugin: NotifyEmail) -> "MailServer":
        """The server of a plugin. Raises ``ValueError`` for what is not done here."""
        if plugin.cc or plugin.bcc or plugin.pgp_mode != "no":
            raise ValueError("cc, bcc and pgp are not used for nudges")
        user, password = plugin.user or "", plugin.password or ""
        if not (user + password).isascii():
            raise ValueError("a mail server is told a user and a password in ASCII")
        name, mailbox = plugin.from_addr
        return cls(
            host=plugin.smtp_host,
            port=plugin.port or 0,
            mode=str(plugin.secure_mode),
            sender=Sender(
                mailbox=_checked(str(mailbox)),
                name=str(name or ""),
                reply_to=tuple(sorted(map(_checked, plugin.reply_to))),
                headers=dict(plugin.headers),
            ),
            silent_s=float(plugin.socket_connect_timeout),
            to=tuple(_checked(one) for _, one in plugin.targets),
            user=user,
            password=password,
            verify=plugin.verify_certificate,
        )

    def send(self, message: Outgoing) -> Answer:
        """Hand a message over, to its address, or to those of the URL where it has none."""
        mailbox = mailbox_of(message.address)
        to = (mailbox,) if mailbox else () if message.address else self.to
        if not to:
            return Answer("rejected", "it has no address")
        try:
            letter = letter_of(message, self.sender, to)
        except Exception as error:  # never again, where it can never be made
            return Answer("rejected", f"the mail cannot be made: {type(error).__name__}")
        handing_over = False
        try:
            with self._connected() as server:
                left_out = self._name(server, to, beyond_ascii=letter.policy is BEYOND_ASCII)
                handing_over = True
                return self._hand_over(server, letter, left_out)
        except _RefusedError as error:
            return Answer("rejected" if error.for_good else "refused", str(error))
        except smtplib.SMTPResponseException as error:  # of the greeting, of TLS, of the password
            return Answer("refused", f"{error.smtp_code} before the mail")
        except Exception as error:  # of any class: a failure of the provider's is an answer, not an end
            return Answer("unanswered" if handing_over else "refused", type(error).__name__)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if self.mode == SecureMailMode.SSL:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.silent_s, context=context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.silent_s)
        try:
            if self.mode == SecureMailMode.STARTTLS:
                server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
            if self.user and self.password:
                server.login(self.user, self.password)
            yield server
        except _RefusedError:
            _take_leave(server)
            raise
        else:
            _take_leave(server)
        finally:
            server.close()

    def _name(self, server: smtplib.SMTP, to: Sequence[str], *, beyond_ascii: bool) -> str:
        """Say who it is from and who it is for: ``RCPT TO`` has the address as it is. What the server says of
        those of several that it will not have."""
        options = ""
        if beyond_ascii:
            if not server.has_extn("smtputf8"):
                raise _RefusedError("EHLO: no SMTPUTF8, for an address beyond ASCII", 550, b"", for_good=True)
            server.command_encoding = "utf-8"
            options = " SMTPUTF8 BODY=8BITMIME"
        code, words = server.docmd("MAIL", f"FROM:<{self.sender.mailbox}>{options}")
        if code != 250:
            raise _RefusedError("MAIL FROM", code, words)
        refused = []
        for mailbox in to:
            code, words = server.docmd("RCPT", f"TO:<{mailbox}>")
            if code not in (250, 251):
                refused.append(_RefusedError("RCPT TO", code, words, for_good=True))
        if len(refused) == len(to):
            raise min(refused, key=lambda one: one.for_good)
        return f"{len(refused)} of {len(to)} left out: {refused[0]}" if refused else ""

    def _hand_over(self, server: smtplib.SMTP, letter: EmailMessage, left_out: str) -> Answer:
        try:
            code, words = server.data(letter.as_bytes())
        except smtplib.SMTPDataError as error:  # to the command, before the first line
            raise _RefusedError("DATA", error.smtp_code, _bytes(error.smtp_error), for_good=True) from None
        if 400 <= code <= 599:
            raise _RefusedError("the mail", code, words, for_good=True)
        if not 200 <= code <= 299:
            return Answer("unanswered", f"{code} to the mail")
        return Answer("taken", left_out)


def _take_leave(server: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, smtplib.SMTPException):
        server.quit()


def _checked(mailbox: str) -> str:
    found = mailbox_of(mailbox)
    if found is None:
        raise ValueError("a mailbox in it is not one mail address")
    return found


def _bytes(words: bytes | str) -> bytes:
    return words if isinstance(words, bytes) else words.encode()
