"""From the bytes of a batch to messages of the contract; what is not one becomes a dead letter.

Every record is parsed on its own. Activities are read fast (``activities``); all other records, and whatever
is not read there, in one call of pydantic, which is the contract. Only where that call finds a bad one it is
made again without it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast

from pydantic import Json, TypeAdapter, ValidationError

from engine.batch import activities
from engine.batch.activities import Activity
from engine.batch.records import RecordBatch
from engine.batch.unknown_fields import names_in
from schemas.dead_letter import DeadLetter, DeadLetterReason
from schemas.enrolment import ENDS_TOO_EARLY
from schemas.fields import LATEST
from schemas.inbound import Event, Feedback

Message = dict[str, Any]
"""Any message but an activity."""

MAX_RECORD_BYTES = 64 * 1024
"""An activity event is 200 bytes and the largest calendar a few thousand. More is a mistake."""

_LAST_SECOND = LATEST.timestamp()

SHOWN = 80
"""Characters of a wrong value that a reason repeats."""


Kind = TypeVar("Kind", Message, "Message | Activity")


@dataclass(frozen=True, slots=True)
class Decoded(Generic[Kind]):
    """Messages by their place in the batch, and the letters for the places that have none. unknown: by place,
    the fields that the contract does not know."""

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


_events: TypeAdapter[Any] = TypeAdapter(list[Json[Event]])  # type: ignore[type-arg,unused-ignore]
_feedback: TypeAdapter[Any] = TypeAdapter(list[Json[Feedback]])  # type: ignore[type-arg,unused-ignore]

Refused = dict[int, Refusal]
"""By place."""

Unknown = dict[int, tuple[str, ...]]
"""By place, too."""


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
        dead_letter_id=f"{batch.topic}:{batch.partition}:{offset}",
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
    batch: RecordBatch, first: int, read: Callable[[list[bytes], Refused, Unknown], list[Kind]]
) -> Decoded[Kind]:
    places, values, letters = _enveloped(batch, first)
    refused: Refused = {}
    unknown: Unknown = {}
    messages = read(values, refused, unknown)
    strange = {places[at]: names for at, names in unknown.items()}
    if refused:
        letters += [letter(batch, places[at], why) for at, why in sorted(refused.items())]
        places = [place for at, place in enumerate(places) if at not in refused]
    return _check_keys(batch, Decoded(places, messages, letters, strange))


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


def _read_events(values: list[bytes], refused: Refused, unknown: Unknown) -> list[Message | Activity]:
    """The messages, in order; those that are none are noted as refused. What is read fast has no unknown
    field."""
    found: list[Message | Activity | None] = [*activities.read(values)]
    others = [at for at, one in enumerate(found) if one is None] if None in found else []
    if others:
        bad: Refused = {}
        read = iter(_validate([values[at] for at in others], _events, bad))
        for number, at in enumerate(others):
            if number in bad:
                refused[at] = bad[number]
            else:
                message = next(read)
                if names := names_in(values[at]):
                    unknown[at] = names
                found[at] = Activity.of(message) if message["type"] == "activity" else message
    return [one for one in found if one is not None] if refused else cast(list[Message | Activity], found)


def _read_feedback(values: list[bytes], refused: Refused, unknown: Unknown) -> list[Message]:
    found = _validate(values, _feedback, refused)
    for at, value in enumerate(values):
        if at not in refused and (names := names_in(value)):
            unknown[at] = names
    return found


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
                refused[at] = _refusal(error)
            bad.add(at)
        valid = adapter.validate_python([value for at, value in enumerate(values) if at not in bad])
    return valid


def _refusal(error: Any) -> Refusal:
    """pydantic's error in the contract's words: the field, the value, what was expected."""
    kind, where = error["type"], [str(part) for part in error["loc"][2:]]
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
        wrong = [at for at, (key, own) in enumerate(zip(keys, wanted, strict=True)) if key != own]
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
