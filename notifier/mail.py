"""Sends mails to a mail server, with Python's ``smtplib``, step by step.

Apprise is used for the URL only: it takes as the address whatever its pattern matches (in
``o'brien@good.org`` that is ``brien@good.org``), and reduces the server's answer to True or False. Here the
recipient is sent to the server exactly as it is, and the answer is known with its code and its step (RFC
5321):

- before ``DATA`` nothing has been sent, so a timeout may be tried again; from then on it must not be;
- 5xx to the recipient or to the mail's content is final; an earlier one, and 4xx anywhere, is temporary: a
  refused password or sender says nothing about the learner's address.
"""

import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage

from notifier.address_formats import mailbox_of
from notifier.answers import Answer
from notifier.apprise_internals import Encryption, MailFields
from notifier.mime import UTF8_POLICY, Sender, build_mail
from notifier.outgoing import OutgoingMessage
from schemas.errors import HomeroomError

ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}\b")
"""The code of RFC 3463 with which an answer may begin. The text after it may contain the address."""


class _RefusedError(HomeroomError):
    """The server refused a step."""

    def __init__(self, step: str, code: int, text: bytes, *, for_good: bool = False) -> None:
        enhanced = match[0].decode("ascii") + " " if (match := ENHANCED.match(text)) else ""
        super().__init__(f"{code} {enhanced}to {step}")
        self.code = code
        self.for_good = for_good and 500 <= code <= 599


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server, as an Apprise URL names it. ``to`` are the mailboxes that the URL itself names."""

    host: str
    port: int
    encryption: Encryption
    sender: Sender
    timeout_s: float
    to: tuple[str, ...] = ()
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    verify: bool = True

    @classmethod
    def of(cls, fields: MailFields) -> "MailServer":
        """The mail server of a URL's fields.

        Raises:
            ValueError: the URL asks for something that is not supported here.
        """
        if fields.copies:
            raise ValueError("cc, bcc and pgp are not used for nudges")
        if not (fields.user + fields.password).isascii():
            raise ValueError("a mail server is told a user and a password in ASCII")
        name, mailbox = fields.sender
        return cls(
            host=fields.host,
            port=fields.port,
            encryption=fields.encryption,
            sender=Sender(
                mailbox=_checked_mailbox(mailbox),
                name=name,
                reply_to=tuple(sorted(map(_checked_mailbox, fields.reply_to))),
                headers=dict(fields.headers),
            ),
            timeout_s=fields.timeout_s,
            to=tuple(map(_checked_mailbox, fields.to)),
            user=fields.user,
            password=fields.password,
            verify=fields.verify,
        )

    def send(self, message: OutgoingMessage) -> Answer:
        """Send a message to its address, or to those of the URL; returns the server's answer."""
        mailbox = mailbox_of(message.address)
        to = (mailbox,) if mailbox else () if message.address else self.to
        if not to:
            return Answer("rejected", "it has no address")
        try:
            mail = build_mail(message, self.sender, to)
        except Exception as error:  # trying again would not help
            return Answer("rejected", f"the mail cannot be made: {type(error).__name__}")
        handing_over = False
        try:
            with self._connected() as server:
                left_out = self._send_envelope(server, to, beyond_ascii=mail.policy is UTF8_POLICY)
                handing_over = True
                return self._send_data(server, mail, left_out)
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
        if self.encryption == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
        try:
            if self.encryption == "starttls":
                server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
            if self.user and self.password:
                server.login(self.user, self.password)
            yield server
        except _RefusedError:
            _quit(server)
            raise
        else:
            _quit(server)
        finally:
            server.close()

    def _send_envelope(self, server: smtplib.SMTP, to: Sequence[str], *, beyond_ascii: bool) -> str:
        """Send sender and recipients: ``RCPT TO`` has the address as it is. Returns a text about the
        recipients that the server refused, if it accepted others.

        Raises:
            _RefusedError: the server refused the sender or every recipient.
        """
        options = ""
        if beyond_ascii:
            if not server.has_extn("smtputf8"):
                raise _RefusedError("EHLO: no SMTPUTF8, for an address beyond ASCII", 550, b"", for_good=True)
            server.command_encoding = "utf-8"
            options = " SMTPUTF8 BODY=8BITMIME"
        code, text = server.docmd("MAIL", f"FROM:<{self.sender.mailbox}>{options}")
        if code != 250:
            raise _RefusedError("MAIL FROM", code, text)
        refused = []
        for mailbox in to:
            code, text = server.docmd("RCPT", f"TO:<{mailbox}>")
            if code not in (250, 251):
                refused.append(_RefusedError("RCPT TO", code, text, for_good=True))
        if len(refused) == len(to):
            raise min(refused, key=lambda error: error.for_good)
        return f"{len(refused)} of {len(to)} left out: {refused[0]}" if refused else ""

    def _send_data(self, server: smtplib.SMTP, mail: EmailMessage, left_out: str) -> Answer:
        try:
            code, text = server.data(mail.as_bytes())
        except smtplib.SMTPDataError as error:  # to the command, before the first line
            raise _RefusedError("DATA", error.smtp_code, _as_bytes(error.smtp_error), for_good=True) from None
        if 400 <= code <= 599:
            raise _RefusedError("the mail", code, text, for_good=True)
        if not 200 <= code <= 299:
            return Answer("unanswered", f"{code} to the mail")
        return Answer("taken", left_out)


def _quit(server: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, smtplib.SMTPException):
        server.quit()


def _checked_mailbox(mailbox: str) -> str:
    checked = mailbox_of(mailbox)
    if checked is None:
        raise ValueError("a mailbox in it is not one mail address")
    return checked


def _as_bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
