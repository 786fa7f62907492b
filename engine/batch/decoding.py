"""From the bytes of a batch to messages of the contract; what is not one becomes a dead letter.

Every record is parsed on its own. Activities are read fast (``activities``); all other records, and whatever
is not read there, in one call of pydantic, which is the contract. Only where that call finds a bad one it is
made again without it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast

from pydantic import Json, TypeAdapter, ValidationError

from engine.batch import activities
from engine.batch.activities import Activity
from engine.batch.records import RecordBatch
from engine.batch.repairs import Repair, repair, shortened
from engine.batch.unknown_fields import names_in
from schemas.dead_letter import OF_A_PART, DeadLetter, DeadLetterReason
from schemas.enrolment import ENDS_TOO_EARLY
from schemas.fields import LATEST
from schemas.inbound import Event, Feedback

Message = dict[str, Any]
"""Any message but an activity."""

MAX_RECORD_BYTES = 256 * 1024
"""An activity event is 200 bytes, a calendar of a thousand deadlines 100,000. More is a mistake."""

_LAST_SECOND = LATEST.timestamp()

SHOWN = 80
"""Characters of a wrong value that a reason repeats."""


Kind = TypeVar("Kind", Message, "Message | Activity")


@dataclass(frozen=True, slots=True)
class Decoded(Generic[Kind]):
    """Messages by their place in the batch, and letters: for the places that have none, and for parts of
    messages. unknown: by place, the fields that the contract does not know."""

    places: list[int]
    messages: list[Kind]
    letters: list[DeadLetter]
    unknown: dict[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record cannot be applied."""

    reason: DeadLetterReason
    field: str
    detail: str


_event: TypeAdapter[Any] = TypeAdapter(Event)
_feedback: TypeAdapter[Any] = TypeAdapter(list[Json[Feedback]])  # type: ignore[type-arg,unused-ignore]

Refused = dict[int, Refusal]
"""By place."""

Unknown = dict[int, tuple[str, ...]]
"""By place, too."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is to be said of the values that are read, each by its place among them.

    refused: those that are no messages. parts: of those that lost a part. unknown: fields that the contract
    does not know.
    """

    refused: Refused = field(default_factory=dict)
    parts: dict[int, list[Refusal]] = field(default_factory=dict)
    unknown: Unknown = field(default_factory=dict)


def decode_events(batch: RecordBatch, first: int = 0) -> Decoded[Message | Activity]:
    """The events of a batch, from place ``first`` on."""
    return _decode(batch, first, _read_events)


def decode_feedback(batch: RecordBatch, first: int = 0) -> Decoded[Message]:
    """The feedback and preferences of a batch, from place ``first`` on."""
    return _decode(batch, first, _read_feedback)


def letter(batch: RecordBatch, place: int, refusal: Refusal) -> DeadLetter:
    """The dead letter of the record at a place of the batch."""
    payload = batch.values[place] or b""
    offset = batch.offsets[place]
    return DeadLetter(
        dead_letter_id=f"{batch.topic}:{batch.partition}:{offset}"
        + (f":{refusal.field}" if refusal.reason in OF_A_PART else ""),
        topic=batch.topic,
        partition=batch.partition,
        offset=offset,
        reason=refusal.reason,
        field=refusal.field,
        detail=refusal.detail,
        payload=payload[:4096].decode(errors="replace")[:4096],
        received_at=_instant(batch.timestamps[place]),
    )


def _instant(timestamp: int) -> datetime:
    """A record's timestamp; it may be the producer's, so it may be anything, past the year 9999 included."""
    return datetime.fromtimestamp(min(max(timestamp / 1000, 0.0), _LAST_SECOND), UTC)


def _decode(
    batch: RecordBatch, first: int, read: Callable[[list[bytes], Notes], list[Kind]]
) -> Decoded[Kind]:
    places, values, letters = _enveloped(batch, first)
    notes = Notes()
    messages = read(values, notes)
    unknown = {places[index]: names for index, names in notes.unknown.items()}
    letters += [letter(batch, places[index], why) for index, why in sorted(notes.refused.items())]
    letters += [
        letter(batch, places[index], why) for index, parts in sorted(notes.parts.items()) for why in parts
    ]
    if notes.refused:
        places = [place for index, place in enumerate(places) if index not in notes.refused]
    return _check_keys(batch, Decoded(places, messages, letters, unknown))


def _enveloped(batch: RecordBatch, first: int) -> tuple[list[int], list[bytes], list[DeadLetter]]:
    """Places and values of the records that may be read, and letters for the others."""
    found = batch.values[first:]
    if None not in found and max(map(len, cast(list[bytes], found)), default=0) <= MAX_RECORD_BYTES:
        return list(range(first, len(batch))), cast(list[bytes], found), []
    places: list[int] = []
    values: list[bytes] = []
    letters: list[DeadLetter] = []
    for place, value in enumerate(found, start=first):
        if value is None or len(value) > MAX_RECORD_BYTES:
            letters.append(letter(batch, place, _envelope(value)))
        else:
            places.append(place)
            values.append(value)
    return places, values, letters


def _read_events(values: list[bytes], notes: Notes) -> list[Message | Activity]:
    """The messages, in order. What is read fast has no unknown field."""
    read: list[Message | Activity | None] = [*activities.read(values)]
    for index in [index for index, message in enumerate(read) if message is None] if None in read else []:
        message = _read_event(values[index], index, notes)
        if message is not None and message["type"] == "activity":
            read[index] = Activity.of(message)
        else:
            read[index] = message
    return [message for message in read if message is not None] if notes.refused else cast(Any, read)


def _read_event(value: bytes, index: int, notes: Notes) -> Message | None:
    """A message by the contract, repaired where it can be; None where it is none."""
    message = _validated(value, index, notes)
    if message is not None and (names := names_in(value)):
        notes.unknown[index] = names
    return message


def _validated(value: bytes, index: int, notes: Notes) -> Message | None:
    try:
        return cast(Message, _event.validate_json(value))
    except ValidationError as error:
        errors = error.errors(include_url=False)
    try:
        repaired = repair(value, errors)
        if repaired is not None:
            better, repairs = repaired
            message = cast(Message, _event.validate_json(better))
            notes.parts[index] = [_refusal_of_part(part) for part in repairs]
            return message
    except (ValidationError, ValueError):
        pass
    notes.refused[index] = _refusal(errors[0])
    return None


def _refusal_of_part(part: Repair) -> Refusal:
    return Refusal("field", part.field, f"{_refusal(part.error).detail}; {part.outcome}")


def _read_feedback(values: list[bytes], notes: Notes) -> list[Message]:
    messages = _validate(values, _feedback, notes.refused)
    for index, value in enumerate(values):
        if index not in notes.refused and (names := names_in(value)):
            notes.unknown[index] = names
    return messages


def _envelope(value: bytes | None) -> Refusal:
    if value is None:
        return Refusal("malformed", "value", "the record has no value; expected a JSON object")
    return Refusal("too_large", "value", f"{len(value):,} bytes; expected at most {MAX_RECORD_BYTES:,}")


def _validate(values: Sequence[bytes], adapter: TypeAdapter[Any], refused: Refused) -> list[Message]:
    """The valid messages, in order; those that are none are noted as refused."""
    try:
        valid: list[Message] = adapter.validate_python(values)
    except ValidationError as errors:
        bad = set()
        for error in errors.errors(include_url=False):
            at = int(error["loc"][0])
            if at not in bad:
                refused[at] = _refusal(error, before=2)
            bad.add(at)
        valid = adapter.validate_python([value for at, value in enumerate(values) if at not in bad])
    return valid


def _refusal(error: Any, before: int = 1) -> Refusal:
    """pydantic's error in the contract's words: the field, the value, what was expected.

    before: parts of the error's place that come before the field.
    """
    kind, where = error["type"], [str(part) for part in error["loc"][before:]]
    found = repr(error["input"])
    found = found if len(found) <= SHOWN else found[:SHOWN] + "…"
    if kind == "json_invalid":
        return Refusal("malformed", "value", f"{error['msg']}; expected a JSON object")
    if kind in ("model_attributes_type", "dict_type") and not where:
        return Refusal("malformed", "value", f"found {found}; expected a JSON object")
    if kind.startswith("union_tag"):
        return Refusal("unknown_type", "type", error["msg"])
    if kind == ENDS_TOO_EARLY:
        return Refusal("invalid", "ends_at", error["msg"])
    if kind == "missing":
        return Refusal("invalid", ".".join(where), "is missing; expected to be there")
    reason: DeadLetterReason = "unknown_kind" if where == ["kind"] and kind == "literal_error" else "invalid"
    return Refusal(reason, ".".join(where), f"found {found}; {error['msg'][0].lower()}{error['msg'][1:]}")


def _check_keys(batch: RecordBatch, read: Decoded[Kind]) -> Decoded[Kind]:
    """A learner's messages must carry the learner as their key, or Kafka cannot keep their order."""
    places, messages, letters = read.places, read.messages, read.letters
    keys = [batch.keys[place] for place in places]
    wanted = [
        one.learner.encode() if isinstance(one, Activity) else _key_of(one, key)
        for one, key in zip(messages, keys, strict=True)
    ]
    if keys != wanted:
        wrong = [
            index
            for index, (key, own) in enumerate(zip(keys, wanted, strict=True))
            if key != own and (key is None or shortened(key.decode(errors="replace")).encode() != own)
        ]
        letters.extend(letter(batch, places[at], _key_refusal(keys[at], wanted[at])) for at in wrong)
        dropped = set(wrong)
        places = [place for at, place in enumerate(places) if at not in dropped]
        messages = [message for at, message in enumerate(messages) if at not in dropped]
    return Decoded(places, messages, letters, read.unknown)


def _key_of(message: Message, key: bytes | None) -> bytes | None:
    """The key that a message must have: whatever it has where it is of no learner."""
    learner: str | None = message.get("learner")
    return key if learner is None else learner.encode()


def _key_refusal(key: bytes | None, wanted: bytes | None) -> Refusal:
    if key is None:
        return Refusal("no_key", "key", "the record has no key; expected the learner")
    learner = (wanted or b"").decode()
    return Refusal(
        "wrong_key", "key", f"found {key[:SHOWN].decode(errors='replace')!r}; expected {learner!r}"
    )
