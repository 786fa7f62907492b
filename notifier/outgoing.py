"""One message on its way to a provider, and how its names are written where not every character may be."""

from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import quote

from notifier.rendering import Rendered
from schemas.nudge import Nudge

NUDGE_HEADER = "X-Homeroom-Nudge"
"""Carries the nudge's id with mails and webhooks, so that a receiver can tell a repeat."""

LONGEST_NAME = 512
_AS_IT_IS = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready to go: of a nudge, or of a digest's, by whose name a receiver knows it again.
    ``unsubscribe`` is the link of its header, where there is one."""

    name: str
    nudges: tuple[Nudge, ...]
    address: str = field(repr=False)
    words: Rendered
    unsubscribe: str = field(default="", repr=False)


def in_a_line(name: str) -> str:
    """A name as a header or a line of the log can carry it: printable ASCII as it is, but ``%``; everything
    else percent-encoded, spaces at an end too; by its hash where that gets long. Two names never look alike.
    """
    written = quote(name, safe=_AS_IT_IS)
    if written != written.strip():
        written = written.replace(" ", "%20")
    return written if len(written) <= LONGEST_NAME else blake2b(name.encode(), digest_size=32).hexdigest()
