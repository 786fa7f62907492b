"""One event's parts: its names, its user, its course (Live Events, *Metadata*)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from schemas.fields import shorten
from sources.formats.fields import as_object, child, content_id, moment, name_of, optional_name
from sources.formats.translation import InvalidFieldError

ASSET_ACCESSED = "asset_accessed"
ACTED_AS = "real_user_id"
"""Metadata of who acts as another user."""

SHARD_DIGITS = 13
"""A global id is the number of a shard, and that many digits of a local one."""

VIDEOS = frozenset({"mp4", "m4v", "mov", "webm", "avi", "wmv", "mkv", "mp3", "m4a"})

_ENROLMENTS = frozenset({"enrollment_created", "enrollment_updated"})


@dataclass(slots=True)
class Event:
    """An event.

    shard: digits before the local part of its account's own ids; empty where it is not said. own_id: where
    the format gives it one, as the native one does not.
    """

    name: str
    metadata: Mapping[str, Any]
    body: Mapping[str, Any]
    shard: str
    own_id: str | None = None

    def counted_name(self) -> str:
        """The name, of an asset with its type and subtype, of an enrolment with its state."""
        body = self.body
        if self.name == ASSET_ACCESSED:
            subtype = body.get("asset_subtype")
            return f"{self.name}/{body.get('asset_type')}" + (f"/{subtype}" if subtype else "")
        return f"{self.name}/{body.get('workflow_state')}" if self.name in _ENROLMENTS else self.name

    def detail(self) -> str:
        """What tells assets of a type apart: the level of access, or that a file is a video; else empty."""
        body = self.body
        if (level := body.get("level")) is not None:
            return f"#{level}"
        file = body.get("filename") or body.get("display_name")
        if body.get("asset_type") != "attachment" or not isinstance(file, str):
            return ""
        _, dot, extension = file.rpartition(".")
        return "#video" if dot and extension.lower() in VIDEOS else ""

    def occurred_at(self) -> str:
        """When it happened.

        Raises:
            InvalidFieldError: it is no moment with its zone.
        """
        return moment(self.metadata.get("event_time"), "metadata.event_time")

    def event_id(self) -> str:
        """Its own, else a digest of what it says: one request may make several events."""
        if self.own_id is not None:
            return self.own_id
        own = (self.metadata.get(name) for name in ("event_time", "request_id", "user_id", "context_id"))
        return content_id(self.name, repr((*own,)), repr(self.body))

    def user(self) -> str | None:
        """Who did it; None where nobody is signed in, or a job did it.

        Raises:
            InvalidFieldError: it is no id.
        """
        return self.optional_id(self.metadata.get("user_id"), "metadata.user_id")

    def is_by_a_job(self) -> bool:
        """Whether it comes from a job of the platform, and not from a request."""
        return "job_id" in self.metadata or "job_tag" in self.metadata

    def course_run(self) -> str | None:
        """The course; None if the event is in none.

        Raises:
            InvalidFieldError: it is no id.
        """
        body, metadata = self.body, self.metadata
        if (found := body.get("course_id")) is not None:
            return self.optional_id(found, "body.course_id")
        if (found := child(body, "course", "id")) is not None:
            return self.optional_id(found, "body.course.id")
        if metadata.get("context_type") != "Course":
            return None
        return self.optional_id(metadata.get("context_id"), "metadata.context_id")

    def id(self, found: Any, field: str) -> str:
        """An id that must be there, as it is called within its platform.

        Raises:
            InvalidFieldError: it is no id.
        """
        return local(name_of(found, field, "an id of Canvas"), self.shard)

    def optional_id(self, found: Any, field: str) -> str | None:
        """As :meth:`id`; None where it is not there."""
        return None if found is None or found == "" else self.id(found, field)

    def asset(self, kind: str, found: Any, field: str) -> str | None:
        """The name of an asset: its type and id, since each type counts by itself."""
        own = self.optional_id(found, field)
        return None if own is None else shorten(f"{kind}/{own}")


def event_of(found: dict[str, Any]) -> Event:
    """The parts of an event.

    Raises:
        InvalidFieldError: one of them is not there.
    """
    field = "attributes" if "attributes" in found and "metadata" not in found else "metadata"
    metadata = as_object(found.get(field), field)
    name = metadata.get("event_name")
    if not isinstance(name, str) or not name:
        raise InvalidFieldError(f"{field}.event_name", name, "the name of a Live Event")
    root = optional_name(metadata.get("root_account_id"))
    return Event(name, metadata, as_object(found.get("body"), "body"), shard_of(root))


def shard_of(global_id: object) -> str:
    """The digits before the local part of an id; none where it is a local one."""
    return global_id[:-SHARD_DIGITS] if isinstance(global_id, str) and global_id.isdecimal() else ""


@lru_cache(maxsize=10_000)
def local(name: str, shard: str) -> str:
    """An id of the platform's own shard as its local part; what belongs to another shard stays global.

    Events have either: ``21070000000000565`` and ``565`` are one course where the root account is
    ``21070000000000001``.
    """
    start, end = name[:-SHARD_DIGITS], name[-SHARD_DIGITS:]
    return end.lstrip("0") or name if shard and start == shard and name.isdecimal() else name


def seconds_between(earlier: str, later: str) -> float:
    """Seconds from one moment with its zone to another."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
