"""What an event says of one learner, as fields of the contract: one function a type of message."""

from collections.abc import Callable, Mapping
from typing import Any

from sources.formats.caliper.entities import optional_name_of, term, type_of
from sources.formats.caliper.events import Event
from sources.formats.fields import duration_s, number, share, take_plain
from sources.formats.translation import InvalidFieldError, Message

OWN_FIELDS: Mapping[str, tuple[str, ...]] = {
    "activity": ("score", "duration_s", "progress", "count", "role", "actor"),
    "enrolled": ("timezone", "role", "section", "track", "language"),
    "completed": ("result",),
    "extension": ("due_at", "excused"),
    "pause": ("from_at", "until_at"),
    "calendar": ("course", "starts_at", "ends_at", "inactive_after_days", "deadlines"),
}
"""Fields that the standard has no place for, by type of message: each is an extension of our own."""

ROLES: Mapping[str, str] = {
    "Learner": "learner",
    "Instructor": "staff",
    "TeachingAssistant": "staff",
    "Administrator": "staff",
    "ContentDeveloper": "staff",
    "Manager": "staff",
    "Officer": "staff",
    "Mentor": "observer",
}
"""Role by role of a membership. *Member* says nothing."""

UNITS = "UnitsCompleted"
"""Metric of an aggregate measure that says how far somebody has come."""

_RESULTS = ("pass", "distinction", "fail")
_TIMED = frozenset({"Attempt", "Session"})
"""Types of entities whose duration is the learner's; a video's is its length."""

_EARNED = ("scoreGiven", "resultScore", "totalScore")
_POSSIBLE = ("maxScore", "maxResultScore")
"""Points of a Score (1.1 on), of a Result, and of version 1.0's."""

_MOST_ATTEMPTS = 255


def fill_activity(event: Event, message: Message, kind: str) -> None:
    """An activity of a kind.

    Raises:
        InvalidFieldError: a field of our own is wrong.
    """
    message["kind"] = kind
    name = event.work_name() if kind == "submission" else event.object_name()
    if name is not None:
        message["object"] = name
    found = event.found
    if "session" in found and (session := optional_name_of(found["session"])) is not None:
        message["session"] = session
    for entity in (found.get("generated"), event.thing):
        if (
            isinstance(entity, dict)
            and type_of(entity) in _TIMED
            and (seconds := duration_s(entity.get("duration"))) is not None
        ):
            message["duration_s"] = seconds
            break
    if (progress := _units(found.get("generated"))) is not None:
        message["progress"] = progress
    if "membership" in found and (role := role_of(event.membership())) is not None:
        message["role"] = role
    _take_own(event, "activity", message)


def role_of(membership: Mapping[str, Any]) -> str | None:
    """The role of a membership; who is a learner among others is one. None where none is known."""
    roles = membership.get("roles")
    if not isinstance(roles, list):
        return None
    known = {_role(role) for role in roles if isinstance(role, str)}
    return next((role for role in ("learner", "staff", "observer") if role in known), None)


def _role(found: str) -> str | None:
    """The role of a term; a part after ``#`` is a finer one (``Instructor#GuestInstructor``)."""
    return ROLES.get(found.partition("#")[0]) or ROLES.get(term(found))


def _units(generated: Any) -> float | None:
    """The share of its units that an aggregate measure says are completed; None if it says none."""
    measures = generated.get("items") if isinstance(generated, dict) else None
    for measure in measures if isinstance(measures, list) else (generated,):
        if isinstance(measure, dict) and measure.get("metric") == UNITS:
            done = number(measure.get("metricValue"), "generated.metricValue")
            return share(done, number(measure.get("maxMetricValue"), "generated.maxMetricValue"))
    return None


def _take_own(event: Event, kind: str, message: Message) -> None:
    """Our own extensions, as they are: the worker validates them."""
    if event.own:
        take_plain(event.own, OWN_FIELDS[kind], message, "extensions")


def _enrolled(event: Event, message: Message) -> None:
    membership = event.thing if event.kind == "Membership" else event.membership()
    if (role := role_of(membership)) is not None:
        message["role"] = role
    _take_own(event, "enrolled", message)


def _withdrawn(_event: Event, _message: Message) -> None:
    """A withdrawal says who and when, which every message does."""


def _completed(event: Event, message: Message) -> None:
    """A course that is completed is passed, unless it says otherwise."""
    own = event.own.get("result")
    message["result"] = own if own in _RESULTS else "pass"


def _graded(event: Event, message: Message) -> None:
    name = event.work_name()
    if name is None:
        raise InvalidFieldError("object.assignable", None, "the work that is graded")
    attempt = event.attempt()
    message["object"], message["score"] = name, _score(event, attempt)
    message["graded_at"] = message.pop("occurred_at")
    count = attempt.get("count")
    if type(count) is int and 1 <= count <= _MOST_ATTEMPTS:
        message["attempt"] = count
    if (submission := optional_name_of(attempt)) is not None:
        message["submission"] = submission


def _score(event: Event, attempt: Mapping[str, Any]) -> float:
    """The share of the points: given, of the most that are possible, which the work may say instead."""
    generated, work = event.found.get("generated"), attempt.get("assignable")
    if not isinstance(generated, dict):
        raise InvalidFieldError("generated", generated, "the Score as an object")
    given = _first(generated, _EARNED)
    if given is None:
        raise InvalidFieldError("generated.scoreGiven", None, "the points that were given")
    most = _first(generated, _POSSIBLE)
    if (most is None or most <= 0) and isinstance(work, dict):  # Blackboard's sensor sends a 0
        most = number(work.get("maxScore"), "object.assignable.maxScore")
    earned = share(given, most)
    if earned is None:
        raise InvalidFieldError("generated.maxScore", most, "a number of points above 0")
    return max(earned, 0.0)


def _first(points: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    for name in names:
        if (found := number(points.get(name), f"generated.{name}")) is not None:
            return found
    return None


def _progress(event: Event, message: Message) -> None:
    progress = _units(event.thing)
    if progress is None:
        raise InvalidFieldError("object.metricValue", None, f"{UNITS} of a maxMetricValue")
    message["progress"] = progress


def _extension(event: Event, message: Message) -> None:
    name = event.work_name()
    if name is None:
        raise InvalidFieldError("object", None, "the work that the extension is for")
    message["object"] = name
    _take_own(event, "extension", message)


def _pause(event: Event, message: Message) -> None:
    _take_own(event, "pause", message)


def _calendar(event: Event, message: Message) -> None:
    """A calendar is nobody's: its actor only sends it."""
    del message["learner"]
    _take_own(event, "calendar", message)


FILL: Mapping[str, Callable[[Event, Message], None]] = {
    "enrolled": _enrolled,
    "withdrawn": _withdrawn,
    "completed": _completed,
    "graded": _graded,
    "progress": _progress,
    "extension": _extension,
    "pause": _pause,
    "calendar": _calendar,
}
"""Fill in a fact, by type of message."""
