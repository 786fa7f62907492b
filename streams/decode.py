"""From the bytes of a batch to messages of the contract; what is not one becomes a dead letter.

Every record is parsed on its own, in one call for the batch: about a microsecond each. Only a batch
with a bad record in it is gone through again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import Json, TypeAdapter, ValidationError

from schemas.dead_letter import DeadLetter, DeadLetterReason
from schemas.inbound import Event, Feedback
from streams.records import RecordBatch

Message = dict[str, Any]

MAX_RECORD_BYTES = 64 * 1024
"""An activity event is 200 bytes and the largest calendar a few thousand. More is a mistake."""

_LAST_SECOND = 253_402_300_799

SHOWN = 80
"""Characters of a wrong value that a reason repeats."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Messages by their place in the batch, and the letters for the places that have none."""

    places: list[int]
    messages: list[Message]
    letters: list[DeadLetter]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record cannot be applied."""

    reason: DeadLetterReason
    field: str
    detail: str


_adapters: dict[str, TypeAdapter[Any]] = {
    "event": TypeAdapter(list[Json[Event]]),  # type: ignore[type-arg,unused-ignore]
    "feedback": TypeAdapter(list[Json[Feedback]]),  # type: ignore[type-arg,unused-ignore]
}


def decode_events(batch: RecordBatch, first: int = 0) -> Decoded:
    """The events of a batch, from place ``first`` on."""
    return _decode(batch, first, _adapters["event"])


def decode_feedback(batch: RecordBatch, first: int = 0) -> Decoded:
    """The feedback and preferences of a batch, from place ``first`` on."""
    return _decode(batch, first, _adapters["feedback"])


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
    """A record's timestamp; it is the producer's, so it may be anything, past the year 9999 included."""
    return datetime.fromtimestamp(min(max(timestamp / 1000, 0.0), _LAST_SECOND), UTC)


def _decode(batch: RecordBatch, first: int, adapter: TypeAdapter[Any]) -> Decoded:
    places: list[int] = []
    letters: list[DeadLetter] = []
    for place in range(first, len(batch)):
        refusal = _envelope(batch.values[place])
        if refusal is None:
            places.append(place)
        else:
            letters.append(letter(batch, place, refusal))
    values = [batch.values[place] for place in places]
    refused: dict[int, Refusal] = {}
    messages = _validate(values, adapter, refused.setdefault)
    if refused:
        letters += [letter(batch, places[at], why) for at, why in sorted(refused.items())]
        places = [place for at, place in enumerate(places) if at not in refused]
    return _check_keys(batch, places, messages, letters)


def _envelope(value: bytes | None) -> Refusal | None:
    if value is None:
        return Refusal("malformed", "value", "the record has no value; expected a JSON object")
    if len(value) > MAX_RECORD_BYTES:
        return Refusal("too_large", "value", f"{len(value):,} bytes; expected at most {MAX_RECORD_BYTES:,}")
    return None


def _validate(
    values: Sequence[bytes | None], adapter: TypeAdapter[Any], refuse: Callable[[int, Refusal], object]
) -> list[Message]:
    """The valid messages, in order; each of the others is refused by its place."""
    try:
        valid: list[Message] = adapter.validate_python(values)
    except ValidationError as errors:
        bad = set()
        for error in errors.errors(include_url=False):
            at = int(error["loc"][0])
            if at not in bad:
                refuse(at, _refusal(error))
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
    if kind == "missing":
        return Refusal("invalid", ".".join(where), "is missing; expected to be there")
    reason: DeadLetterReason = "unknown_kind" if where == ["kind"] and kind == "literal_error" else "invalid"
    return Refusal(reason, ".".join(where), f"found {found}; {error['msg'][0].lower()}{error['msg'][1:]}")


def _check_keys(
    batch: RecordBatch, places: list[int], messages: list[Message], letters: list[DeadLetter]
) -> Decoded:
    """A learner's messages must carry the learner as their key, or Kafka cannot keep their order."""
    keys = batch.keys
    wrong = [
        at
        for at, (place, message) in enumerate(zip(places, messages, strict=True))
        if (learner := message.get("learner")) is not None and keys[place] != learner.encode()
    ]
    letters.extend(
        letter(batch, places[at], _key_refusal(keys[places[at]], messages[at]["learner"])) for at in wrong
    )
    if wrong:
        dropped = set(wrong)
        places = [place for at, place in enumerate(places) if at not in dropped]
        messages = [message for at, message in enumerate(messages) if at not in dropped]
    return Decoded(places, messages, letters)


def _key_refusal(key: bytes | None, learner: str) -> Refusal:
    if key is None:
        return Refusal("no_key", "key", "the record has no key; expected the learner")
    return Refusal(
        "wrong_key", "key", f"found {key[:SHOWN].decode(errors='replace')!r}; expected {learner!r}"
    )
