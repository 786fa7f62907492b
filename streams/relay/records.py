"""The records of a round: their order, what may be committed of them, and their dead letters. Pure."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Self

from schemas.dead_letter import DeadLetter, DeadLetterReason, payload_of, received_at


class OutRecord(NamedTuple):
    """A record of one of our topics. timestamp: milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int

    @classmethod
    def of(cls, message: Any) -> Self:
        """Of a message of librdkafka. Its types leave out that key and value are bytes."""
        return cls(
            message.topic(),
            message.partition(),
            message.offset(),
            message.key(),
            message.value(),
            message.timestamp()[1],
        )


def lanes(records: Sequence[OutRecord]) -> list[list[OutRecord]]:
    """The records by their key, which is the learner, each lane in the records' order.

    A learner's risk changes and nudges lie on two topics, between which there is no order.
    """
    by_key: dict[tuple[str, bytes | None], list[OutRecord]] = {}
    for record in records:
        by_key.setdefault((record.topic, record.key), []).append(record)
    return list(by_key.values())


def committable(records: Sequence[OutRecord], done: Collection[OutRecord]) -> dict[tuple[str, int], int]:
    """Topic and partition → the offset to commit: after the longest run of records that are done."""
    offsets: dict[tuple[str, int], int] = {}
    held: set[tuple[str, int]] = set()
    for record in records:
        place = record.topic, record.partition
        if record not in done:
            held.add(place)
        elif place not in held:
            offsets[place] = record.offset + 1
    return offsets


def letter_of(
    record: OutRecord, topic: str, reason: DeadLetterReason, detail: str, field: str = ""
) -> DeadLetter:
    """The dead letter of a record. topic: without the installation's prefix."""
    return DeadLetter(
        dead_letter_id=f"{topic}:{record.partition}:{record.offset}",
        topic=topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        field=field,
        detail=detail,
        payload=payload_of(record.value),
        received_at=received_at(record.timestamp),
    )
