"""Writes messages of the contract as events of Open edX's tracking log."""

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from sources.formats.adapter import Writer
from sources.formats.edx.events import OWN
from sources.formats.edx.messages import OWN_FIELDS

KINDS: Mapping[str, tuple[str, str, str]] = {
    "content": ("edx.ui.lms.sequence.next_selected", "browser", "id"),
    "page": ("edx.ui.lms.outline.selected", "browser", "target_url"),
    "resource": ("edx.ui.lms.link_clicked", "browser", "target_url"),
    "video": ("play_video", "browser", "id"),
    "forum": ("edx.forum.thread.viewed", "server", "id"),
    "quiz": ("problem_check", "server", "problem_id"),
    "submission": ("edx.special_exam.timed.attempt.submitted", "server", "exam_content_id"),
    "other": ("edx.course.tool.accessed", "server", "tool_name"),
}
"""Event, its source, and the key that names what it is about, by kind of activity."""

PATHS: Mapping[str, str] = {"home": "course", "wiki": "wiki"}
"""First part of a request's path after the course, by kind of activity: these have no events of their own."""

FACTS: Mapping[str, str] = {
    "enrolled": "edx.course.enrollment.activated",
    "withdrawn": "edx.course.enrollment.deactivated",
    "completed": "edx.certificate.created",
    "graded": "edx.grades.subsection.grade_calculated",
}
"""Event, by type of fact."""

Json = dict[str, Any]


class EdxTrackingWriter(Writer):
    """Writes events, with a part of the context of our own for what none of them has a place for."""

    limits: ClassVar[Mapping[str, str]] = {
        "tick": "the log has no clock: its events are written as they happen",
        "calendar": "dates are in the course's structure, not in its log",
        "progress": "the log has no share of the course that is done",
        "extension": "that somebody gets more time is no event of the log",
        "pause": "nobody pauses in Open edX",
        "merged": "no event says that two accounts are one person",
        "renamed": "a run keeps its key for ever",
        "completed": "a certificate says that somebody passed; no event says fail or distinction",
    }

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        kind = message["type"]
        if kind not in ("activity", *FACTS) or message.get("result", "pass") != "pass":
            return []
        name, source, fields = _activity(message) if kind == "activity" else _fact(message)
        event: Json = {
            "username": "",
            "event_type": name,
            "name": name,
            "event_source": source,
            "context": _context(message),
            "event": orjson.dumps(fields).decode() if source == "browser" else fields,
            "time": message["graded_at" if kind == "graded" else "occurred_at"],
        }
        if (session := message.get("session")) is not None:
            event["session"] = session
        return [orjson.dumps(event)]


def _activity(message: Mapping[str, Any]) -> tuple[str, str, Json]:
    kind, about, score = message["kind"], message.get("object"), message.get("score")
    if kind in PATHS:
        rest = "" if about is None else f"{about}/"
        return f"/courses/{message['course_run']}/{PATHS[kind]}/{rest}", "server", {}
    name, source, key = KINDS[kind]
    fields: Json = {} if about is None else {key: about}
    if kind == "quiz" and score is not None:
        fields |= {"grade": score, "max_grade": 1}
    return name, source, fields


def _fact(message: Mapping[str, Any]) -> tuple[str, str, Json]:
    kind = message["type"]
    fields: Json = {"user_id": message["learner"], "course_id": message["course_run"]}
    if kind == "enrolled" and message.get("track") is not None:
        fields["mode"] = message["track"]
    if kind == "graded":
        points = {"weighted_graded_earned": message["score"], "weighted_graded_possible": 1.0}
        fields |= {"block_id": message["object"], **points}
    return FACTS[kind], "server", fields


def _context(message: Mapping[str, Any]) -> Json:
    kind = message["type"]
    context: Json = {"user_id": message["learner"], "course_id": message["course_run"]}
    own = {name: message[name] for name in OWN_FIELDS.get(kind, ()) if message.get(name) is not None}
    if message.get("kind") == "quiz":
        own.pop("score", None)  # the problem's grade says it
    return context | {OWN: own} if own else context
