"""What an event says of one learner, as fields of the contract: one function a type of message.

Each returns whether the event says anything: a grade that is taken back, for one, does not.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.fields import shorten
from sources.formats.canvas.events import ASSET_ACCESSED, Event, seconds_between
from sources.formats.fields import child, moment, number, optional_name, share
from sources.formats.translation import Message

ROLES: Mapping[str, str] = {
    "StudentEnrollment": "learner",
    "TeacherEnrollment": "staff",
    "TaEnrollment": "staff",
    "DesignerEnrollment": "staff",
    "AccountAdmin": "staff",
    "AccountUser": "staff",
    "ObserverEnrollment": "observer",
    "StudentViewEnrollment": "test",
}
"""Role, by the type of an enrolment and by the role in a context. Others say nothing about a course."""

TOLD_AGAIN_AFTER_S = 3_600.0
"""An update of a submission that was handed in so long before tells of a grade or a comment."""

OBJECTS: Mapping[str, tuple[str, str]] = {
    "discussion_entry_created": ("discussion_topic", "discussion_topic_id"),
    "discussion_topic_created": ("discussion_topic", "discussion_topic_id"),
    "quiz_submitted": ("quizzes:quiz", "quiz_id"),
    "submission_comment_created": ("submission", "submission_id"),
}
"""Type of asset and field of the body that an activity is about, by event."""

ASSIGNMENT = "assignment"


def fill_activity(event: Event, message: Message, kind: str) -> None:
    """An activity of a kind.

    Raises:
        InvalidFieldError: an id is none.
    """
    message["kind"] = kind
    metadata, name = event.metadata, _object(event)
    if name is not None:
        message["object"] = name
    if (session := optional_name(metadata.get("session_id"))) is not None:
        message["session"] = session
    found = metadata.get("context_role") or event.body.get("role")
    if isinstance(found, str) and (role := ROLES.get(found)) is not None:
        message["role"] = role


def _object(event: Event) -> str | None:
    """The asset that was seen or written in; of a list its name; None for the course itself."""
    body = event.body
    if event.name != ASSET_ACCESSED:
        kind, field = OBJECTS.get(event.name, ("", ""))
        return event.asset(kind, body.get(field), f"body.{field}") if kind else None
    kind = optional_name(body.get("asset_type")) or "asset"
    if (subtype := optional_name(body.get("asset_subtype"))) is not None:
        return None if subtype == "home" else subtype
    return None if kind == "course" else event.asset(kind, body.get("asset_id"), "body.asset_id")


def fill_submission(event: Event, message: Message) -> bool:
    """Work handed in. An attempt is named alike in all the events that tell of it.

    Raises:
        InvalidFieldError: an id or the moment is wrong.
    """
    body = event.body
    if body.get("submitted_at") is None:  # graded before, or without, a hand-in
        return False
    submitted_at = moment(body["submitted_at"], "body.submitted_at")
    if is_told_again(event):
        return False
    fill_activity(event, message, "submission")
    learner = message["learner"] = event.id(body.get("user_id"), "body.user_id")
    submission = event.id(body.get("submission_id"), "body.submission_id")
    message["event_id"] = shorten(f"submission/{submission}/{submitted_at}")
    message["occurred_at"] = submitted_at
    if (work := event.asset(ASSIGNMENT, body.get("assignment_id"), "body.assignment_id")) is not None:
        message["object"] = work
    if event.user() != learner:  # for a group, by a teacher, by a job
        message["actor"] = "system"
        message.pop("role", None)
        message.pop("session", None)
    return True


def is_told_again(event: Event) -> bool:
    """Whether a submission was handed in long before the update that tells of it.

    Raises:
        InvalidFieldError: a moment is none.
    """
    if event.name != "submission_updated" or event.body.get("submitted_at") is None:
        return False
    submitted_at = moment(event.body["submitted_at"], "body.submitted_at")
    return seconds_between(submitted_at, event.occurred_at()) > TOLD_AGAIN_AFTER_S


def _enrolled(event: Event, message: Message) -> bool:
    body = event.body
    message["learner"] = event.id(body.get("user_id"), "body.user_id")
    role = ROLES.get(str(body.get("type")))
    if role is not None:
        message["role"] = role
    section = event.optional_id(body.get("course_section_id"), "body.course_section_id")
    if section is not None:
        message["section"] = section
    return True


def _withdrawn(event: Event, message: Message) -> bool:
    message["learner"] = event.id(event.body.get("user_id"), "body.user_id")
    return True


def _graded(event: Event, message: Message) -> bool:
    body = event.body
    student = body.get("student_id") or body.get("user_id")
    message["learner"] = event.id(student, "body.student_id")
    work = event.id(body.get("assignment_id"), "body.assignment_id")
    score = share(
        number(body.get("score"), "body.score"), number(body.get("points_possible"), "body.points_possible")
    )
    if score is None or body.get("grading_complete") is False:
        return False
    message["object"], message["score"] = shorten(f"{ASSIGNMENT}/{work}"), max(score, 0.0)
    message["graded_at"] = message.pop("occurred_at")
    submission = event.optional_id(body.get("submission_id"), "body.submission_id")
    if submission is not None:
        message["submission"] = submission
    return True


def _progress(event: Event, message: Message) -> bool:
    _take_student(event, message)
    progress = event.body.get("progress")
    done, all_of_them = (
        number(child(progress, name), f"body.progress.{name}")
        for name in ("requirement_completed_count", "requirement_count")
    )
    found = share(done, all_of_them)
    if found is None:
        return False
    message["progress"] = found
    return True


def _completed(event: Event, message: Message) -> bool:
    _take_student(event, message)
    message["result"] = "pass"
    return True


def _take_student(event: Event, message: Message) -> None:
    student: Any = child(event.body, "user", "id")
    message["learner"] = event.id(student, "body.user.id")


FILL: Mapping[str, Callable[[Event, Message], bool]] = {
    "enrolled": _enrolled,
    "withdrawn": _withdrawn,
    "completed": _completed,
    "graded": _graded,
    "progress": _progress,
}
"""Fill in a fact, by type of message."""
