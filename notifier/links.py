"""Signed links: what a learner's click says, without an account and without a table of links.

A token holds who, which nudge, which channel and what the link is for, and their HMAC-SHA256 under a key
from the environment. It can be read by whoever has the message, as the learner can, and made by nobody
else. Links do not expire: an unsubscription that no longer works is worse than an old one that does.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import Literal, get_args

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from schemas.errors import HomeroomError
from schemas.fields import Id
from schemas.learner import Channel
from schemas.nudge import Nudge

Purpose = Literal["opened", "clicked", "dismissed", "unsubscribed"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
LEAST_KEY = 16
"""Characters of the key."""

_SIGNATURE = 16
"""Bytes of the 32 that are kept: 128 bits, as RFC 2104 allows."""


class LinkError(HomeroomError, ValueError):
    """The token was not made by us, or was cut on its way."""


class Said(TypedDict):
    """What a link says when it is followed."""

    kind: Purpose
    learner: Id
    nudge_id: Id
    channel: Channel
    to: str


_said: TypeAdapter[Said] = TypeAdapter(Said)


class Links:
    """Makes links below ``public_url``, and reads their tokens.

    Raises ``ValueError`` for a key of less than 16 characters.
    """

    def __init__(self, public_url: str, key: str) -> None:
        if len(key) < LEAST_KEY:
            raise ValueError(f"the links' key has {len(key)} characters; expected at least {LEAST_KEY}")
        self._key = key.encode()
        self._base = public_url.rstrip("/")

    def link(self, nudge: Nudge, kind: Purpose, to: str = "") -> str:
        """The address that says ``kind`` of the nudge when it is followed; ``to`` is where a click leads."""
        return f"{self._base}/{kind}/{self.token(nudge, kind, to)}"

    def token(self, nudge: Nudge, kind: Purpose, to: str = "") -> str:
        """The signed part of the link."""
        said = Said(kind=kind, learner=nudge.learner, nudge_id=nudge.nudge_id, channel=nudge.channel, to=to)
        content = _said.dump_json(said)
        return _encode(content + self._sign(content))

    def read(self, token: str) -> Said:
        """What a token says. Raises ``LinkError`` for one that is not ours."""
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (Base64Error, UnicodeEncodeError) as error:
            raise LinkError("the token is no base64") from error
        content, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
        if not hmac.compare_digest(signature, self._sign(content)):
            raise LinkError("the token's signature is not ours")
        try:
            return _said.validate_json(content)
        except ValidationError as error:
            raise LinkError("the token is of another release") from error

    def _sign(self, content: bytes) -> bytes:
        return hmac.digest(self._key, content, sha256)[:_SIGNATURE]


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
