"""Cursors of keyset pagination: the sort key of the last row of a page, opaque to the client.

A page continues after a key, not after a count, so that rows that come and go do not shift it.
"""

import base64
import binascii
from http import HTTPStatus
from typing import Any

import orjson

from console.errors import ProblemError

MAX_LENGTH = 1000


def encode(order: str, key: list[Any]) -> str:
    """The cursor of a key under an order."""
    return base64.urlsafe_b64encode(orjson.dumps([order, *key])).decode().rstrip("=")


def decode(cursor: str, order: str, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    """The key of a cursor.

    Raises:
        ProblemError: the cursor is not ours, or is of another order (422).
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        values = None
    if (
        not isinstance(values, list)
        or len(values) != len(kinds) + 1
        or values[0] != order
        or not all(type(value) is kind for value, kind in zip(values[1:], kinds, strict=True))
    ):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"cursor: expected the `next` of a page in the order {order!r}",
            kind="invalid",
        )
    return tuple(values[1:])
