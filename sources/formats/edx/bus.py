"""Reads events of Open edX's event bus, decoded to JSON."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from schemas.fields import shorten
from sources.formats.adapter import Adapter, AdapterOptions
from sources.formats.edx.messages import first_attempt, grade_of
from sources.formats.edx.tracking import EdxTrackingAdapter
from sources.formats.fields import (
    child,
    content_id,
    header,
    moment_in_utc,
    optional_name,
    parse_object,
)
from sources.formats.records import RawRecord
from sources.formats.translation import InvalidFieldError, Message, Translation
from sources.formats.vocabulary import FACTS, IGNORED

TRACKING = "tracking_log"
"""Key of an event that wraps one of the tracking log."""

_USERS = ("user", "student_user")
_OBJECT_KEYS = ("usage_key", "location", "id")


class EdxEventBusAdapter(Adapter):
    """Events of Open edX's event bus (openedx-events on Kafka), as the JSON of their Avro records.

    The bus writes Avro with a schema registry: read it as `registry+edx-event-bus`, which decodes it.

    - *meaning*: by the header `ce_type`, such as `org.openedx.learning.course.enrollment.created.v1`.
    - `event_id`: the header `ce_id`; a digest of the record where there is none.
    - `learner`: the `id` of the event's user, or its `user_id`. Names and mail addresses are not read.
    - `course_run`: the event's `course.course_key`, `course_key` or `course_id`. Without one it is *outside*.
    - `object`: the `usage_key` or `location` of a block, the `id` of a thread.
    - `occurred_at`: the header `ce_time`, else the record's own date of creation; in UTC where it has no
      offset.
    - `source`: the header `ce_source`.

    Headers that a shipper has put into the record, beside its data, are read there.

    `org.openedx.analytics.event_tracking.emitted.v1` wraps an event of the tracking log, whose data and
    context are JSON texts: what holds for `edx-tracking` holds for it, with that format's vocabulary. Read
    one of the two, the log or the bus, since their ids differ.

    An enrolment that `changed` is one or a withdrawal, by its `is_active`. A **subsection's grade** is a
    grade of the subsection's block, and its first attempt is the hand-in, as in the tracking log. A
    **certificate** is a pass where it is *downloadable*. The grade of the whole course, and whether it would
    be enough by now, change all the time and are not read.

    **To publish**: let the bus produce to Kafka, and list its topics.
    """

    name: ClassVar[str] = "edx-event-bus"
    description: ClassVar[str] = (
        "Open edX's event bus: openedx-events as JSON; from Avro as registry+edx-event-bus"
    )

    def __init__(self, options: AdapterOptions | None = None) -> None:
        """See :class:`Adapter`."""
        super().__init__(options)
        self._tracking = EdxTrackingAdapter(AdapterOptions(vocabulary=self.options.vocabulary))

    def read(self, record: RawRecord, into: Translation) -> None:
        """Translate an event."""
        document = parse_object(record.value)
        kind = _attribute(record, document, "ce_type")
        if not isinstance(kind, str) or not kind:
            raise InvalidFieldError("headers.ce_type", kind, "the type of an event")
        event_id = optional_name(_attribute(record, document, "ce_id")) or content_id(
            kind, record.value or b""
        )
        if isinstance(document.get(TRACKING), dict):
            self._tracking.read_event(_tracking_event(document[TRACKING]), shorten(event_id), into)
            return
        meaning = self.vocabulary.meaning(kind)
        if meaning == IGNORED:
            into.count(kind, "ignored")
            return
        data = _data(document)
        course_run, learner = _course_run(data), _learner(data)
        if course_run is None or learner is None:
            into.count(kind, "outside" if course_run is None else "anonymous")
            return
        message: Message = {
            "type": "activity",
            "event_id": shorten(event_id),
            "learner": learner,
            "course_run": course_run,
            "occurred_at": _occurred_at(_attribute(record, document, "ce_time"), data),
        }
        source = optional_name(_attribute(record, document, "ce_source"))
        if source is not None:
            message["source"] = source
        is_told = _FILL.get(meaning or "", _activity)(data, message, meaning)
        if is_told:
            hand_in = first_attempt(data, message, "grade") if message["type"] == "graded" else None
            into.messages += [message] if hand_in is None else [hand_in, message]
        into.count(kind, "unknown" if meaning is None else "translated" if is_told else "ignored")


def _data(document: dict[str, Any]) -> dict[str, Any]:
    """What an event says: the one record within it, whose name differs from event to event."""
    records = [value for name, value in document.items() if isinstance(value, dict)]
    if len(records) != 1:
        raise InvalidFieldError("value", sorted(document), "a record of openedx-events")
    return dict(records[0])


def _tracking_event(found: dict[str, Any]) -> dict[str, Any]:
    """An event of the tracking log as that log has it.

    Raises:
        InvalidFieldError: its data or its context is not the JSON of an object.
    """
    data, context = (_object_of(found.get(name), f"{TRACKING}.{name}") for name in ("data", "context"))
    return {
        "event_type": found.get("name"),
        "name": found.get("name"),
        "time": found.get("timestamp"),
        "event_source": context.get("event_source", "server"),
        "session": context.get("session"),
        "page": context.get("page"),
        "context": context,
        "event": data,
    }


def _object_of(found: Any, field: str) -> dict[str, Any]:
    if found is None or found == "":
        return {}
    return (
        found if isinstance(found, dict) else parse_object(found if isinstance(found, str) else None, field)
    )


def _course_run(data: Mapping[str, Any]) -> str | None:
    for found in (child(data, "course", "course_key"), data.get("course_key"), data.get("course_id")):
        if (name := optional_name(found)) is not None:
            return name
    return None


def _learner(data: Mapping[str, Any]) -> str | None:
    for key in _USERS:
        if (name := optional_name(child(data, key, "id"))) is not None:
            return name
    return optional_name(data.get("user_id"))


def _attribute(record: RawRecord, document: Mapping[str, Any], name: str) -> Any:
    found = header(record.headers, name)
    return document.get(name) if found is None else found


def _occurred_at(found: Any, data: Mapping[str, Any]) -> str:
    if found is not None:
        return moment_in_utc(found, "headers.ce_time")
    return moment_in_utc(data.get("creation_date", data.get("created_at")), "headers.ce_time")


def _activity(data: Mapping[str, Any], message: Message, meaning: str | None) -> bool:
    message["kind"] = meaning if meaning is not None and meaning not in FACTS else "other"
    for key in _OBJECT_KEYS:
        if (name := optional_name(data.get(key))) is not None:
            message["object"] = name
            break
    return True


def _enrolled(data: Mapping[str, Any], message: Message, _: str | None) -> bool:
    if data.get("is_active") is False:
        message["type"] = "withdrawn"
        return True
    message["type"] = "enrolled"
    if (mode := optional_name(data.get("mode"))) is not None:
        message["track"] = mode
    return True


def _withdrawn(_: Mapping[str, Any], message: Message, __: str | None) -> bool:
    message["type"] = "withdrawn"
    return True


def _completed(data: Mapping[str, Any], message: Message, _: str | None) -> bool:
    message["type"], message["result"] = "completed", "pass"
    return data.get("current_status") == "downloadable"


def _graded(data: Mapping[str, Any], message: Message, _: str | None) -> bool:
    name = optional_name(data.get("usage_key"))
    if name is None:
        raise InvalidFieldError("grade.usage_key", data.get("usage_key"), "the graded subsection")
    score = grade_of(data, "grade")
    if score is None:
        return False  # a subsection without points that count
    message["type"], message["object"], message["score"] = "graded", name, score
    message["graded_at"] = message.pop("occurred_at")
    return True


_FILL: Mapping[str, Callable[[Mapping[str, Any], Message, str | None], bool]] = {
    "enrolled": _enrolled,
    "withdrawn": _withdrawn,
    "completed": _completed,
    "graded": _graded,
}
"""Fill in a fact, by type of message. False where it turns out to say nothing."""
