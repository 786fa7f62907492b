"""Writes messages of the contract as Caliper events."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

import orjson

from sources.formats.adapter import Writer
from sources.formats.caliper.entities import EXTENSION, OWN, own_iri
from sources.formats.caliper.messages import OWN_FIELDS, UNITS

VERSION = "http://purl.imsglobal.org/ctx/caliper/v1p2"
TYPES = "https://homeroom.example/caliper/v1/"
"""Before types of events and entities that the standard does not have."""

KINDS: Mapping[str, tuple[str, str, str]] = {
    "home": ("NavigationEvent", "NavigatedTo", "CourseSection"),
    "content": ("ViewEvent", "Viewed", "Page"),
    "page": ("NavigationEvent", "NavigatedTo", "DigitalResourceCollection"),
    "resource": ("ResourceManagementEvent", "Downloaded", "Document"),
    "video": ("MediaEvent", "Started", "VideoObject"),
    "forum": ("ThreadEvent", "MarkedAsRead", "Thread"),
    "wiki": ("ViewEvent", "Viewed", f"{TYPES}WikiPage"),
    "quiz": ("AssessmentEvent", "Started", "Assessment"),
    "submission": ("AssignableEvent", "Submitted", "AssignableDigitalResource"),
    "other": ("ToolUseEvent", "Used", "SoftwareApplication"),
}
"""Type, action and type of the object, by kind of activity."""

FACTS: Mapping[str, tuple[str, str]] = {
    "enrolled": ("Event", "Added"),
    "withdrawn": ("Event", "Removed"),
    "completed": ("Event", "Completed"),
    "graded": ("GradeEvent", "Graded"),
    "progress": ("Event", "Modified"),
    "extension": (f"{TYPES}ExtensionEvent", "Modified"),
    "pause": (f"{TYPES}PauseEvent", "Paused"),
    "calendar": (f"{TYPES}CalendarEvent", "Modified"),
}
"""Type and action, by type of fact."""

MEMBERSHIP_ROLES: Mapping[str, str] = {"learner": "Learner", "staff": "Instructor", "observer": "Mentor"}
"""Role of a membership, by role; the others are extensions of our own."""

_MACHINE = {"id": f"{OWN}homeroom", "type": "SoftwareApplication"}

Json = dict[str, Any]


class CaliperWriter(Writer):
    """Writes envelopes of version 1.2, each with one event."""

    limits: ClassVar[Mapping[str, str]] = {
        "tick": "events are sent as they happen; there is no clock",
        "merged": "no action says that two people are one",
        "renamed": "no action says that a course has another identifier from now on",
        "activity.platform": "a sensor is one platform; give it to the source. So in every type",
    }

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        kind = message["type"]
        if kind in self.limits:
            return []
        moment = message["graded_at" if kind == "graded" else "occurred_at"]
        event = _event(message, moment)
        envelope = {"sensor": f"{OWN}homeroom", "sendTime": moment, "dataVersion": VERSION, "data": [event]}
        return [orjson.dumps(envelope)]


def _event(message: Mapping[str, Any], moment: str) -> Json:
    kind = message["type"]
    name, action = KINDS[message["kind"]][:2] if kind == "activity" else FACTS[kind]
    of_somebody = f"{OWN}events:{message.get('learner', '')}/{message['event_id']}"
    event: Json = {
        "@context": VERSION,
        "id": uuid5(NAMESPACE_URL, of_somebody).urn,
        "type": name,
        "actor": _MACHINE if kind in ("graded", "calendar") else _person(message),
        "action": action,
        "object": _thing(message),
        "eventTime": moment,
        "group": _course(message),
    }
    if kind == "graded":
        event["generated"] = {
            "id": f"{event['id']}#score",
            "type": "Score",
            "scoreGiven": message["score"],
            "maxScore": 1,
        }
    if kind == "activity" and message.get("role") in MEMBERSHIP_ROLES:
        event["membership"] = _membership(message)
    if (session := message.get("session")) is not None:
        event["session"] = {"id": own_iri("sessions", session), "type": "Session"}
    if (source := message.get("source")) is not None:
        event["edApp"] = {"id": own_iri("apps", source), "type": "SoftwareApplication"}
    if own := _own(message):
        event["extensions"] = {EXTENSION: own}
    return event


def _person(message: Mapping[str, Any]) -> Json:
    return {"id": own_iri("people", message["learner"]), "type": "Person"}


def _course(message: Mapping[str, Any]) -> Json:
    return {"id": own_iri("courses", message["course_run"]), "type": "CourseSection"}


def _membership(message: Mapping[str, Any]) -> Json:
    membership = {
        "id": own_iri("memberships", None),
        "type": "Membership",
        "member": _person(message),
        "organization": _course(message),
        "status": "Inactive" if message["type"] == "withdrawn" else "Active",
    }
    role = MEMBERSHIP_ROLES.get(message.get("role") or "")
    return membership if role is None else {**membership, "roles": [role]}


def _thing(message: Mapping[str, Any]) -> Json:
    """The object of an event."""
    kind = message["type"]
    if kind == "activity":
        return _entity(message, KINDS[message["kind"]][2])
    if kind in ("enrolled", "withdrawn"):
        return _membership(message)
    if kind == "graded":
        return _attempt(message)
    if kind == "progress":
        measure = {"metric": UNITS, "metricValue": message["progress"], "maxMetricValue": 1}
        return {"id": own_iri("measures", None), "type": "AggregateMeasure", **measure}
    return _entity(message, "AssignableDigitalResource") if kind == "extension" else _course(message)


def _entity(message: Mapping[str, Any], kind: str) -> Json:
    """The work or material that a message names; one without a name where it names none."""
    return {"id": own_iri("objects", message.get("object")), "type": kind}


def _attempt(message: Mapping[str, Any]) -> Json:
    attempt = {
        "id": own_iri("attempts", message.get("submission")),
        "type": "Attempt",
        "assignee": _person(message),
        "assignable": _entity(message, "AssignableDigitalResource"),
    }
    count = message.get("attempt")
    return attempt if count is None else {**attempt, "count": count}


def _own(message: Mapping[str, Any]) -> Json:
    """Our own extensions. A null is left out, except the open end of a pause."""
    fields = {
        name: message[name]
        for name in OWN_FIELDS.get(message["type"], ())
        if message.get(name) is not None or (name == "until_at" and name in message)
    }
    if fields.get("role") in MEMBERSHIP_ROLES:
        del fields["role"]
    return fields
