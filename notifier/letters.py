"""A message as a mail (RFC 5322): headers, the text, the HTML. Pure but for its date and its id.

Made with Python's ``email`` package. Nothing in a message can make a header of its own or keep a mail from
being made: what a header cannot carry is encoded or left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import localtime, make_msgid

from notifier.outgoing import NUDGE_HEADER, Outgoing, in_a_line

WHOLE = ("list-unsubscribe", NUDGE_HEADER.lower())
"""Headers that go in one line: where Python folds a link, it is none any more to a simple reader."""
LONGEST_LINK = 900
"""A line may have 998 characters (RFC 5322, 2.1.1)."""

_UNPRINTABLE = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "\ufffd") | {
    ord(one): one for one in "\t\n\r"
}


class _Policy(EmailPolicy):
    """SMTP's line ends, bodies of seven bits, and the headers of ``WHOLE`` as they are."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in WHOLE:
            return f"{name}: {value}\r\n".encode("ascii")
        return super().fold_binary(name, value)


PLAIN = _Policy(linesep="\r\n", cte_type="7bit")
BEYOND_ASCII = PLAIN.clone(utf8=True)
"""For an address with a local part beyond ASCII (RFC 6532)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail is from, where answers go, and what further headers its provider wants."""

    mailbox: str
    name: str = ""
    reply_to: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def letter_of(message: Outgoing, sender: Sender, to: Sequence[str]) -> EmailMessage:
    """The mail of a message to these mailboxes."""
    beyond = not all(one.isascii() for one in (*to, sender.mailbox, *sender.reply_to))
    letter = EmailMessage(policy=BEYOND_ASCII if beyond else PLAIN)
    letter["From"] = _address(sender.mailbox, _line(sender.name))
    letter["To"] = [_address(one) for one in to]
    if sender.reply_to:
        letter["Reply-To"] = [_address(one) for one in sender.reply_to]
    letter["Subject"] = _line(message.words.title)
    letter["Date"] = localtime()
    letter["Message-ID"] = make_msgid(domain=sender.mailbox.rpartition("@")[2])
    letter[NUDGE_HEADER] = in_a_line(message.name)
    for name, value in _list_headers(message).items() | sender.headers.items():
        letter[name] = _line(value)
    letter.set_content(message.words.text.translate(_UNPRINTABLE))
    if message.words.html:
        letter.add_alternative(message.words.html.translate(_UNPRINTABLE), subtype="html")
    return letter


def _address(mailbox: str, name: str = "") -> Address:
    """A mailbox for a header. Not by ``addr_spec``, which takes ASCII alone."""
    local, _, domain = mailbox.rpartition("@")
    if local.startswith('"'):
        local = re.sub(r"\\(.)", r"\1", local[1:-1])
    return Address(name, local, domain)


def _list_headers(message: Outgoing) -> dict[str, str]:
    """By which a mailbox provider shows a button to unsubscribe (RFC 8058)."""
    if not 0 < len(message.unsubscribe) <= LONGEST_LINK or message.nudges[0].channel != "email":
        return {}
    return {
        "List-Unsubscribe": f"<{message.unsubscribe}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _line(value: str) -> str:
    return " ".join(value.translate(_UNPRINTABLE).split())
