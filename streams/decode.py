"""From the bytes of a batch to messages of the contract; what is not one becomes a dead letter.

Every record is parsed on its own. Activities are read fast (``activities``); all other records, and whatever
is not read there, in one call of pydantic, which is the contract. Only where that call finds a bad one it is
made again without it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from pydantic import Json, TypeAdapter, ValidationError

from schemas.dead_letter import DeadLetter, DeadLetterReason
from schemas.inbound import Event, Feedback
from streams import activities
from streams.activities import Activity
from streams.records import RecordBatch

Message = dict[str, Any]
"""Any message but an activity."""

MAX_RECORD_BYTES = 64 * 1024
"""An activity event is 200 bytes and the largest calendar a few thousand. More is a mistake."""

_LAST_SECOND = 253_402_300_799

SHOWN = 80
"""Characters of a wrong value that a reason repeats."""


Kind = TypeVar("Kind", Message, "Message | Activity")


@dataclass(frozen=True, slots=True)
class Decoded(Generic[Kind]):
    """Messages by their place in the batch, and the letters for the places that have none."""

    places: list[int]
    messages: list[Kind]
    letters: list[DeadLetter]


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
    """A record's timestamp; it is the producer's, so it may be anything, past the year 9999 included."""
    return datetime.fromtimestamp(min(max(timestamp / 1000, 0.0), _LAST_SECOND), UTC)


def _decode(
    batch: RecordBatch, first: int, read: Callable[[list[bytes], Refused], list[Kind]]
) -> Decoded[Kind]:
    places: list[int] = []
    values: list[bytes] = []
    letters: list[DeadLetter] = []
    for place, value in enumerate(batch.values[first:], start=first):
        if value is None or len(value) > MAX_RECORD_BYTES:
            letters.append(letter(batch, place, _envelope(value)))
        else:
            places.append(place)
            values.append(value)
    refused: Refused = {}
    messages = read(values, refused)
    if refused:
        letters += [letter(batch, places[at], why) for at, why in sorted(refused.items())]
        places = [place for at, place in enumerate(places) if at not in refused]
    return _check_keys(batch, places, messages, letters)


def _read_events(values: list[bytes], refused: Refused) -> list[Message | Activity]:
    """The messages, in order; those that are none are noted as refused."""
    found: list[Message | Activity | None] = [*activities.read(values)]
    others = [at for at, one in enumerate(found) if one is None]
    if others:
        bad: Refused = {}
        read = iter(_validate([values[at] for at in others], _events, bad))
        for number, at in enumerate(others):
            if number in bad:
                refused[at] = bad[number]
            else:
                message = next(read)
                found[at] = Activity.of(message) if message["type"] == "activity" else message
    return [one for one in found if one is not None]


def _read_feedback(values: list[bytes], refused: Refused) -> list[Message]:
    return _validate(values, _feedback, refused)


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
    if kind == "missing":
        return Refusal("invalid", ".".join(where), "is missing; expected to be there")
    reason: DeadLetterReason = "unknown_kind" if where == ["kind"] and kind == "literal_error" else "invalid"
    return Refusal(reason, ".".join(where), f"found {found}; {error['msg'][0].lower()}{error['msg'][1:]}")


def _check_keys(
    batch: RecordBatch, places: list[int], messages: list[Kind], letters: list[DeadLetter]
) -> Decoded[Kind]:
    """A learner's messages must carry the learner as their key, or Kafka cannot keep their order."""
    learners = [one.learner if type(one) is Activity else one.get("learner") for one in messages]
    keys = batch.keys
    wrong = [
        at
        for at, (place, learner) in enumerate(zip(places, learners, strict=True))
        if learner is not None and keys[place] != learner.encode()
    ]
    letters.extend(letter(batch, places[at], _key_refusal(keys[places[at]], learners[at])) for at in wrong)
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
