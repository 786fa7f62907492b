"""Reads Canvas's Live Events in its Caliper format, by what they would be in the native one."""

from collections.abc import Mapping
from typing import Any, ClassVar

from sources.formats.adapter import AdapterOptions
from sources.formats.caliper.adapter import CaliperAdapter
from sources.formats.caliper.entities import MACHINES, iri_of, type_of
from sources.formats.caliper.events import Event as CaliperEvent
from sources.formats.caliper.messages import role_of
from sources.formats.canvas.adapter import CanvasAdapter
from sources.formats.canvas.events import ASSET_ACCESSED, Event, shard_of
from sources.formats.fields import optional_name
from sources.formats.properties import snake_case
from sources.formats.translation import Translation

CANVAS = "com.instructure.canvas"
"""The key of Canvas's extensions."""

URN = "urn:instructure:canvas:"
"""Before what Canvas names: ``urn:instructure:canvas:TYPE:ID``, and further types and ids within it."""

NAMES: Mapping[str, str] = {
    "NavigationEvent/NavigatedTo": ASSET_ACCESSED,
    "AssignableEvent/Submitted": "submission_created",
    "AssessmentEvent/Submitted": "quiz_submitted",
    "GradeEvent/Graded": "grade_change",
    "MessageEvent/Posted": "discussion_entry_created",
    "ThreadEvent/Created": "discussion_topic_created",
    "SessionEvent/LoggedIn": "logged_in",
    "SessionEvent/LoggedOut": "logged_out",
}
"""Native name, by type and action. Others are named by what was changed, as ``enrollment_updated``."""

_ENDINGS = {"Created": "created", "Modified": "updated", "Deleted": "deleted"}
_ROLES = {"learner": "StudentEnrollment", "staff": "TeacherEnrollment", "observer": "ObserverEnrollment"}


class CanvasCaliperAdapter(CaliperAdapter):
    """Live Events in Canvas's Caliper format (1.1): envelopes as those of `caliper`, with Canvas's own names
    (`urn:instructure:canvas:user:417`) and extensions (`com.instructure.canvas`).

    Each event is read as the native one that it was made of, by the vocabulary of [`canvas`](canvas.md), and
    gives the same names: the learner `417`, the run `52`, the work `assignment/355`. So a source may change
    from one format to the other, and a calendar fits both. What that page says of work, grades and enrolments
    holds here. What differs:

    - *meaning*: a `NavigationEvent` is `asset_accessed`, a `GradeEvent` `grade_change`; a plain `Event` is
      named by its object and action (`enrollment_created`). The level of an access is not sent, so that who
      edits a wiki page seems to read it.
    - `event_id`: the event's own `id`.
    - `learner`: the actor, the `assignee` of an attempt, or an enrolment's `user_id`. What is done without an
      account has the application as its actor, and is *anonymous*.
    - **ids**: the shard is that of the actor's root account; where that is not sent, as of grades, the
      course's.
    - **work**: a submission that is *Modified* is handed in again where the learner did it, and else
      *ignored*: the format does not say when it was submitted. Work without a `group` is *outside*.
    - There is no event of progress in modules.
    - a refusal names the field of the native event (`body.score`, `metadata.event_time`).

    **To publish**: as for `canvas`; choose the Caliper format in the data stream's settings.
    """

    name: ClassVar[str] = "canvas-caliper"
    description: ClassVar[str] = "Canvas Live Events in the Caliper 1.1 format, with Canvas's extensions"
    vocabulary_name: ClassVar[str] = "canvas"

    def __init__(self, options: AdapterOptions | None = None) -> None:
        """See :class:`Adapter`."""
        super().__init__(options)
        self._native = CanvasAdapter(options)

    def _read_event(self, event: CaliperEvent, into: Translation) -> None:
        self._native.take(native(event), into)


def native(event: CaliperEvent) -> Event:
    """The native event that an event was made of."""
    found, name = event.found, _name(event)
    actor, group, own = found.get("actor"), found.get("group"), _extensions(found)
    course = _id(group)
    metadata = {
        "event_time": found.get("eventTime"),
        "user_id": None if type_of(actor) in MACHINES else _id(actor),
        "context_type": _extensions(group).get("context_type", "Course"),
        "context_id": course,
        "context_role": _ROLES.get(role_of(event.membership()) or ""),
        "session_id": _id(found.get("session")),
        "hostname": own.get("hostname"),
    }
    root = optional_name(_extensions(actor).get("root_account_id")) or course
    return Event(name, metadata, _body(event, name), shard_of(root), event.event_id())


def _name(event: CaliperEvent) -> str:
    name = NAMES.get(event.name)
    if name is not None:
        return name
    _, _, action = event.name.partition("/")
    ending, iri = _ENDINGS.get(action), iri_of(event.thing) or ""
    if ending is None or not iri.startswith(URN):
        return event.name
    return f"{snake_case(iri[len(URN) :].partition(':')[0])}_{ending}"


def _body(event: CaliperEvent, name: str) -> dict[str, Any]:
    """The body of the native event: what the extensions of the object say, and what has places of its own."""
    thing, attempt = event.thing, event.attempt()
    body = {field: _without_urn(value) for field, value in _extensions(thing).items()}
    match name:
        case "asset_accessed":
            body["asset_id"] = _id(thing)
        case "submission_created" | "submission_updated" | "grade_change":
            generated = event.found.get("generated")
            score = generated if isinstance(generated, dict) else {}
            body |= {
                "submission_id": _id(thing),
                "assignment_id": _id(attempt.get("assignable")),
                "user_id": _id(attempt.get("assignee")),
                "submitted_at": _submitted_at(event, attempt),
                "score": score.get("scoreGiven"),
                "points_possible": score.get("maxScore"),
            }
        case "quiz_submitted":
            body["quiz_id"] = _id(attempt.get("assignable"))
        case "discussion_entry_created":
            body["discussion_topic_id"] = _id(thing.get("isPartOf") if isinstance(thing, dict) else None)
        case "discussion_topic_created":
            body["discussion_topic_id"] = _id(thing)
    return body


def _submitted_at(event: CaliperEvent, attempt: Mapping[str, Any]) -> Any:
    """When work was handed in; None for a change by somebody else."""
    if event.name == "AssignableEvent/Submitted":
        return attempt.get("dateCreated") or event.found.get("eventTime")
    by_the_learner = _id(event.found.get("actor")) == _id(attempt.get("assignee"))
    return (attempt.get("dateModified") or event.found.get("eventTime")) if by_the_learner else None


def _extensions(entity: Any) -> Mapping[str, Any]:
    """Canvas's extensions of an entity or event; empty where there are none."""
    extensions = entity.get("extensions") if isinstance(entity, dict) else None
    found = extensions.get(CANVAS) if isinstance(extensions, dict) else None
    return found if isinstance(found, dict) else {}


def _id(entity: Any) -> Any:
    """Canvas's id of an entity: of a section's group that of its course, as the extensions say."""
    own = _extensions(entity).get("entity_id")
    return _without_urn(iri_of(entity)) if own is None else own


def _without_urn(found: Any) -> Any:
    """The last id of one of Canvas's names; anything else as it is."""
    return found[found.rfind(":") + 1 :] if isinstance(found, str) and found.startswith(URN) else found
