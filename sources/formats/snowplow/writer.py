"""Writes messages of the contract as Snowplow's enriched events, in both forms."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import orjson

from sources.formats.adapter import Writer
from sources.formats.properties import properties_of
from sources.formats.snowplow.entities import VENDOR
from sources.formats.snowplow.events import COLUMNS, schema_name

PAGES = "https://homeroom.example/courses/"
SNOWPLOW = "com.snowplowanalytics.snowplow"

STRUCTURED: Mapping[str, tuple[str, str]] = {
    "home": ("course", "view"),
    "content": ("lesson", "view"),
    "resource": ("resource", "download"),
    "forum": ("discussion", "view"),
    "wiki": ("wiki", "view"),
    "quiz": ("quiz", "start"),
    "submission": ("assignment", "submit"),
    "other": ("live_session", "join"),
}
"""Category and action of a structured event, by kind of activity; of others see ``_set_act``."""

FACTS: Mapping[str, str] = {
    "enrolled": "course_enrolled",
    "withdrawn": "course_unenrolled",
    "completed": "course_completed",
    "graded": "work_graded",
    "progress": "course_progress_updated",
    "extension": "deadline_extended",
    "pause": "course_paused",
    "calendar": "course_scheduled",
}
"""Schema of ours, by type of fact."""

Json = dict[str, Any]


@dataclass(slots=True)
class _Parts:
    """An event before it is written. entities, own: with the addresses of their schemas."""

    atomic: dict[str, str]
    entities: list[tuple[str, Json]] = field(default_factory=list)
    own: tuple[str, Json] | None = None


class _SnowplowWriter(Writer):
    limits: ClassVar[Mapping[str, str]] = {
        "tick": "a pipeline has no clock: its events are enriched as they come in",
        "merged": "no event says that two users are one person",
        "renamed": "no event says that a course has another name from now on",
    }

    def write(self, message: Mapping[str, Any]) -> list[bytes]:
        """See :class:`Writer`."""
        return [] if message["type"] in self.limits else [self.render(_parts(message))]

    @abstractmethod
    def render(self, parts: _Parts) -> bytes:
        """The record of an event."""


class SnowplowWriter(_SnowplowWriter):
    """Writes tab-separated values."""

    limits: ClassVar[Mapping[str, str]] = {
        **_SnowplowWriter.limits,
        "activity.learner": "tabs and line ends are spaces; so in every name that has a column of its own",
    }

    def render(self, parts: _Parts) -> bytes:
        """See :class:`_SnowplowWriter`."""
        columns = dict(parts.atomic)
        if parts.entities:
            data = [{"schema": schema, "data": data} for schema, data in parts.entities]
            columns["contexts"] = _self_describing("contexts", data)
        if parts.own is not None:
            schema, own = parts.own
            columns["unstruct_event"] = _self_describing("unstruct_event", {"schema": schema, "data": own})
        return "\t".join([_column(columns.get(name, "")) for name in COLUMNS]).encode()


class SnowplowJsonWriter(_SnowplowWriter):
    """Writes the JSON of the analytics SDKs."""

    def render(self, parts: _Parts) -> bytes:
        """See :class:`_SnowplowWriter`."""
        event: Json = {
            name: f"{value.replace(' ', 'T')}Z" if name.endswith("_tstamp") else value
            for name, value in parts.atomic.items()
        }
        for schema, data in parts.entities:
            event.setdefault(f"contexts_{schema_name(schema)}", []).append(data)
        if parts.own is not None:
            event[f"unstruct_event_{schema_name(parts.own[0])}"] = parts.own[1]
        return orjson.dumps(event)


def _parts(message: Mapping[str, Any]) -> _Parts:
    """An event with our entities *course* and *learning_activity*, and what is a column of it."""
    kind, properties = message["type"], properties_of(message)
    course: Json = {"course_run": properties.pop("course_run")}
    if (platform := message.get("platform")) is not None:
        course["platform"] = platform
    parts = _Parts(_atomic(message), [(_schema("course"), course)])
    for name, column in (
        ("session", "domain_sessionid"),
        ("timezone", "os_timezone"),
        ("language", "br_lang"),
    ):
        if name in properties:
            parts.atomic[column] = properties.pop(name)
    if kind != "activity":
        parts.own = (_schema(FACTS[kind]), properties)
        parts.atomic["event"] = "unstruct"
        return parts
    if properties:
        parts.entities.append((_schema("learning_activity"), properties))
    _set_act(message, parts)
    return parts


def _set_act(message: Mapping[str, Any], parts: _Parts) -> None:
    kind = message["kind"]
    if kind == "page":
        parts.atomic |= {"event": "page_view", "page_url": PAGES + quote(message["course_run"], safe="")}
    elif kind == "video":
        parts.atomic["event"] = "unstruct"
        parts.own = (f"iglu:{SNOWPLOW}.media/play_event/jsonschema/1-0-0", {})
        player = {"currentTime": 0, "paused": False, "ended": False}
        parts.entities.append((f"iglu:{SNOWPLOW}/media_player/jsonschema/2-0-0", player))
    else:
        category, action = STRUCTURED[kind]
        parts.atomic |= {"event": "struct", "se_category": category, "se_action": action}


def _atomic(message: Mapping[str, Any]) -> dict[str, str]:
    learner = message.get("learner", "homeroom")  # a calendar is nobody's act: its sender's
    moment = datetime.fromisoformat(message.get("graded_at") or message["occurred_at"]).astimezone(UTC)
    exact = "milliseconds" if moment.microsecond % 1_000 == 0 else "microseconds"
    written = moment.replace(tzinfo=None).isoformat(" ", exact)
    atomic = {
        "platform": "srv",
        "collector_tstamp": written,
        "event_id": str(uuid5(NAMESPACE_URL, f"{PAGES}{learner}/{message['event_id']}")),
        "v_tracker": "homeroom-1",
        "v_collector": "homeroom-1",
        "v_etl": "homeroom-1",
        "user_id": learner,
        "true_tstamp": written,
    }
    if (source := message.get("source")) is not None:
        atomic["app_id"] = source
    return atomic


def _schema(name: str) -> str:
    return f"iglu:{VENDOR}/{name}/jsonschema/1-0-0"


def _self_describing(name: str, data: Any) -> str:
    schema = f"iglu:{SNOWPLOW}/{name}/jsonschema/1-0-0"
    return orjson.dumps({"schema": schema, "data": data}).decode()


def _column(value: str) -> str:
    """As Enrich writes it: what would end a column or a line is a space."""
    return value.translate(_SPACES)


_SPACES = str.maketrans("\t\n\r", "   ")
