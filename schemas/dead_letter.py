"""The dead letter: a record that could not be applied, with the reason and its offset."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from schemas.fields import LATEST, Instant, Message

DeadLetterReason = Literal[
    "malformed",  # not JSON, or not an object
    "invalid",  # a field is missing, of the wrong type or out of its range
    "field",  # one field of a record was refused, or held at its bound; the record without it was applied
    "unknown_kind",  # an activity kind outside the vocabulary
    "unknown_type",  # a message type this topic does not carry
    "too_large",  # more bytes than a record may have
    "no_key",  # the record has no key: the learner's order cannot be kept
    "wrong_key",  # the key is not the learner
    "future",  # further ahead of the clock than the tolerance
    "too_late",  # its day has left the ring
    "lost",  # a range of offsets was deleted from the log before it was read; `detail` has the cause
    "failed",  # applying it raised; the error is in `detail`
    "refused_by_store",  # a row that the store refuses for good; the events it was made from are applied
    "no_channel",  # a nudge for a channel that the notifier has no provider for
    "no_address",  # a nudge for a learner without an address for its channel
    "bad_address",  # … or whose address is not exactly one that the provider can send to
    "undeliverable",  # a nudge that the provider did not accept, after all attempts
    "rejected",  # a message that a provider or endpoint refuses for good, such as for a missing mailbox
    "unanswered",  # a nudge whose provider did not answer; it may have been sent, so it is not sent again
    "in_doubt",  # a nudge whose attempt was cut off: it may have been sent, so it is not sent again
]

MAX_PAYLOAD_CHARS = 4_096
"""Characters of a record, or of a row, that its dead letter holds."""

FIELD_REASONS: frozenset[DeadLetterReason] = frozenset({"field"})
"""Reasons of dead letters about a field. The rest of the record is applied: they do not count as records."""


def payload_of(value: bytes | None) -> str:
    """A record's value as its dead letter holds it: text, cut to a readable length."""
    return (value or b"")[:MAX_PAYLOAD_CHARS].decode(errors="replace")[:MAX_PAYLOAD_CHARS]


def received_at(timestamp_ms: int | None) -> datetime:
    """A record's timestamp, clamped to 1970–2100: a producer may have set any number."""
    return datetime.fromtimestamp(min(max((timestamp_ms or 0) / 1000, 0.0), LATEST.timestamp()), UTC)


class DeadLetter(Message):
    """Written to the dead-letter topic with the original payload, cut to a readable length."""

    type: Literal["dead_letter"] = "dead_letter"
    version: Literal[1] = 1
    dead_letter_id: str = Field(
        description="topic:partition:offset of the record, and :field where one field is refused; of lost "
        "ones topic:partition:first-last:cause:id of the topic; of a row that the store refused "
        "store:table:digest of the row"
    )
    topic: str = Field(description="of the record; store:table of a row that the store refused")
    partition: int
    offset: int = Field(description="of the record; of a row that the store refused a number by its digest")
    last_offset: int | None = Field(
        None,
        description="of lost records the last offset, `offset` being the first; one less than that where no "
        "loss is known for certain",
    )
    reason: DeadLetterReason
    field: str = Field("", description="the field at fault, empty where the whole record is")
    detail: str = Field(description="the value found and what was expected")
    payload: Annotated[str, Field(max_length=MAX_PAYLOAD_CHARS)]
    received_at: Instant

    @property
    def is_about_a_field(self) -> bool:
        """Whether the rest of the record was applied: then the letter does not count as a record."""
        return self.reason in FIELD_REASONS
