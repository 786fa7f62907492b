"""Segment: calls of the Spec (track, page, screen, …), and the same written from our own messages."""

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from sources.formats.adapter import Adapter, AdapterOptions, Writer
from sources.formats.fields import as_object, child, content_id, moment_in_utc, name_of, parse_json
from sources.formats.properties import (
    COURSE_NAMES,
    FILL,
    Properties,
    fill_activity,
    in_snake_case,
    named,
    properties_of,
    snake_case,
)
from sources.formats.records import RawRecord
from sources.formats.translation import InvalidFieldError, Message, Translation
from sources.formats.vocabulary import IGNORED

CALLS = ("track", "page", "screen", "identify", "group", "alias")
"""Types of calls. The last three say who somebody is, which is no act in a course."""
_NO_ACTS = frozenset(CALLS[3:])

TIMES = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
"""When a call was made, the best first: Segment's time without the device's error, the device's own, …"""
_OF_A_BATCH = ("sentAt", "receivedAt", "context")

_MAX_CACHED = 10_000


class SegmentAdapter(Adapter):
    """Calls of Segment's Spec, and of what speaks it (RudderStack, Jitsu, Customer.io): one, an array, or a
    request with many (`{"batch": […]}`).

    - *meaning*: of a `track` call by its `event`, in any style of case (*Video Playback Started*,
      `video_playback_started`). A `page` or `screen` call is looked up as Segment's own destinations name it:
      `viewed_{name}_page`, `viewed_{category}_page`, `viewed_page`.
    - `learner`: `userId`. A call with nothing but an `anonymousId` is *anonymous*.
    - `course_run`: `properties.course_run`, `course_id`, `course_key` or `course`. Names of properties are in
      any case: `courseId` and *Course ID* are the same. A call without one is *outside*. `context.groupId` is
      a company or a school to Segment, and is not read.
    - `object`: `properties.object`, `assessment_id`, `assignment_id`, `quiz_id`, `exam_id`, else `video_id`,
      `asset_id`, `content_asset_ids`, `lesson_id`, `block_id`, `resource_id`, `discussion_id`, `thread_id`,
      `module_id`; of a page its `path`. Grades, extensions and hand-ins have to use the same name.
    - `occurred_at`: `timestamp`, else `originalTimestamp`, `sentAt`, `receivedAt`; in UTC where they have no
      zone, as the Spec says.
    - `event_id`: `messageId`; else a digest of the call.
    - `score`: `properties.score` of `max_score`, else a share; `score_percent` is percent. Points without
      their maximum are refused, not guessed.
    - `session`: `properties.session_id` (a playback's), else `context.sessionId`. `duration_s`:
      `properties.duration_s`; the video's `total_length` is none. `source`: `context.app.name`.
    - `role`: `properties.role`, else `context.traits.role`, where it is one of a course (*instructor*,
      *student*, …). Time zone and language of an enrolment: `context.timezone` and `context.locale`.

    **Ignored**: what Segment or a campaign does (*Experiment Viewed*, *Email Opened*, ads, pushes), what a
    player does by itself (*Video Content Playing*, buffers), and `identify`, `group` and `alias`: traits are
    personal data that no estimate uses. An alias merges no accounts here: publish `merged` for that.

    **To publish**: add a Kafka destination to the workspace with the whole event as its message, `userId` as
    key. Events that are not in the vocabulary count as *other*; name them in the source's `vocabulary`.
    """

    name: ClassVar[str] = "segment"
    description: ClassVar[str] = "Segment calls: track, page, screen; single, in arrays or batches"

    def __init__(self, options: AdapterOptions | None = None) -> None:
        """See :class:`Adapter`; the options' names may be in any case, too."""
        options = options or AdapterOptions()
        own = {name if "*" in name else snake_case(name): each for name, each in options.vocabulary.items()}
        super().__init__(AdapterOptions(options.platform, own, options.aliases))
        self._meanings: dict[tuple[Any, ...], tuple[str, str | None]] = {}

    def read(self, record: RawRecord, into: Translation) -> None:
        """Translate a call, or each of many."""
        document = parse_json(record.value)
        if isinstance(document, list):
            self.attempt_each(into, "", self._read_call, document)
        elif isinstance(document, dict) and "batch" in document:
            calls = document["batch"]
            if not isinstance(calls, list):
                raise InvalidFieldError("batch", calls, "an array of calls", "malformed")
            shared = {name: document[name] for name in _OF_A_BATCH if name in document}
            if shared:
                calls = [{**shared, **call} if isinstance(call, dict) else call for call in calls]
            self.attempt_each(into, "batch", self._read_call, calls)
        else:
            self._read_call(as_object(document, "value"), into)

    def _read_call(self, found: Any, into: Translation) -> None:
        call = as_object(found, "")
        name, meaning = self._meaning(call)
        if meaning == IGNORED:
            into.count(name, "ignored")
            return
        user = call.get("userId")
        if user is None or user == "":
            into.count(name, "anonymous")
            return
        properties = in_snake_case(as_object(call.get("properties") or {}, "properties"))
        course_run = named(properties, COURSE_NAMES, "properties")
        if course_run is None:
            into.count(name, "outside")
            return
        message: Message = {
            "type": "activity",
            "event_id": _event_id(call),
            "learner": name_of(user, "userId"),
            "course_run": course_run,
            "occurred_at": _occurred_at(call),
        }
        _fill(call, properties, message, meaning)
        into.messages.append(message)
        into.count(name, "unknown" if meaning is None else "translated")

    def _meaning(self, call: Mapping[str, Any]) -> tuple[str, str | None]:
        """The name that a call is counted by, and what it means.

        Raises:
            InvalidFieldError: it has no type of the Spec, or is a track call without an event.
        """
        kind, properties = call.get("type"), call.get("properties")
        event = call.get("event" if kind == "track" else "name")
        category = call.get("category")
        if category is None and kind != "track" and isinstance(properties, dict):
            category = properties.get("category")
        key = (kind, event, category) if kind != "track" else (kind, event)
        try:
            return self._meanings[key]
        except (KeyError, TypeError):  # a type error: one of them is no text
            result = self._looked_up(kind, event, category)
            if all(part is None or isinstance(part, str) for part in key):
                if len(self._meanings) >= _MAX_CACHED:
                    self._meanings.clear()
                self._meanings[key] = result
            return result

    def _looked_up(self, kind: Any, event: Any, category: Any) -> tuple[str, str | None]:
        if not isinstance(kind, str) or kind not in CALLS:
            raise InvalidFieldError("type", kind, f"one of {', '.join(CALLS)}")
        if kind in _NO_ACTS:
            return kind, IGNORED
        if kind == "track":
            if not isinstance(event, str) or not event.strip():
                raise InvalidFieldError("event", event, "the name of an event")
            name = snake_case(event)
            return name, self.vocabulary.meaning(name)
        parts = [snake_case(part) for part in (event, category) if isinstance(part, str) and part.strip()]
        return kind, self.vocabulary.find(*(f"viewed_{part}_page" for part in parts), "viewed_page")


def _event_id(call: Mapping[str, Any]) -> str:
    found = call.get("messageId")
    return content_id(repr(call)) if found is None or found == "" else name_of(found, "messageId")


def _occurred_at(call: Mapping[str, Any]) -> str:
    """The first of the call's times.

    Raises:
        InvalidFieldError: it has none, or that is no moment.
    """
    for name in TIMES:
        found = call.get(name)
        if found is not None and found != "":
            return moment_in_utc(found, name)
    raise InvalidFieldError("timestamp", None, "a moment (ISO 8601)")


def _fill(call: Mapping[str, Any], properties: Properties, message: Message, meaning: str | None) -> None:
    context = call.get("context")
    if isinstance(context, dict):
        properties = _with_context(context, properties, message, meaning)
    if meaning is not None and meaning in FILL:
        message["type"] = meaning
        FILL[meaning](properties, message, "properties")
        return
    session = properties.get("session_id")
    if session is not None and session != "":
        message["session"] = name_of(session, "properties.session_id")
    fill_activity(properties, message, meaning or "other", "properties")
    path = properties.get("path")
    if call["type"] != "track" and "object" not in message and isinstance(path, str) and path.strip():
        message["object"] = name_of(path, "properties.path")


def _with_context(
    context: Mapping[str, Any], properties: Properties, message: Message, meaning: str | None
) -> Properties:
    """The properties, and what the context adds to them; it also says the source."""
    application = child(context, "app", "name")
    if isinstance(application, str) and application.strip():
        message["source"] = name_of(application, "context.app.name")
    added = {}
    if (session := context.get("sessionId")) is not None:
        added["session_id"] = session
    if "traits" in context and (role := child(context, "traits", "role")) is not None:
        added["role"] = role
    if meaning == "enrolled":
        added |= {"timezone": context.get("timezone"), "language": context.get("locale")}
    return {**added, **properties} if added else properties


KINDS: Mapping[str, str] = {
    "home": "Course Viewed",
    "content": "Lesson Viewed",
    "resource": "Resource Downloaded",
    "video": "Video Playback Started",
    "forum": "Discussion Viewed",
    "wiki": "Wiki Viewed",
    "quiz": "Quiz Started",
    "submission": "Assignment Submitted",
    "other": "Live Session Joined",
}
"""Event, by kind of activity; a sub-page is a page call."""

FACTS: Mapping[str, str] = {
    "enrolled": "Course Enrolled",
    "withdrawn": "Course Unenrolled",
    "completed": "Course Completed",
    "graded": "Assignment Graded",
    "progress": "Course Progress Updated",
    "extension": "Deadline Extended",
    "pause": "Course Paused",
    "calendar": "Course Scheduled",
}
"""Event, by type of fact."""

_CONTEXT = {"timezone": "timezone", "language": "locale"}


class SegmentWriter(Writer):
    """Writes track and page calls, as a server's library sends them."""

    limits: ClassVar[Mapping[str, str]] = {
        "tick": "calls are sent as they happen; there is no clock",
        "merged": "an alias is for all of a workspace, and names no moment from which it holds",
        "renamed": "the Spec has no call about a course",
        "activity.platform": "a workspace is one platform; give it to the source. So in every type",
    }

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        kind = message["type"]
        if kind != "activity" and kind not in FACTS:
            return []
        call: dict[str, Any] = {
            "messageId": message["event_id"],
            "timestamp": message["graded_at" if kind == "graded" else "occurred_at"],
            "userId": message.get("learner", "homeroom"),  # a calendar is nobody's act: its sender's
        }
        properties = properties_of(message)
        context: dict[str, Any] = {"library": {"name": "homeroom", "version": "1"}}
        for name, place in _CONTEXT.items():
            if name in properties:
                context[place] = properties.pop(name)
        if (source := message.get("source")) is not None:
            context["app"] = {"name": source}
        if (session := properties.pop("session", None)) is not None:
            properties["session_id"] = session
        if kind == "activity" and message["kind"] == "page":
            call |= {"type": "page", "name": "Course"}
        else:
            call |= {"type": "track", "event": KINDS[message["kind"]] if kind == "activity" else FACTS[kind]}
        return [orjson.dumps(call | {"properties": properties, "context": context})]
