"""Signed links for a learner's clicks, without an account and without a table of links.

A token contains learner, nudge, channel and purpose, and their HMAC-SHA256 under a key
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
MIN_KEY_LENGTH = 16
"""Characters."""

_SIGNATURE_BYTES = 16
"""How many of the 32 bytes are used: 128 bits, as RFC 2104 allows."""


class LinkError(HomeroomError, ValueError):
    """The token is not ours, or is incomplete."""


class LinkContent(TypedDict):
    """The signed content of a link. ``to``: where a click leads."""

    kind: Purpose
    learner: Id
    nudge_id: Id
    channel: Channel
    to: str


_content_adapter: TypeAdapter[LinkContent] = TypeAdapter(LinkContent)


class Links:
    """Makes links below ``public_url``, and reads their tokens.

    Raises:
        ValueError: the key has less than 16 characters.
    """

    def __init__(self, public_url: str, key: str) -> None:
        if len(key) < MIN_KEY_LENGTH:
            raise ValueError(f"the links' key has {len(key)} characters; expected at least {MIN_KEY_LENGTH}")
        self._key = key.encode()
        self._base = public_url.rstrip("/")

    def link(self, nudge: Nudge, purpose: Purpose, target: str = "") -> str:
        """The URL for a purpose and a nudge; ``target`` is where a click leads."""
        return f"{self._base}/{purpose}/{self.token(nudge, purpose, target)}"

    def token(self, nudge: Nudge, purpose: Purpose, target: str = "") -> str:
        """The signed part of the link."""
        content = LinkContent(
            kind=purpose, learner=nudge.learner, nudge_id=nudge.nudge_id, channel=nudge.channel, to=target
        )
        payload = _content_adapter.dump_json(content)
        return _encode(payload + self._sign(payload))

    def read(self, token: str) -> LinkContent:
        """The content of a token.

        Raises:
            LinkError: the token is not ours.
        """
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except (Base64Error, UnicodeEncodeError) as error:
            raise LinkError("the token is no base64") from error
        payload, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(payload)):
            raise LinkError("the token's signature is not ours")
        try:
            return _content_adapter.validate_json(payload)
        except ValidationError as error:
            raise LinkError("the token is of another release") from error

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, sha256)[:_SIGNATURE_BYTES]


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
