"""Decodes a record of the nudge topic."""

from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from notifier.outgoing import in_a_line
from schemas.errors import HomeroomError
from schemas.nudge import Nudge, NudgeCancelled, nudge_adapter

MAX_LIFETIME = timedelta(days=60)
"""How far ahead a nudge may expire: the retention of the receipts topic. One for the year 9999 would wait for
ever, and with it the partition's offset."""


class InvalidNudgeError(HomeroomError, ValueError):
    """The record is not a valid nudge; the message names the field, the value, and what was expected."""


def decode_nudge(value: bytes) -> Nudge | NudgeCancelled:
    """The message of a record.

    Raises:
        InvalidNudgeError: the record is not a valid nudge or cancellation.
    """
    try:
        message = nudge_adapter.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = in_a_line(".".join(map(str, first["loc"])))
        raise InvalidNudgeError(f"{path}: {first['msg']}") from None
    if isinstance(message, Nudge) and message.expires_at > datetime.now(UTC) + MAX_LIFETIME:
        expires_at = message.expires_at.isoformat()
        raise InvalidNudgeError(
            f"expires_at: found {expires_at}, expected at most {MAX_LIFETIME.days} days ahead"
        )
    return message
