"""What a record of the nudge topic says, or what is wrong with it."""

from datetime import UTC, datetime, timedelta

from pydantic import ValidationError

from notifier.outgoing import in_a_line
from schemas.errors import HomeroomError
from schemas.nudge import Nudge, NudgeCancelled, nudge_adapter

LONGEST_LIFE = timedelta(days=60)
"""How far ahead a nudge may expire: as long as the topic of receipts keeps what became of it. One for the
year 9999 would wait for ever, and with it the partition's offset."""


class NoNudgeError(HomeroomError, ValueError):
    """The record is no nudge; the message names the field, what was found, and what was expected."""


def read(value: bytes) -> Nudge | NudgeCancelled:
    """The message of a record. Raises ``NoNudgeError``."""
    try:
        message = nudge_adapter.validate_json(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = in_a_line(".".join(map(str, first["loc"])))
        raise NoNudgeError(f"{place}: {first['msg']}") from None
    if isinstance(message, Nudge) and message.expires_at > datetime.now(UTC) + LONGEST_LIFE:
        expires_at = message.expires_at.isoformat()
        raise NoNudgeError(f"expires_at: found {expires_at}, expected at most {LONGEST_LIFE.days} days ahead")
    return message
