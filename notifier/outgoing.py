"""A message to a provider, and the encoding of names for headers and log lines."""

from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import quote

from notifier.rendering import Rendered
from schemas.nudge import Nudge

NUDGE_HEADER = "X-Homeroom-Nudge"
"""Header with the nudge's id in mails and webhooks, so that a receiver can recognise a repeat."""

MAX_NAME_LENGTH = 512
_AS_IT_IS = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message, ready to send, for a nudge or a digest. ``name`` is the nudge's id or the digest's name,
    by which a receiver recognises a repeat; ``unsubscribe`` is the link for its header, if there is one."""

    name: str
    nudges: tuple[Nudge, ...]
    address: str = field(repr=False)
    rendered: Rendered
    unsubscribe: str = field(default="", repr=False)


def in_a_line(name: str) -> str:
    """A name for a header or a log line: printable ASCII except ``%`` as it is; everything else
    percent-encoded, spaces at an end too; a hash where that gets long. Two names never have the same
    encoding.
    """
    written = quote(name, safe=_AS_IT_IS)
    if written != written.strip():
        written = written.replace(" ", "%20")
    return written if len(written) <= MAX_NAME_LENGTH else blake2b(name.encode(), digest_size=32).hexdigest()
