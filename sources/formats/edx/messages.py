"""What a tracking event says of a learner, as fields of the contract: one function a type of message."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sources.formats.edx.events import OWN, TrackingEvent
from sources.formats.fields import content_id, moment_in_utc, number, optional_name, share
from sources.formats.translation import InvalidFieldError, Message

OWN_FIELDS: Mapping[str, tuple[str, ...]] = {
    "activity": ("duration_s", "score", "progress", "count", "role", "actor"),
    "enrolled": ("timezone", "role", "section", "language"),
    "graded": ("attempt", "submission"),
}
"""Fields that no event has a place for, by type of message: they lie in the context, under ``OWN``."""

_SHARED = ("learner", "course_run", "object", "source")
_MAX_FIRST_AGE = timedelta(days=1)
"""How long after a first attempt a grade tells of it: it is calculated at once, or after a queue."""


def fill_activity(event: TrackingEvent, message: Message, kind: str) -> None:
    """An activity of a kind.

    Raises:
        InvalidFieldError: its grade is no number.
    """
    message["kind"] = kind
    fields = event.fields
    if (name := event.object_name()) is not None:
        message["object"] = name
    session = event.found.get("session") or event.context.get("session")
    if session is not None and (name := optional_name(session)) is not None:
        message["session"] = name
    if "max_grade" in fields:
        earned = share(
            number(fields.get("grade"), "event.grade"), number(fields["max_grade"], "event.max_grade")
        )
        if earned is not None:
            message["score"] = max(earned, 0.0)
    if fields.get("is_staff") is True:
        message["role"] = "staff"
    _take_own(event, message)


def _take_own(event: TrackingEvent, message: Message) -> None:
    own = event.context.get(OWN)
    if isinstance(own, dict):
        for name in OWN_FIELDS.get(message["type"], ()):
            if name in own:
                message[name] = own[name]


def _enrolled(event: TrackingEvent, message: Message) -> None:
    if (mode := optional_name(event.fields.get("mode"))) is not None:
        message["track"] = mode


def _withdrawn(_: TrackingEvent, __: Message) -> None:
    """A withdrawal says who and when, which every message does."""


def _completed(_: TrackingEvent, message: Message) -> None:
    message["result"] = "pass"


def _graded(event: TrackingEvent, message: Message) -> None:
    name, score = event.object_name(), grade_of(event.fields)
    if name is None:
        raise InvalidFieldError("event.block_id", None, "the graded subsection or problem")
    if score is None:
        raise InvalidFieldError("event.weighted_graded_possible", None, "points earned, and points possible")
    message["object"], message["score"] = name, score
    message["graded_at"] = message.pop("occurred_at")


def grade_of(fields: Mapping[str, object], path: str = "event") -> float | None:
    """The share of the points that count; None where none do.

    Raises:
        InvalidFieldError: points are no numbers.
    """
    kind = "weighted_graded" if "weighted_graded_possible" in fields else "weighted"
    earned, possible = (
        number(fields.get(f"{kind}_{part}"), f"{path}.{kind}_{part}") for part in ("earned", "possible")
    )
    found = share(earned, possible)
    return None if found is None else max(found, 0.0)


def first_attempt(fields: Mapping[str, object], graded: Message, path: str) -> Message | None:
    """The hand-in that a subsection's grade tells of: its first attempt, told again by every later grade.

    path: of the fields in the record. The id is the same each time. None where the attempt is not known, or
    long ago.

    Raises:
        InvalidFieldError: the attempt's moment is none.
    """
    found = fields.get("first_attempted")
    if found is None or found == "":
        return None
    occurred_at = moment_in_utc(found, f"{path}.first_attempted")
    age = datetime.fromisoformat(graded["graded_at"]) - datetime.fromisoformat(occurred_at)
    if age > _MAX_FIRST_AGE:
        return None
    hand_in: Message = {
        "type": "activity",
        "event_id": content_id(graded["learner"], graded["course_run"], graded["object"], occurred_at),
        "kind": "submission",
        "occurred_at": occurred_at,
    }
    return hand_in | {name: graded[name] for name in _SHARED if name in graded}


FILL: Mapping[str, Callable[[TrackingEvent, Message], None]] = {
    "enrolled": _enrolled,
    "withdrawn": _withdrawn,
    "completed": _completed,
    "graded": _graded,
}
"""Fill in a fact, by type of message."""


def fill_fact(event: TrackingEvent, message: Message, kind: str) -> None:
    """A fact of a type of ``FILL``.

    Raises:
        InvalidFieldError: a field that it needs is missing or wrong.
    """
    message["type"] = kind
    FILL[kind](event, message)
    _take_own(event, message)
