"""Writes messages of the contract as events of Open edX's event bus, as the JSON of their Avro records."""

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from sources.formats.adapter import Writer
from sources.formats.edx.bus import TRACKING
from sources.formats.edx.tracking_writer import EdxTrackingWriter
from sources.formats.fields import content_id

TYPES: Mapping[str, str] = {
    "activity": "org.openedx.analytics.event_tracking.emitted.v1",
    "enrolled": "org.openedx.learning.course.enrollment.created.v1",
    "withdrawn": "org.openedx.learning.course.unenrollment.completed.v1",
    "completed": "org.openedx.learning.certificate.created.v1",
    "graded": "org.openedx.learning.course.persistent_subsection_grade.changed.v1",
}
"""Type of event, by type of message."""

Json = dict[str, Any]


class EdxEventBusWriter(Writer):
    """Writes events with the headers of the bus beside their data. Avro's schemas have no room for more."""

    limits: ClassVar[Mapping[str, str]] = {
        **EdxTrackingWriter.limits,
        "tick": "the bus has no clock: events are sent as they happen",
        "calendar": "the catalogue says when a run starts and ends, and nothing of what is due",
        "progress": "no event has the share of the course that is done",
        "extension": "that somebody gets more time is no event of the bus",
        "enrolled.timezone": "no event of an enrolment has it",
        "enrolled.role": "roles are given by events of their own",
        "enrolled.section": "cohorts have events of their own",
        "enrolled.language": "no event of an enrolment has it",
        "graded.attempt": "a subsection's grade is of all attempts",
        "graded.submission": "a subsection's grade is of all attempts",
    }

    def __init__(self) -> None:
        self._tracking = EdxTrackingWriter()

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        kind = message["type"]
        if kind not in TYPES or message.get("result", "pass") != "pass":
            return []
        attributes = {
            "ce_type": TYPES[kind],
            "ce_id": content_id(kind, message.get("learner", ""), message["event_id"]),
            "ce_time": message["graded_at" if kind == "graded" else "occurred_at"],
            "ce_source": "openedx/lms/web",
        }
        data = self._tracking_log(message) if kind == "activity" else _DATA[kind](message)
        return [orjson.dumps(attributes | data)]

    def _tracking_log(self, message: Mapping[str, Any]) -> Json:
        (record,) = self._tracking.write(message)
        event = orjson.loads(record)
        data = event["event"]
        context = event["context"] | {
            name: event[name] for name in ("event_source", "session") if name in event
        }
        texts = {
            "data": data if isinstance(data, str) else orjson.dumps(data).decode(),
            "context": orjson.dumps(context).decode(),
        }
        return {TRACKING: {"name": event["event_type"], "timestamp": event["time"], **texts}}


def _user(message: Mapping[str, Any]) -> Json:
    return {"id": message["learner"], "is_active": True, "pii": {"username": "", "email": "", "name": ""}}


def _course(message: Mapping[str, Any]) -> Json:
    return {"course_key": message["course_run"], "display_name": "", "start": None, "end": None}


def _enrollment(message: Mapping[str, Any]) -> Json:
    enrollment = {
        "user": _user(message),
        "course": _course(message),
        "mode": message.get("track") or "",
        "is_active": message["type"] == "enrolled",
        "creation_date": message["occurred_at"],
        "created_by": None,
    }
    return {"enrollment": enrollment}


def _certificate(message: Mapping[str, Any]) -> Json:
    certificate = {
        "user": _user(message),
        "course": _course(message),
        "mode": "",
        "grade": "",
        "download_url": "",
        "name": "",
        "current_status": "downloadable",
        "previous_status": "",
    }
    return {"certificate": certificate}


def _grade(message: Mapping[str, Any]) -> Json:
    grade = {
        "user_id": message["learner"],
        "course": _course(message),
        "usage_key": message["object"],
        "weighted_graded_earned": message["score"],
        "weighted_graded_possible": 1.0,
        "weighted_total_earned": message["score"],
        "weighted_total_possible": 1.0,
        "first_attempted": "",
        "visible_blocks": [],
    }
    return {"grade": grade}


_DATA = {
    "enrolled": _enrollment,
    "withdrawn": _enrollment,
    "completed": _certificate,
    "graded": _grade,
}
