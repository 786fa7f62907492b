"""Translates the records of a platform's topic: pure, so that a replay gives the same messages."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.batch.decoding import MAX_RECORD_BYTES
from schemas.dead_letter import DeadLetter, payload_of, received_at
from schemas.topics import COURSE_FACTS
from sources.formats.adapter import Adapter
from sources.formats.records import RawRecord, Refused
from sources.formats.translation import Fate, Translation, encoded, key_of, topic_of

MAX_SOURCE_BYTES = 1024 * 1024
"""Bytes of a platform's record: Kafka's default limit of a message. An envelope may hold many events."""


class TopicRecord(NamedTuple):
    """A record of a platform's topic, where it lies, and its content."""

    partition: int
    offset: int
    content: RawRecord


class OutRecord(NamedTuple):
    """A record for one of our topics. topic: without the installation's prefix."""

    topic: str
    key: str
    value: bytes


class TranslatedBatch(NamedTuple):
    """What the records of a topic became. names: events by name and fate."""

    records: list[OutRecord]
    letters: list[DeadLetter]
    names: dict[tuple[str, Fate], int]


def translate_batch(topic: str, adapter: Adapter, records: Sequence[TopicRecord]) -> TranslatedBatch:
    """Translate records in their order. Nothing in them raises."""
    translation = Translation()
    out: list[OutRecord] = []
    letters: list[DeadLetter] = []
    for record in records:
        value = record.content.value
        if value is not None and len(value) > MAX_SOURCE_BYTES:
            translation.refused.append(_too_large(value, MAX_SOURCE_BYTES))
        else:
            adapter.translate(record.content, translation)
        out += _out_records(translation)
        letters += _letters(topic, record, translation.refused)
        translation.messages.clear()
        translation.refused.clear()
    return TranslatedBatch(out, letters, translation.names)


def _out_records(translation: Translation) -> Iterable[OutRecord]:
    """The records of a translation's messages; those that cannot be sent are refused."""
    for message in translation.messages:
        value, target, key = encoded(message), topic_of(message), key_of(message)
        if isinstance(value, Refused):
            translation.refused.append(value)
        elif key is None:
            translation.refused.append(Refused("no_key", "learner", "is missing; expected a learner"))
        elif len(value) > MAX_RECORD_BYTES and target != COURSE_FACTS.name:
            translation.refused.append(_too_large(value, MAX_RECORD_BYTES))
        else:
            yield OutRecord(target, key, value)


def _too_large(value: bytes, most: int) -> Refused:
    return Refused("too_large", "value", f"{len(value):,} bytes; expected at most {most:,}")


def _letters(topic: str, record: TopicRecord, refused: Sequence[Refused]) -> list[DeadLetter]:
    """The dead letters of the refused parts of a record; each has an id of its own."""
    place = f"{topic}:{record.partition}:{record.offset}"
    return [
        DeadLetter(
            dead_letter_id=place if index == 0 else f"{place}:{index}",
            topic=topic,
            partition=record.partition,
            offset=record.offset,
            reason=each.reason,
            field=each.field,
            detail=each.detail,
            payload=payload_of(record.content.value),
            received_at=received_at(record.content.timestamp),
        )
        for index, each in enumerate(refused)
    ]
