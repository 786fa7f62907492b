"""Messages of the contract from flat objects of properties, as product-analytics tools send them.

Such dialects (Segment, Snowplow) have events of any name with properties of any name. Both are compared in
snake case, so that ``Course ID``, ``courseId`` and ``course_id`` are one. What a property is called here is
the table of those dialects' pages; whatever the contract has a field for may also have the field's own name.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from schemas.roles import ROLES
from sources.formats.fields import name_of, number, optional_name, take_plain
from sources.formats.translation import InvalidFieldError, Message

Properties = Mapping[str, Any]
"""Values by name in snake case."""

COURSE_NAMES = ("course_run", "course_run_id", "course_id", "course_key", "course")
WORK_NAMES = ("object", "object_id", "assessment_id", "assignment_id", "quiz_id", "exam_id")
PART_NAMES = (
    "video_id",
    "asset_id",
    "content_asset_ids",  # of Segment's video spec: the first of a playback
    "lesson_id",
    "block_id",
    "resource_id",
    "discussion_id",
    "thread_id",
    "module_id",
)
"""Properties that name a course run, a piece of work, a part of a course: the first that is there."""

EARNED_NAMES, POSSIBLE_NAMES = ("score", "points_earned"), ("max_score", "score_max", "points_possible")
DURATION_NAMES = ("duration_s", "duration_seconds", "time_spent_seconds")

MOST_OF_ONE = 2.0
"""A score without its maximum is a share, with a bonus at most this; above it are points or percents."""

_LONGEST_S = 86_400.0
_SCORES = frozenset((*EARNED_NAMES, "score_percent"))
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W_A-Z]+|[^\W_]+")
_RESULTS = ("pass", "distinction", "fail")
_ROLES = {role: role for role in ROLES} | {
    "student": "learner",
    "instructor": "staff",
    "teacher": "staff",
    "tutor": "staff",
    "admin": "staff",
    "administrator": "staff",
}


@lru_cache(maxsize=10_000)
def snake_case(name: str) -> str:
    """A name in any style of case, as words in small letters joined by ``_``; itself where it has none."""
    if name.isascii() and name.islower() and name.replace("_", "a").isalnum():
        return name
    return "_".join(_WORDS.findall(name)).lower() or name


def in_snake_case(found: Mapping[str, Any]) -> Properties:
    """Properties by name in snake case. Of two that become the same name, the last holds."""
    return {snake_case(name): value for name, value in found.items()} if found else {}


def first_of(properties: Properties, names: tuple[str, ...]) -> tuple[str, Any] | None:
    """The first of several properties that is there and not empty, with its name."""
    for name in names:
        if name in properties:
            value = properties[name]
            if value is not None and value != "":
                return name, value
    return None


def named(properties: Properties, names: tuple[str, ...], path: str) -> str | None:
    """The identifier in the first of several properties; None where there is none.

    Raises:
        InvalidFieldError: it is no identifier.
    """
    for name in names:
        if name in properties:
            value = properties[name]
            if value is not None and value != "":
                return name_of(value[0] if isinstance(value, list) and value else value, f"{path}.{name}")
    return None


def score_of(properties: Properties, path: str) -> float | None:
    """The earned share: of a maximum, in percent, or as it is. Below nought no point was earned.

    Raises:
        InvalidFieldError: it is no number, or points whose maximum is not said.
    """
    if _SCORES.isdisjoint(properties):
        return None
    earned = first_of(properties, EARNED_NAMES)
    if earned is None:
        percent = number(properties.get("score_percent"), f"{path}.score_percent")
        return None if percent is None else max(percent / 100, 0.0)
    field = f"{path}.{earned[0]}"
    points = number(earned[1], field)
    if points is None:
        return None
    possible = first_of(properties, POSSIBLE_NAMES)
    if possible is None:
        if points > MOST_OF_ONE:
            raise InvalidFieldError(field, earned[1], "a share from 0 to 1, or a max_score beside it")
        return max(points, 0.0)
    most = number(possible[1], f"{path}.{possible[0]}")
    if most is None or most <= 0:
        raise InvalidFieldError(f"{path}.{possible[0]}", possible[1], "a number of points above 0")
    return max(points / most, 0.0)


def fill_activity(properties: Properties, message: Message, kind: str, path: str) -> None:
    """What properties say of an activity of a kind.

    Raises:
        InvalidFieldError: one of them is wrong.
    """
    message["kind"] = kind
    if "object" not in message:
        name = named(properties, WORK_NAMES, path) or named(properties, PART_NAMES, path)
        if name is not None:
            message["object"] = name
    if (score := score_of(properties, path)) is not None:
        message["score"] = score
    if (found := first_of(properties, DURATION_NAMES)) is not None:
        seconds = number(found[1], f"{path}.{found[0]}")
        if seconds is not None and seconds >= 0.0:  # a device's clock that was set back says nothing
            message["duration_s"] = min(seconds, _LONGEST_S)
    if "course_progress" in properties:
        progress = number(properties["course_progress"], f"{path}.course_progress")
        if progress is not None:
            message["progress"] = progress
    if "click_count" in properties:
        message["count"] = _whole(properties["click_count"], f"{path}.click_count")
    if "role" in properties:
        _take_role(properties, message)
    if properties.get("actor") in ("learner", "system"):
        message["actor"] = properties["actor"]


def _take_role(properties: Properties, message: Message) -> None:
    """The role, where it is one that we know: another says nothing about a course."""
    found = properties.get("role")
    role = _ROLES.get(found.lower()) if isinstance(found, str) else None
    if role is not None:
        message["role"] = role


def _whole(found: Any, field: str) -> int:
    if type(found) is not int or not 1 <= found <= 100_000:
        raise InvalidFieldError(field, found, "a whole number from 1 on")
    return found


def _take_names(properties: Properties, message: Message, names: tuple[str, ...]) -> None:
    for name in names:
        if (found := optional_name(properties.get(name))) is not None:
            message[name] = found


def _work(properties: Properties, path: str) -> str:
    name = named(properties, WORK_NAMES, path)
    if name is None:
        raise InvalidFieldError(f"{path}.object", None, "the work: object, assessment_id or assignment_id")
    return name


def _enrolled(properties: Properties, message: Message, _path: str) -> None:
    _take_names(properties, message, ("timezone", "section", "track", "language"))
    _take_role(properties, message)


def _withdrawn(_properties: Properties, _message: Message, _path: str) -> None:
    """A withdrawal says who and when, which every message does."""


def _completed(properties: Properties, message: Message, _path: str) -> None:
    """A completion is a pass, unless it says otherwise."""
    found = properties.get("result")
    if isinstance(found, str) and found in _RESULTS:
        message["result"] = found
    else:
        message["result"] = "fail" if properties.get("passed") is False or found == "failed" else "pass"


def _graded(properties: Properties, message: Message, path: str) -> None:
    score = score_of(properties, path)
    if score is None:
        raise InvalidFieldError(f"{path}.score", None, "a grade: score, with max_score if it is not a share")
    message["object"], message["score"] = _work(properties, path), score
    message["graded_at"] = message.pop("occurred_at")
    if properties.get("attempt") is not None:
        message["attempt"] = _whole(properties["attempt"], f"{path}.attempt")
    if (submission := optional_name(properties.get("submission_id"))) is not None:
        message["submission"] = submission


def _progress(properties: Properties, message: Message, path: str) -> None:
    found = first_of(properties, ("course_progress", "progress", "progress_percent"))
    if found is None:
        raise InvalidFieldError(f"{path}.progress", None, "a share from 0 to 1, or progress_percent")
    progress = number(found[1], f"{path}.{found[0]}")
    message["progress"] = (
        progress / 100 if found[0] == "progress_percent" and progress is not None else progress
    )


def _extension(properties: Properties, message: Message, path: str) -> None:
    message["object"] = _work(properties, path)
    take_plain(properties, ("due_at", "excused"), message, path)


def _pause(properties: Properties, message: Message, path: str) -> None:
    take_plain(properties, ("from_at", "until_at"), message, path)


def _calendar(properties: Properties, message: Message, path: str) -> None:
    """A calendar is nobody's: its learner only sends it."""
    message.pop("learner", None)
    take_plain(
        properties, ("course", "starts_at", "ends_at", "inactive_after_days", "deadlines"), message, path
    )


FILL: Mapping[str, Callable[[Properties, Message, str], None]] = {
    "enrolled": _enrolled,
    "withdrawn": _withdrawn,
    "completed": _completed,
    "graded": _graded,
    "progress": _progress,
    "extension": _extension,
    "pause": _pause,
    "calendar": _calendar,
}
"""Fill in a fact from properties, by type of message; the last argument is their path, for refusals."""

_SAME = {"count": "click_count", "progress": "course_progress", "submission": "submission_id"}
_ELSEWHERE = frozenset(
    {"type", "version", "event_id", "learner", "occurred_at", "graded_at", "kind", "source", "platform"}
)


def properties_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that say what a message says, but for what every event of a dialect has its own place.

    For writers. A null is left out, except the open end of a pause.
    """
    return {
        _SAME.get(name, name): value
        for name, value in message.items()
        if name not in _ELSEWHERE and (value is not None or name == "until_at")
    }
