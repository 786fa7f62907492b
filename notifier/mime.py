"""Builds the mail of a message (RFC 5322): headers, text, HTML. Pure but for the date and the id.

Built with Python's ``email`` package. No content of a message can add a header or prevent the mail from being
built: what a header cannot carry is encoded or left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import localtime, make_msgid

from notifier.outgoing import NUDGE_HEADER, OutgoingMessage, in_a_line

UNFOLDED_HEADERS = ("list-unsubscribe", NUDGE_HEADER.lower())
"""Headers that are written in one line: a folded link is not recognised by simple readers."""
MAX_LINK_LENGTH = 900
"""A line may have 998 characters (RFC 5322, 2.1.1)."""

_UNPRINTABLE = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd") | {
    ord(character): character for character in "\t\n\r"
}


class _MailPolicy(EmailPolicy):
    """SMTP line ends, 7-bit bodies, and the headers of ``UNFOLDED_HEADERS`` not folded."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in UNFOLDED_HEADERS:
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


ASCII_POLICY = _MailPolicy(linesep="\r\n", cte_type="7bit")
UTF8_POLICY = ASCII_POLICY.clone(utf8=True)
"""For an address with a local part beyond ASCII (RFC 6532)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a mail, where replies go, and further headers for its provider."""

    mailbox: str
    name: str = ""
    reply_to: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def build_mail(message: OutgoingMessage, sender: Sender, to: Sequence[str]) -> EmailMessage:
    """The mail of a message to these mailboxes."""
    needs_utf8 = not all(mailbox.isascii() for mailbox in (*to, sender.mailbox, *sender.reply_to))
    mail = EmailMessage(policy=UTF8_POLICY if needs_utf8 else ASCII_POLICY)
    mail["From"] = _address(sender.mailbox, _single_line(sender.name))
    mail["To"] = [_address(mailbox) for mailbox in to]
    if sender.reply_to:
        mail["Reply-To"] = [_address(mailbox) for mailbox in sender.reply_to]
    mail["Subject"] = _single_line(message.rendered.title)
    mail["Date"] = localtime()
    mail["Message-ID"] = make_msgid(domain=sender.mailbox.rpartition("@")[2])
    mail[NUDGE_HEADER] = in_a_line(message.name)
    for name, value in _list_headers(message).items() | sender.headers.items():
        mail[name] = _single_line(value)
    mail.set_content(message.rendered.text.translate(_UNPRINTABLE))
    if message.rendered.html:
        mail.add_alternative(message.rendered.html.translate(_UNPRINTABLE), subtype="html")
    return mail


def _address(mailbox: str, name: str = "") -> Address:
    """A mailbox as a header value; not by ``addr_spec``, which accepts ASCII only."""
    local, _, domain = mailbox.rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return Address(name, local, domain)


def _list_headers(message: OutgoingMessage) -> dict[str, str]:
    """The headers with which a mailbox provider shows an unsubscribe button (RFC 8058)."""
    if not 0 < len(message.unsubscribe) <= MAX_LINK_LENGTH or message.nudges[0].channel != "email":
        return {}
    return {
        "List-Unsubscribe": f"<{message.unsubscribe}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _single_line(value: str) -> str:
    return " ".join(value.translate(_UNPRINTABLE).split())
