"""What can be kept of a record that breaks the contract in a part of it only.

A wrong optional field is no reason to lose the event: the field goes, and a dead letter says which. So does
a deadline of a calendar. A score a little out of its range (a bonus, a penalty) is held at the bound. A name
that is longer than names may be keeps its start, and a digest of all of it in place of the rest: the same
long name is the same name everywhere.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from schemas.activity import ActivityEvent
from schemas.enrolment import (
    ClockTick,
    Completed,
    CourseCalendar,
    Deadline,
    Enrolled,
    Extension,
    Graded,
    ProgressReport,
    Withdrawn,
)
from schemas.fields import MAX_ID

OPTIONAL: Mapping[str, frozenset[str]] = {
    kind: message.__optional_keys__ - {"version"}
    for kind, message in (
        ("activity", ActivityEvent),
        ("enrolled", Enrolled),
        ("withdrawn", Withdrawn),
        ("completed", Completed),
        ("graded", Graded),
        ("progress", ProgressReport),
        ("extension", Extension),
        ("calendar", CourseCalendar),
        ("tick", ClockTick),
    )
}
"""Fields without which a message is one still, by its type."""

_OF_A_DEADLINE = Deadline.__optional_keys__
_NAMES = frozenset(
    {"event_id", "learner", "course_run", "course", "object", "session", "source"}
    | {"section", "track", "submission", "assessment"}
)
_START = 96
_FURTHEST_SCORE = 2.0
"""What is further out of range than this is no bonus: 85 is a percentage."""

_BOUNDS = {"less_than_equal": 1.0, "greater_than_equal": 0.0}


class Repair(NamedTuple):
    """A part of a record that was not kept as it was. error: pydantic's; outcome: what became of the part."""

    field: str
    error: Any
    outcome: str


def shortened(name: str) -> str:
    """A name of any length as one of at most ``MAX_ID`` characters."""
    if len(name) <= MAX_ID:
        return name
    return f"{name[:_START]}~{blake2b(name.encode(errors='surrogatepass'), digest_size=15).hexdigest()}"


def repair(value: bytes, errors: Sequence[Any]) -> tuple[bytes, list[Repair]] | None:
    """A record without what is wrong in it, as JSON, and what that was; None where not enough would be left.

    value: the record. errors: all that pydantic finds wrong in it, as ``ValidationError.errors()``.

    Raises:
        ValueError: the record is no JSON.
    """
    message = from_json(value)
    kind = message.get("type") if isinstance(message, dict) else None
    repairs: list[Repair] = []
    gone: set[int] = set()
    for error in errors:
        path = error["loc"][1:]  # the first part is the type
        if error["type"] == "string_too_long" and path and path[-1] in _NAMES:
            _parent(message, path)[path[-1]] = shortened(error["input"])
        elif kind == "calendar" and len(path) >= 2 and path[0] == "deadlines":
            repairs.append(_repair_deadline(message, path, error, gone))
        elif path and (part := _repair_field(message, kind, path[0], error)) is not None:
            repairs.append(part)
        else:
            return None
    if gone:
        message["deadlines"] = [
            entry for place, entry in enumerate(message["deadlines"]) if place not in gone
        ]
    return to_json(message), repairs


def _repair_field(message: dict[str, Any], kind: str | None, field: str, error: Any) -> Repair | None:
    bound, found = _BOUNDS.get(error["type"]), error["input"]
    if field == "score" and bound is not None and abs(found - bound) <= _FURTHEST_SCORE - 1:
        message[field] = bound
        return Repair(field, error, f"it was held at {bound:g}")
    if field not in OPTIONAL.get(kind or "", ()):
        return None
    message.pop(field, None)
    return Repair(field, error, "the rest was applied")


def _repair_deadline(message: dict[str, Any], path: Sequence[Any], error: Any, gone: set[int]) -> Repair:
    """Take a wrong optional field out of a deadline, else the deadline out of the calendar."""
    place, field = int(path[1]), ".".join(map(str, path))
    if len(path) > 2 and path[2] in _OF_A_DEADLINE:
        message["deadlines"][place].pop(path[2], None)
        return Repair(field, error, "the rest was applied")
    gone.add(place)
    return Repair(field, error, "the calendar was applied without this deadline")


def _parent(message: Any, path: Sequence[Any]) -> Any:
    for part in path[:-1]:
        message = message[part]
    return message
