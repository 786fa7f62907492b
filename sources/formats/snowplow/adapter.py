"""Reads Snowplow's enriched events."""

from abc import abstractmethod
from functools import lru_cache
from typing import Any, ClassVar

from sources.formats.adapter import Adapter, AdapterOptions
from sources.formats.fields import content_id, moment_in_utc, name_of, optional_name
from sources.formats.properties import COURSE_NAMES, FILL, fill_activity, in_snake_case, named, snake_case
from sources.formats.records import RawRecord
from sources.formats.snowplow.entities import (
    Attached,
    attached,
    course_in,
    of_structured_event,
    part_in,
    path_of,
)
from sources.formats.snowplow.events import TIMES, EnrichedEvent, JsonEvent, TsvEvent
from sources.formats.translation import InvalidFieldError, Message, Translation
from sources.formats.vocabulary import IGNORED, vocabulary_of

VOCABULARY = "snowplow"
"""Both forms share one."""

EVENTS = ("page_view", "page_ping", "struct", "unstruct", "transaction", "transaction_item", "ad_impression")
"""Values of ``event``."""

DATA = "data"
"""Of the event, its entities or a structured event's value: before the field in a refusal."""


class _SnowplowAdapter(Adapter):
    """What is the same in both forms."""

    def __init__(self, options: AdapterOptions | None = None) -> None:
        """See :class:`Adapter`."""
        super().__init__(options)
        self.vocabulary = vocabulary_of(VOCABULARY, self.options.vocabulary)

    @abstractmethod
    def event_of(self, record: RawRecord) -> EnrichedEvent:
        """The event of a record.

        Raises:
            InvalidFieldError: it is none.
        """

    def read(self, record: RawRecord, into: Translation) -> None:
        """Translate an event."""
        event = self.event_of(record)
        atomic = event.atomic
        name, data = _name_of(event)
        meaning = self.vocabulary.meaning(name)
        if meaning == IGNORED:
            into.count(name, "ignored")
            return
        user = atomic.get("user_id")
        if user is None or user == "":
            into.count(name, "anonymous")
            return
        found = attached(event.entities())
        if found.by_machine or _is_robot(atomic.get("br_type")):
            into.count(name, "ignored")
            return
        properties = found.properties
        if atomic["event"] == "struct":
            properties |= of_structured_event(atomic)
        if isinstance(data, dict):
            properties |= in_snake_case(data)
        course_run = named(properties, COURSE_NAMES, DATA) or course_in(path_of(atomic.get("page_url")))
        if course_run is None:
            into.count(name, "outside")
            return
        message: Message = {
            "type": "activity",
            "event_id": _event_id(record, atomic.get("event_id")),
            "learner": name_of(user, "user_id"),
            "course_run": course_run if len(course_run) <= 128 else name_of(course_run, "page_url"),
            "occurred_at": _occurred_at(event),
        }
        _fill(event, found, message, meaning)
        into.messages.append(message)
        into.count(name, "unknown" if meaning is None else "translated")


class SnowplowAdapter(_SnowplowAdapter):
    """Snowplow's enriched events as they lie in its stream: tab-separated values, 131 columns or more.
    `snowplow-json` is the same in the JSON of its analytics SDKs.

    - *meaning*: of a self-describing event by its schema, as the SDKs write it and without its version
      (`com_snowplowanalytics_snowplow_media_play_event`); of a structured one by `category/action`; of
      others by `event`.
    - `learner`: `user_id`. `domain_userid` and `network_userid` are of a browser: *anonymous*.
    - `course_run`: `course_run`, `course_id` or `course_key` of the event itself or of an entity whose schema
      is called *course* (its `id` will do); else what follows `/courses/` in the path of `page_url`.
    - `object`: of the event or of our entity *learning_activity*; of a structured event its `se_label`, of a
      video the player's `label`, of a page its path below the course's.
    - `occurred_at`: `true_tstamp`, else `derived_tstamp`, else `collector_tstamp`; all of them are in UTC.
    - `event_id`: `event_id`. Snowplow may deliver an event twice: with one id it is counted once.
    - `score`, `progress`: of the event or entity; `se_value` of a structured event whose `se_property` is
      `score`, `score_percent`, `progress`, `course_progress` or `duration_s`.
    - `session`: `domain_sessionid`. `source`: `app_id`. Time zone and language of an enrolment:
      `os_timezone`, `br_lang`.

    **Ignored**: a `page_ping` and a media `ping_event` say that somebody is still there, every few seconds;
    their page view or play is the act. Whoever wants them counted gives them a meaning in the source's
    `vocabulary`. So are ads, performance and errors, and **machines**: where the IAB, YAUAA or bot detection
    enrichment says so. Without one of these enrichments robots that are signed in count as learners.

    **Grades and enrolments** have no standard schema: `examples/snowplow/schemas` has ours, for an Iglu
    registry; another vendor's go into the source's `vocabulary` by their names.

    **To publish**: let Snowbridge or Enrich write the enriched stream to Kafka, keyed by `user_id`.
    """

    name: ClassVar[str] = "snowplow"
    description: ClassVar[str] = "Snowplow enriched events, tab-separated"

    def event_of(self, record: RawRecord) -> EnrichedEvent:
        """See :class:`_SnowplowAdapter`."""
        return TsvEvent(record.value)


class SnowplowJsonAdapter(_SnowplowAdapter):
    """Snowplow's enriched events in the JSON of its analytics SDKs, as Snowbridge's `spEnrichedToJson` makes
    it: a key for each column, `unstruct_event_…` and `contexts_…` for each schema. Everything else is as in
    `snowplow`, the vocabulary included.
    """

    name: ClassVar[str] = "snowplow-json"
    description: ClassVar[str] = "Snowplow enriched events, JSON of the analytics SDKs"

    def event_of(self, record: RawRecord) -> EnrichedEvent:
        """See :class:`_SnowplowAdapter`."""
        return JsonEvent(record.value)


def _name_of(event: EnrichedEvent) -> tuple[str, Any]:
    """The name of an event in the vocabulary, and the data of a self-describing one.

    Raises:
        InvalidFieldError: it is none.
    """
    atomic = event.atomic
    kind = atomic.get("event")
    if not isinstance(kind, str) or kind not in EVENTS:
        raise InvalidFieldError("event", kind, f"one of {', '.join(EVENTS)}")
    if kind == "struct":
        category, action = atomic.get("se_category"), atomic.get("se_action")
        if not isinstance(category, str) or not isinstance(action, str) or not category or not action:
            wrong = "se_action" if category and isinstance(category, str) else "se_category"
            raise InvalidFieldError(wrong, atomic.get(wrong), "a text: a structured event has both")
        return _structured(category, action), None
    if kind != "unstruct":
        return kind, None
    own = event.own()
    if own is None or not own[0]:
        raise InvalidFieldError("unstruct_event", None, "what the event says, with its iglu: schema")
    name, _, version = own[0].rpartition("_")
    return (name if version.isdecimal() else own[0]), own[1]


@lru_cache(maxsize=10_000)
def _structured(category: str, action: str) -> str:
    return f"{snake_case(category)}/{snake_case(action)}"


def _is_robot(found: Any) -> bool:
    """Whether the older user agent enrichment found one."""
    return isinstance(found, str) and found.startswith("Robot")


def _event_id(record: RawRecord, found: Any) -> str:
    if found is None or found == "":
        return content_id(record.value or b"")
    return name_of(found, "event_id")


def _occurred_at(event: EnrichedEvent) -> str:
    """The best of the event's times.

    Raises:
        InvalidFieldError: it has none, or that is no moment.
    """
    for name in TIMES:
        found = event.atomic.get(name)
        if found is not None and found != "":
            return moment_in_utc(found, name)
    raise InvalidFieldError("collector_tstamp", None, "a moment in UTC")


def _fill(event: EnrichedEvent, found: Attached, message: Message, meaning: str | None) -> None:
    atomic, properties = event.atomic, found.properties
    if (source := optional_name(atomic.get("app_id"))) is not None:
        message["source"] = source
    if (platform := optional_name(properties.get("platform"))) is not None:
        message["platform"] = platform
    if meaning is not None and meaning in FILL:
        message["type"] = meaning
        if meaning == "enrolled":
            properties.setdefault("timezone", atomic.get("os_timezone"))
            properties.setdefault("language", atomic.get("br_lang"))
        FILL[meaning](properties, message, DATA)
        return
    if (session := optional_name(atomic.get("domain_sessionid"))) is not None:
        message["session"] = session
    fill_activity(properties, message, meaning or "other", DATA)
    if "object" not in message:
        name = optional_name(found.player) or optional_name(part_in(path_of(atomic.get("page_url"))))
        if name is not None:
            message["object"] = name
