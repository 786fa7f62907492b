"""Signatures of webhooks: https://www.standardwebhooks.com, the symmetric scheme ``v1``."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

SECRET_PREFIX = "whsec_"  # noqa: S105 - what all secrets begin with
MIN_BYTES, MAX_BYTES = 24, 64
"""Of a secret, as the specification has it."""


def secrets_of(text: str) -> tuple[bytes, ...]:
    """The secrets of a setting: ``whsec_`` and base64 each, with spaces between.

    Raises:
        ValueError: one is none. The message does not contain it.
    """
    return tuple(_secret(number, word) for number, word in enumerate(text.split(), 1))


def _secret(number: int, word: str) -> bytes:
    try:
        secret = base64.b64decode(word.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not word.startswith(SECRET_PREFIX) or not MIN_BYTES <= len(secret) <= MAX_BYTES:
        raise ValueError(
            f"secret {number} is none; expected {SECRET_PREFIX} and {MIN_BYTES} to {MAX_BYTES} bytes "
            "in base64"
        )
    return secret


def signature(secrets: Iterable[bytes], name: str, timestamp_s: int, body: bytes) -> str:
    """The header ``webhook-signature``: one signature a secret, so that a receiver may have either.

    name: the header ``webhook-id``. timestamp_s: the header ``webhook-timestamp``, epoch seconds.
    """
    content = f"{name}.{timestamp_s}.".encode() + body
    digests = (hmac.new(secret, content, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
