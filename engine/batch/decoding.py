"""Decodes the records of a batch to messages of the contract; invalid records become dead letters.

Activities have a fast decoder (``activities``). All other events, and those that it does not decode, are
validated by pydantic, which is the contract, and repaired where only a field is wrong (``repairs``). Feedback
is validated in one call; if that finds invalid records, it is repeated once without them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from engine.batch import activities
from engine.batch.activities import Activity
from engine.batch.namespaces import apply_namespaces
from engine.batch.records import RecordBatch
from engine.batch.repairs import FieldRepair, repair
from engine.batch.unknown_fields import unknown_names
from schemas.dead_letter import FIELD_REASONS, DeadLetter, DeadLetterReason, payload_of, received_at
from schemas.enrolment import (
    ENDS_TOO_EARLY,
    MERGED_INTO_ITSELF,
    NO_SINGLE_DATE,
    RENAMED_TO_ITSELF,
)
from schemas.fields import shorten
from schemas.inbound import Event, Feedback

Message = dict[str, Any]
"""Any message but an activity."""

MAX_RECORD_BYTES = 64 * 1024
"""An activity event is 200 bytes. More is a mistake, except in a calendar. What is made of a record and
is not cut into pieces fits into one of ours because of it (``engine.pieces.RECORD_BYTES``)."""

MAX_CALENDAR_BYTES = 256 * 1024
"""A calendar of a thousand deadlines is 100,000 bytes. The state keeps it in pieces, and nothing else is made
of it."""

_FIELD_OF_ERROR = {
    ENDS_TOO_EARLY: ("ends_at",),
    MERGED_INTO_ITSELF: ("into",),
    RENAMED_TO_ITSELF: ("into",),
    NO_SINGLE_DATE: (),
}
"""The field at fault, beyond the error's path, of errors about several fields."""

MAX_SHOWN_CHARS = 80
"""Characters of a wrong value that are quoted in a dead letter."""


MessageT = TypeVar("MessageT", Message, "Message | Activity")


@dataclass(frozen=True, slots=True)
class DecodedBatch(Generic[MessageT]):
    """The messages of a batch, and dead letters of its other records and of refused fields.

    indices: index of each message's record in the batch. unknown: index in the batch → fields of the message
    that are not in the contract.
    """

    indices: list[int]
    messages: list[MessageT]
    letters: list[DeadLetter]
    unknown: dict[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Reason, field and detail with which a record is refused."""

    reason: DeadLetterReason
    field: str
    detail: str


_event: TypeAdapter[Any] = TypeAdapter(Event)
_feedback: TypeAdapter[Any] = TypeAdapter(Feedback)

Refusals = dict[int, Refusal]
"""By position among the values that are decoded."""

UnknownFields = dict[int, tuple[str, ...]]
"""By position, the fields that are not in the contract."""


@dataclass(frozen=True, slots=True)
class DecodingNotes:
    """What was wrong with the values that are decoded, by position among them.

    refused: values that are no messages. fields: refused fields of messages. unknown: fields that are not in
    the contract.
    """

    refused: Refusals = field(default_factory=dict)
    fields: dict[int, list[Refusal]] = field(default_factory=dict)
    unknown: UnknownFields = field(default_factory=dict)


def decode_events(batch: RecordBatch, first: int = 0) -> DecodedBatch[Message | Activity]:
    """Decode the events of a batch, from index ``first`` on."""
    return _decode(batch, first, _read_events)


def decode_feedback(batch: RecordBatch, first: int = 0) -> DecodedBatch[Message]:
    """Decode the feedback and preferences of a batch, from index ``first`` on."""
    return _decode(batch, first, _read_feedback)


def dead_letter(batch: RecordBatch, index: int, refusal: Refusal) -> DeadLetter:
    """The dead letter of the record at an index of the batch."""
    offset = batch.offsets[index]
    return DeadLetter(
        dead_letter_id=f"{batch.topic}:{batch.partition}:{offset}"
        + (f":{refusal.field}" if refusal.reason in FIELD_REASONS else ""),
        topic=batch.topic,
        partition=batch.partition,
        offset=offset,
        reason=refusal.reason,
        field=refusal.field,
        detail=refusal.detail,
        payload=payload_of(batch.values[index]),
        received_at=received_at(batch.timestamps[index]),
    )


def _decode(
    batch: RecordBatch, first: int, read: Callable[[list[bytes], DecodingNotes], list[MessageT]]
) -> DecodedBatch[MessageT]:
    indices, values, letters = _split_by_size(batch, first)
    notes = DecodingNotes()
    messages = read(values, notes)
    unknown_fields = {indices[position]: names for position, names in notes.unknown.items()}
    letters += [
        dead_letter(batch, indices[position], refusal) for position, refusal in sorted(notes.refused.items())
    ]
    letters += [
        dead_letter(batch, indices[position], refusal)
        for position, refusals in sorted(notes.fields.items())
        for refusal in refusals
    ]
    if notes.refused:
        indices = [index for position, index in enumerate(indices) if position not in notes.refused]
    return _check_keys(batch, DecodedBatch(indices, messages, letters, unknown_fields))


def _split_by_size(batch: RecordBatch, first: int) -> tuple[list[int], list[bytes], list[DeadLetter]]:
    """Indices and values of the records that may be decoded, and dead letters for the others."""
    records = batch.values[first:]
    if None not in records and max(map(len, cast(list[bytes], records)), default=0) <= MAX_RECORD_BYTES:
        return list(range(first, len(batch))), cast(list[bytes], records), []
    indices: list[int] = []
    values: list[bytes] = []
    letters: list[DeadLetter] = []
    for index, value in enumerate(records, start=first):
        if value is None or not _fits(value):
            letters.append(dead_letter(batch, index, _size_refusal(value)))
        else:
            indices.append(index)
            values.append(value)
    return indices, values, letters


def _fits(value: bytes) -> bool:
    """Whether a record is no larger than its kind may be."""
    return len(value) <= MAX_RECORD_BYTES or (len(value) <= MAX_CALENDAR_BYTES and _is_calendar(value))


def _is_calendar(value: bytes) -> bool:
    try:
        message = from_json(value)
    except ValueError:
        return False
    return isinstance(message, dict) and message.get("type") == "calendar"


def _read_events(values: list[bytes], notes: DecodingNotes) -> list[Message | Activity]:
    """The valid messages, in order. Records decoded by the fast path have no unknown fields."""
    messages: list[Message | Activity | None] = [*activities.decode_activities(values)]
    if None in messages:
        for position in [position for position, message in enumerate(messages) if message is None]:
            message = _read_event(values[position], position, notes)
            if message is not None and message["type"] == "activity":
                messages[position] = Activity.of(message)
            else:
                messages[position] = message
    apply_namespaces(messages)
    if notes.refused:
        return [message for message in messages if message is not None]
    return cast(list[Message | Activity], messages)


def _read_event(value: bytes, position: int, notes: DecodingNotes) -> Message | None:
    """A valid message, repaired if possible; None if it is refused."""
    message = _validated(_event, value, position, notes)
    if message is not None and (names := unknown_names(value)):
        notes.unknown[position] = names
    return message


def _validated(
    adapter: TypeAdapter[Any], value: bytes, position: int, notes: DecodingNotes
) -> Message | None:
    """A valid message, repaired if possible; None if it is refused."""
    try:
        return cast(Message, adapter.validate_json(value))
    except ValidationError as error:
        errors = error.errors(include_url=False)
    try:
        repaired = repair(value, errors)
        if repaired is not None:
            repaired_value, repairs = repaired
            message = cast(Message, adapter.validate_json(repaired_value))
            notes.fields[position] = [_field_refusal(field_repair) for field_repair in repairs]
            return message
    except (ValidationError, ValueError):
        pass
    notes.refused[position] = _refusal(errors[0])
    return None


def _field_refusal(field_repair: FieldRepair) -> Refusal:
    detail = f"{_refusal(field_repair.error).detail}; {field_repair.outcome}"
    return Refusal("field", field_repair.field, detail)


def _read_feedback(values: list[bytes], notes: DecodingNotes) -> list[Message]:
    messages: list[Message] = []
    for position, value in enumerate(values):
        message = _validated(_feedback, value, position, notes)
        if message is not None:
            messages.append(message)
            if names := unknown_names(value):
                notes.unknown[position] = names
    return messages


def _size_refusal(value: bytes | None) -> Refusal:
    if value is None:
        return Refusal("malformed", "value", "the record has no value; expected a JSON object")
    return Refusal("too_large", "value", f"{len(value):,} bytes; expected at most {MAX_RECORD_BYTES:,}")


def _refusal(error: Any) -> Refusal:
    """The refusal of a record by pydantic's error: the field, the value, what was expected."""
    kind, path = error["type"], [str(part) for part in error["loc"][1:]]  # the first is the type
    shown = repr(error["input"])
    shown = shown if len(shown) <= MAX_SHOWN_CHARS else shown[:MAX_SHOWN_CHARS] + "…"
    if kind == "json_invalid":
        return Refusal("malformed", "value", f"{error['msg']}; expected a JSON object")
    if kind in ("model_attributes_type", "dict_type") and not path:
        return Refusal("malformed", "value", f"found {shown}; expected a JSON object")
    if kind.startswith("union_tag"):
        return Refusal("unknown_type", "type", error["msg"])
    if kind in _FIELD_OF_ERROR:
        return Refusal("invalid", ".".join([*path, *_FIELD_OF_ERROR[kind]]), error["msg"])
    if kind == "missing":
        return Refusal("invalid", ".".join(path), "is missing; expected to be there")
    reason: DeadLetterReason = "unknown_kind" if path == ["kind"] and kind == "literal_error" else "invalid"
    return Refusal(reason, ".".join(path), f"found {shown}; {error['msg'][0].lower()}{error['msg'][1:]}")


def _check_keys(batch: RecordBatch, decoded: DecodedBatch[MessageT]) -> DecodedBatch[MessageT]:
    """Refuse a learner's messages whose record key is not the learner: Kafka orders records by key."""
    indices, messages, letters = decoded.indices, decoded.messages, decoded.letters
    keys = [batch.keys[index] for index in indices]
    expected_keys = [
        message.learner.encode() if isinstance(message, Activity) else _key_of(message, key)
        for message, key in zip(messages, keys, strict=True)
    ]
    if keys != expected_keys:
        wrong = [
            position
            for position, (key, expected) in enumerate(zip(keys, expected_keys, strict=True))
            if key != expected and not _is_long_form(key, expected)
        ]
        letters.extend(
            dead_letter(batch, indices[position], _key_refusal(keys[position], expected_keys[position]))
            for position in wrong
        )
        dropped = set(wrong)
        indices = [index for position, index in enumerate(indices) if position not in dropped]
        messages = [message for position, message in enumerate(messages) if position not in dropped]
    return DecodedBatch(indices, messages, letters, decoded.unknown)


def _note_side(message: Message, key: bytes | None) -> None:
    """Say of a merge of accounts which of them its record is keyed by: each is a message of its own."""
    if key == message["into"].encode() or _is_long_form(key, message["into"].encode()):
        message["side"] = "into"
        message["event_id"] = shorten(f"{message['event_id']}/into")


def _is_long_form(key: bytes | None, expected: bytes | None) -> bool:
    """Whether a key is the full name of a learner whose name was shortened."""
    return key is not None and shorten(key.decode(errors="replace")).encode() == expected


def _key_of(message: Message, key: bytes | None) -> bytes | None:
    """The key that a message must have; any key where it belongs to no learner."""
    learner: str | None = message.get("learner")
    if message["type"] == "merged":
        _note_side(message, key)
        learner = message["into"] if message.get("side") == "into" else learner
    return key if learner is None else learner.encode()


def _key_refusal(key: bytes | None, expected: bytes | None) -> Refusal:
    if key is None:
        return Refusal("no_key", "key", "the record has no key; expected the learner")
    learner = (expected or b"").decode()
    return Refusal(
        "wrong_key", "key", f"found {key[:MAX_SHOWN_CHARS].decode(errors='replace')!r}; expected {learner!r}"
    )
