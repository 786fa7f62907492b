"""Writes messages of the contract as xAPI statements."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

import orjson

from sources.formats.adapter import Writer
from sources.formats.xapi.messages import OWN_FIELDS, PROGRESS, RESULT
from sources.formats.xapi.terms import (
    BASE,
    COURSE,
    FAILED,
    HOME_PAGE,
    SESSIONS,
    WAIVED,
    extension,
    iri_of,
    own_verb,
)

VERSION = "1.0.3"

_ADL = "http://adlnet.gov/expapi/"
_VIEWED = "http://id.tincanapi.com/verb/viewed"
_VIDEO_SESSION, _SESSION = SESSIONS[0], extension("session")
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")

KINDS: Mapping[str, tuple[str, str]] = {
    "home": (_VIEWED, "http://id.tincanapi.com/activitytype/site"),
    "content": (f"{_ADL}verbs/experienced", f"{_ADL}activities/lesson"),
    "page": (_VIEWED, "http://activitystrea.ms/schema/1.0/page"),
    "resource": ("http://id.tincanapi.com/verb/downloaded", f"{_ADL}activities/file"),
    "video": ("https://w3id.org/xapi/video/verbs/played", "https://w3id.org/xapi/video/activity-type/video"),
    "forum": (_VIEWED, "http://id.tincanapi.com/activitytype/discussion"),
    "wiki": (_VIEWED, "https://xapi.edlm/profiles/edlm-lms/concepts/activity-types/wiki"),
    "quiz": (f"{_ADL}verbs/attempted", f"{_ADL}activities/assessment"),
    "submission": (
        "http://activitystrea.ms/schema/1.0/submit",
        "http://id.tincanapi.com/activitytype/school-assignment",
    ),
    "other": (f"{_ADL}verbs/attended", f"{_ADL}activities/meeting"),
}
"""Verb and type of object, by kind of activity."""

FACTS: Mapping[str, str] = {
    "enrolled": f"{_ADL}verbs/registered",
    "withdrawn": "http://id.tincanapi.com/verb/unregistered",
    "completed": f"{_ADL}verbs/passed",
    "graded": f"{_ADL}verbs/scored",
    "progress": f"{_ADL}verbs/progressed",
    "extension": own_verb("rescheduled"),
    "pause": own_verb("paused"),
    "calendar": own_verb("scheduled"),
}
"""Verb, by type of fact; a fail and excused work have others."""

Json = dict[str, Any]


class XapiWriter(Writer):
    """Writes statements of xAPI 1.0.3, with extensions of our own for what no profile has."""

    limits: ClassVar[Mapping[str, str]] = {
        "tick": "a record store has no clock: its statements are sent as they happen",
        "merged": "no verb says that two actors are one person",
        "renamed": "no verb says that a course has another identifier from now on",
        "activity.learner": "a mail address is read back as its SHA-1, and so in every type",
        "enrolled.language": "only a language tag (RFC 5646) is one",
    }

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        kind = message["type"]
        if kind in self.limits:
            return []
        statement: Json = {
            "id": str(uuid5(NAMESPACE_URL, f"{BASE}{message.get('learner', '')}/{message['event_id']}")),
            "actor": _actor(message),
            "verb": _verb(message),
            "object": _object(message),
            "context": _context(message),
            "timestamp": message["graded_at" if kind == "graded" else "occurred_at"],
            "version": VERSION,
        }
        if result := _result(message):
            statement["result"] = result
        return [orjson.dumps(statement)]


def _actor(message: Mapping[str, Any]) -> Json:
    platform = message.get("platform")
    home_page = HOME_PAGE if platform is None else f"https://{platform}"
    name = message.get("learner", "homeroom")  # a calendar is nobody's act: whoever sends it says it
    return {"objectType": "Agent", "account": {"homePage": home_page, "name": name}}


def _verb(message: Mapping[str, Any]) -> Json:
    kind = message["type"]
    iri = KINDS[message["kind"]][0] if kind == "activity" else FACTS[kind]
    if kind == "completed" and message["result"] == "fail":
        iri = FAILED
    if kind == "extension" and message.get("excused") is True:
        iri = WAIVED
    return {"id": iri, "display": {"en": iri.rpartition("/")[2]}}


def _object(message: Mapping[str, Any]) -> Json:
    """The work or material that a message names; the course where it is about nothing less."""
    kind, name = message["type"], message.get("object")
    if kind == "activity":
        iri = f"{BASE}activities" if name is None else iri_of(name, "activities")
        return _activity(iri, KINDS[message["kind"]][1])
    if name is not None:
        return _activity(iri_of(name, "activities"), KINDS["quiz"][1])
    return _course(message)


def _activity(iri: str, kind: str) -> Json:
    return {"objectType": "Activity", "id": iri, "definition": {"type": kind}}


def _course(message: Mapping[str, Any]) -> Json:
    return _activity(iri_of(message["course_run"], "courses"), COURSE)


def _context(message: Mapping[str, Any]) -> Json:
    kind = message["type"]
    context: Json = {"contextActivities": {"parent": [_course(message)]}}
    extensions = {extension(name): message[name] for name in OWN_FIELDS.get(kind, ()) if name in message}
    if (session := message.get("session")) is not None:
        extensions[_VIDEO_SESSION if message["kind"] == "video" else _SESSION] = session
    if extensions:
        context["extensions"] = extensions
    if (source := message.get("source")) is not None:
        context["platform"] = source
    language = message.get("language")
    if language is not None and _LANGUAGE_TAG.fullmatch(language):
        context["language"] = language
    return context


def _result(message: Mapping[str, Any]) -> Json:
    kind = message["type"]
    result: Json = {}
    share = message.get("progress" if kind == "progress" else "score")
    if share is not None:
        result["score"] = {"scaled": share}
    if kind == "activity":
        if (seconds := message.get("duration_s")) is not None:
            result["duration"] = f"PT{Decimal(str(seconds)):f}S"
        if (progress := message.get("progress")) is not None:
            result["extensions"] = {PROGRESS: progress}
    if kind == "completed":
        result["success"] = message["result"] != "fail"
        result["extensions"] = {RESULT: message["result"]}
    return result
