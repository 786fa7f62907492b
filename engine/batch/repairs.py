"""Repairs records that break the contract only in a field, so that the event is not lost.

A wrong optional field is removed, and a dead letter reports it; so is a wrong deadline of a calendar. A score
slightly out of range (a bonus, a penalty) is clamped. A name that is too long keeps its start, followed by a
digest of the whole name: the same long name gives the same short one everywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from schemas.enrolment import AssessedWork
from schemas.fields import shorten
from schemas.inbound import EVENT_CLASSES, FEEDBACK_CLASSES

OPTIONAL_FIELDS: Mapping[str, frozenset[str]] = {
    kind: message.__optional_keys__ - {"version", "platform"}
    for classes in (EVENT_CLASSES, FEEDBACK_CLASSES)
    for kind, message in classes.items()
}
"""The optional fields that a type of message may lose. Without its platform it is somebody else's."""

_OPTIONAL_OF_DEADLINE = AssessedWork.__optional_keys__ - {"due_at", "due_after_days"}
"""Without its date a deadline says nothing."""
_NAME_FIELDS = frozenset(
    {"event_id", "learner", "course_run", "course", "into", "object", "session", "source"}
    | {"section", "track", "submission", "assessment"}
)
_MAX_SCORE_EXCESS = 1.0
"""A score further out of range is no bonus: 85 is a percentage."""

_BOUNDS = {"less_than_equal": 1.0, "greater_than_equal": 0.0}


class FieldRepair(NamedTuple):
    """A repaired field of a record. error: pydantic's; outcome: what was done with the field, for readers."""

    field: str
    error: Any
    outcome: str


def repair(value: bytes, errors: Sequence[Any]) -> tuple[bytes, list[FieldRepair]] | None:
    """A record without its wrong fields, as JSON, and the repairs; None if it cannot be repaired.

    errors: all errors of the record, as in ``ValidationError.errors()``.

    Raises:
        ValueError: the record is not JSON.
    """
    message = from_json(value)
    kind = message.get("type") if isinstance(message, dict) else None
    repairs: list[FieldRepair] = []
    dropped: set[int] = set()
    for error in errors:
        path = error["loc"][1:]  # the first part is the type
        if error["type"] == "string_too_long" and path and path[-1] in _NAME_FIELDS:
            _parent(message, path)[path[-1]] = shorten(error["input"])
        elif kind == "calendar" and len(path) >= 2 and path[0] == "deadlines":
            repairs.append(_repair_deadline(message, path, error, dropped))
        elif path and (field_repair := _repair_field(message, kind, path[0], error)) is not None:
            repairs.append(field_repair)
        else:
            return None
    if dropped:
        message["deadlines"] = [
            deadline for index, deadline in enumerate(message["deadlines"]) if index not in dropped
        ]
    return to_json(message), repairs


def _repair_field(message: dict[str, Any], kind: str | None, field: str, error: Any) -> FieldRepair | None:
    bound, score = _BOUNDS.get(error["type"]), error["input"]
    if field == "score" and bound is not None and abs(score - bound) <= _MAX_SCORE_EXCESS:
        message[field] = bound
        return FieldRepair(field, error, f"it was held at {bound:g}")
    if field not in OPTIONAL_FIELDS.get(kind or "", ()):
        return None
    message.pop(field, None)
    return FieldRepair(field, error, "the rest was applied")


def _repair_deadline(
    message: dict[str, Any], path: Sequence[Any], error: Any, dropped: set[int]
) -> FieldRepair:
    """Remove a wrong optional field from a deadline, or else mark the deadline as dropped."""
    index, field = int(path[1]), ".".join(map(str, path))
    if len(path) > 2 and path[2] in _OPTIONAL_OF_DEADLINE:
        message["deadlines"][index].pop(path[2], None)
        return FieldRepair(field, error, "the rest was applied")
    dropped.add(index)
    return FieldRepair(field, error, "the calendar was applied without this deadline")


def _parent(message: Any, path: Sequence[Any]) -> Any:
    for part in path[:-1]:
        message = message[part]
    return message
