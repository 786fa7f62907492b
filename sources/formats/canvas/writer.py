"""Writes messages of the contract as Canvas's Live Events."""

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, ClassVar

import orjson

from sources.formats.adapter import Writer
from sources.formats.canvas.events import ASSET_ACCESSED, SHARD_DIGITS
from sources.formats.canvas.messages import ASSIGNMENT

KINDS: Mapping[str, str] = {
    "home": "calendar_event",
    "content": "wiki_page",
    "page": "learning_outcome",
    "resource": "attachment",
    "video": "attachment",
    "forum": "discussion_topic",
    "wiki": "wiki_page",
    "quiz": "quizzes:quiz",
    "other": "web_conference",
}
"""Type of asset, by kind of activity; a hand-in is an event of its own."""

ENROLMENTS: Mapping[str, str] = {
    "learner": "StudentEnrollment",
    "staff": "TeacherEnrollment",
    "observer": "ObserverEnrollment",
    "test": "StudentViewEnrollment",
}
"""Type of enrolment, by role."""

_SHARD = 2107
_MOST_REQUIREMENTS = 1_000_000

Json = dict[str, Any]


class CanvasWriter(Writer):
    """Writes native events, with numbers for names: ``aliases`` leads back."""

    limits: ClassVar[Mapping[str, str]] = {
        "tick": "events are sent as they happen; there is no clock",
        "calendar": "an event of one assignment is no calendar: publish it from the API",
        "extension": "an override of a date does not say for whom it is",
        "pause": "Canvas has none",
        "completed": "a course is completed when its modules are, and no event says who passed",
        "merged": "no event says that two accounts are one person",
        "renamed": "no event says it of a course",
        "activity.actor": "what a job does has no user: of machines only hand-ins are written",
        "activity.count": "an event is one access",
        "activity.duration_s": "events are moments",
        "activity.role": "there are no bots, and nobody without an account",
        "activity.score": "a hand-in's is an event of its own, at the same moment; others have none",
        "activity.progress": "it is an event of its own, at the same moment",
        "enrolled.role": "everybody has one: who is said to have none is a student; there are no bots",
        "enrolled.section": "a section is a number",
        "enrolled.timezone": "it is in the user's profile",
        "enrolled.track": "Canvas has none",
        "enrolled.language": "it is in the user's profile",
        "graded.attempt": "a grade is of the submission",
        "graded.submission": "a submission is a number",
        "progress.progress": "a count of requirements: at most a million of them",
        "activity.platform": "an account is one platform; give it to the source. So in every type",
    }

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._taken: Counter[str] = Counter()
        self.aliases: dict[str, dict[str, str]] = {"learner": {}, "course_run": {}, "object": {}}

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        kind = message["type"]
        if kind in self.limits or message.get("role") not in (None, *ENROLMENTS):
            return []
        events = self._activity(message) if kind == "activity" else [self._fact(message)]
        return [orjson.dumps(event) for event in events]

    def _activity(self, message: Mapping[str, Any]) -> list[Json]:
        is_work, is_system = message["kind"] == "submission", message.get("actor") == "system"
        if is_system and not is_work:
            return []
        events = [self._hand_in(message) if is_work else self._access(message)]
        if is_work and message.get("score") is not None and message.get("object") is not None:
            events.append(self._grade(message, message["occurred_at"]))
        if message.get("progress") is not None:
            events.append(self._progress(message))
        return events

    def _access(self, message: Mapping[str, Any]) -> Json:
        kind, name = message["kind"], message.get("object")
        asset = KINDS[kind]
        body = {
            "asset_type": asset,
            "asset_id": None if name is None else self._asset(asset, name),
            "asset_subtype": None,
            "level": "participate" if kind == "wiki" else None,
        }
        if kind == "video":
            body["filename"] = "lecture.mp4"
        return self._event(message, ASSET_ACCESSED, body)

    def _hand_in(self, message: Mapping[str, Any]) -> Json:
        name, moment = message.get("object"), message["occurred_at"]
        body = {
            "submission_id": self._submission(message),
            "assignment_id": None if name is None else self._asset(ASSIGNMENT, name),
            "user_id": self._user(message),
            "submitted_at": moment,
            "updated_at": moment,
            "workflow_state": "submitted",
        }
        return self._event(message, "submission_created", body)

    def _fact(self, message: Mapping[str, Any]) -> Json:
        match message["type"]:
            case "graded":
                return self._grade(message, message["graded_at"])
            case "progress":
                return self._progress(message)
            case "enrolled":
                return self._enrolment(message, "enrollment_created", "active")
            case _:
                return self._enrolment(message, "enrollment_updated", "deleted")

    def _enrolment(self, message: Mapping[str, Any], name: str, state: str) -> Json:
        body = {
            "course_id": self._course(message),
            "user_id": self._user(message),
            "type": ENROLMENTS[message.get("role") or "learner"],
            "workflow_state": state,
        }
        if (section := message.get("section")) is not None:
            body["course_section_id"] = _global(self._number("section", section))
        return self._event(message, name, body, by_a_job=True)

    def _grade(self, message: Mapping[str, Any], moment: str) -> Json:
        body = {
            "submission_id": self._submission(message),
            "assignment_id": self._asset(ASSIGNMENT, message["object"]),
            "student_id": self._user(message),
            "user_id": self._user(message),
            "grader_id": None,
            "grading_complete": True,
            "score": message["score"],
            "points_possible": 1,
        }
        return self._event({**message, "occurred_at": moment}, "grade_change", body, by_a_job=True)

    def _progress(self, message: Mapping[str, Any]) -> Json:
        progress = Fraction(message["progress"]).limit_denominator(_MOST_REQUIREMENTS)
        body = {
            "course": {"id": self._course(message)},
            "user": {"id": self._user(message)},
            "progress": {
                "requirement_completed_count": progress.numerator,
                "requirement_count": progress.denominator,
            },
        }
        return self._event(message, "course_progress", body, by_a_job=True)

    def _event(self, message: Mapping[str, Any], name: str, body: Json, by_a_job: bool = False) -> Json:
        metadata: Json = {
            "event_name": name,
            "event_time": message["occurred_at"],
            "producer": "canvas",
            "root_account_id": _global(1),
            "context_type": "Course",
            "context_id": self._course(message),
        }
        if (source := message.get("source")) is not None:
            metadata["hostname"] = source
        if by_a_job or message.get("actor") == "system":
            metadata["job_tag"] = "Homeroom.write"
            return {"metadata": metadata, "body": body}
        metadata["user_id"] = self._user(message)
        if (session := message.get("session")) is not None:
            metadata["session_id"] = session
        if (role := message.get("role")) is not None:
            metadata["context_role"] = ENROLMENTS[role]
        return {"metadata": metadata, "body": body}

    def _user(self, message: Mapping[str, Any]) -> str:
        return self._named("learner", message["learner"])

    def _course(self, message: Mapping[str, Any]) -> str:
        return self._named("course_run", message["course_run"])

    def _named(self, what: str, name: str) -> str:
        number = self._number(what, name)
        self.aliases[what][str(number)] = name
        return _global(number)

    def _asset(self, kind: str, name: str) -> str:
        number = self._number(kind, name)
        self.aliases["object"][f"{kind}/{number}"] = name
        return _global(number)

    def _submission(self, message: Mapping[str, Any]) -> str:
        names = (message["learner"], message["course_run"], message.get("object"))
        return _global(self._number("submission", repr(names)))

    def _number(self, what: str, name: str) -> int:
        """The number of a name; each kind of thing counts by itself."""
        key = (what, name)
        if key not in self._numbers:
            self._taken[what] += 1
            self._numbers[key] = self._taken[what]
        return self._numbers[key]


def _global(number: int) -> str:
    return f"{_SHARD}{number:0{SHARD_DIGITS}d}"
