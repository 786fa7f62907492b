"""What a statement says of one learner, as fields of the contract: one function a type of message."""

from collections.abc import Callable, Mapping
from typing import Any

from sources.formats.fields import child, duration_s, number, optional_name
from sources.formats.translation import InvalidFieldError, Message
from sources.formats.xapi.statements import Statement, score_of
from sources.formats.xapi.terms import (
    CMI5_PROGRESS,
    FAILED,
    SESSION_PROFILES,
    SESSIONS,
    TERMINATED,
    WAIVED,
    extension,
)

OWN_FIELDS: Mapping[str, tuple[str, ...]] = {
    "activity": ("count", "role", "actor"),
    "enrolled": ("timezone", "role", "section", "track"),
    "graded": ("attempt", "submission"),
    "extension": ("due_at", "excused"),
    "pause": ("from_at", "until_at"),
    "calendar": ("course", "starts_at", "ends_at", "inactive_after_days", "deadlines"),
}
"""Fields that no profile has a place for, by type of message: each is a context extension of our own."""

PROGRESS = extension("progress")
RESULT = extension("result")
"""Result extensions of our own: the learner's share of the course, and *distinction*."""

_OWN = {kind: tuple((name, extension(name)) for name in names) for kind, names in OWN_FIELDS.items()}
_RESULTS = ("pass", "distinction", "fail")


def fill_activity(statement: Statement, message: Message, kind: str) -> None:
    """An activity of a kind.

    Raises:
        InvalidFieldError: its score is no number.
    """
    message["kind"] = kind
    name = statement.work_name() if kind == "submission" else statement.object_name()
    if name is not None:
        message["object"] = name
    result = statement.result
    if result:
        _take_result(statement, result, message)
    extensions = statement.extensions
    if extensions:
        for iri in SESSIONS:
            if iri in extensions and (session := optional_name(extensions[iri])) is not None:
                message["session"] = session
                break
        _take_own(extensions, "activity", message)


def _take_result(statement: Statement, result: Mapping[str, Any], message: Message) -> None:
    if (score := score_of(result)) is not None:
        message["score"] = score
    if "duration" in result and not _is_told_again(statement):
        seconds = duration_s(result["duration"])
        if seconds is not None:
            message["duration_s"] = seconds
    extensions = result.get("extensions")
    if isinstance(extensions, dict) and PROGRESS in extensions:
        message["progress"] = number(extensions[PROGRESS], "result.extensions.progress")


def _is_told_again(statement: Statement) -> bool:
    """Whether the end of the session tells a duration again, which counts from the session's start."""
    return statement.verb != TERMINATED and statement.has_category(SESSION_PROFILES)


def _take_own(extensions: Mapping[str, Any], kind: str, message: Message) -> None:
    for name, iri in _OWN[kind]:
        if iri in extensions:
            message[name] = extensions[iri]


def _enrolled(statement: Statement, message: Message) -> None:
    _take_own(statement.extensions, "enrolled", message)
    language = statement.context.get("language")
    if isinstance(language, str) and 0 < len(language) <= 35:
        message["language"] = language


def _withdrawn(statement: Statement, message: Message) -> None:
    """A withdrawal says who and when, which every message does."""


def _completed(statement: Statement, message: Message) -> None:
    result = statement.result
    own = child(result, "extensions", RESULT)
    is_fail = statement.verb == FAILED or result.get("success") is False
    message["result"] = own if own in _RESULTS else "fail" if is_fail else "pass"


def _graded(statement: Statement, message: Message) -> None:
    name, score = statement.work_name(), score_of(statement.result)
    if name is None:
        raise InvalidFieldError(
            "object", None, "the work that is graded, or a person with the work as parent"
        )
    if score is None:
        raise InvalidFieldError("result.score", None, "a grade: scaled, or raw and max")
    message["object"], message["score"] = name, score
    message["graded_at"] = message.pop("occurred_at")
    _take_own(statement.extensions, "graded", message)


def _progress(statement: Statement, message: Message) -> None:
    extensions = child(statement.result, "extensions")
    percent = number(child(extensions, CMI5_PROGRESS), "result.extensions.progress")
    progress = score_of(statement.result) if percent is None else percent / 100
    if progress is None:
        raise InvalidFieldError("result.score.scaled", None, "how far the learner has come")
    message["progress"] = progress


def _extension(statement: Statement, message: Message) -> None:
    name = statement.work_name()
    if name is None:
        raise InvalidFieldError("object", None, "the work that the extension is for")
    message["object"] = name
    if statement.verb == WAIVED:
        message["excused"] = True
    _take_own(statement.extensions, "extension", message)


def _pause(statement: Statement, message: Message) -> None:
    _take_own(statement.extensions, "pause", message)


def _calendar(statement: Statement, message: Message) -> None:
    """A calendar is nobody's: its actor only sends it."""
    del message["learner"]
    _take_own(statement.extensions, "calendar", message)


FILL: Mapping[str, Callable[[Statement, Message], None]] = {
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
