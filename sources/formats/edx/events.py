"""One event of the tracking log, and where it says what."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from sources.formats.fields import moment_in_utc, optional_name, parse_json
from sources.formats.translation import InvalidFieldError

OWN = "homeroom"
"""Key of the context under which fields lie that no event has: Open edX lets plugins add to the context."""

RUN = "RUN"
"""Stands for the course in a request's path, so that the path is a name of the vocabulary."""

_COURSES = "/courses/"
_WITHIN = f"{_COURSES}{RUN}"
_OBJECT_KEYS = (
    "problem_id",
    "exam_content_id",
    "block_id",
    "usage_key",
    "component_usage_id",
    "module_id",
    "id",
    "target_url",
    "chapter",
    "tool_name",
)
"""Keys of an event that name what it is about, the most telling first."""


class TrackingEvent(NamedTuple):
    """An event.

    path: of the request that gives it its name, with ``RUN`` for its course; None for other names.
    """

    found: Mapping[str, Any]
    fields: Mapping[str, Any]
    context: Mapping[str, Any]
    kind: str
    name: str
    source: str
    course_run: str | None
    path: str | None

    def learner(self) -> str | None:
        """``user_id`` of the event, else of the context; None for whoever is not signed in."""
        named = optional_name(self.fields.get("user_id"))
        return optional_name(self.context.get("user_id")) if named is None else named

    def occurred_at(self) -> str:
        """``time``; by the format's documentation it is in UTC where it has no offset.

        Raises:
            InvalidFieldError: it is no moment.
        """
        found = self.found.get("time")
        return moment_in_utc(self.found.get("timestamp") if found is None else found, "time")

    def object_name(self) -> str | None:
        """What the event is about: a block's key, an address, the rest of a request's path."""
        if self.path is not None:
            rest = self.path.removeprefix(_WITHIN)[1:].partition("/")[2]
            return optional_name(rest.removesuffix("/"))
        fields = self.fields
        for key in _OBJECT_KEYS:
            if key in fields and (name := optional_name(fields[key])) is not None:
                return name
        module = self.context.get("module")
        return optional_name(module.get("usage_key")) if isinstance(module, dict) else None


def event_of(found: Mapping[str, Any]) -> TrackingEvent:
    """Read the parts of an event.

    Raises:
        InvalidFieldError: it has no name, or its context is no object.
    """
    kind = found.get("event_type")
    name = found.get("name")
    if not isinstance(kind, str) or not kind:
        kind = name
    if not isinstance(kind, str) or not kind:
        raise InvalidFieldError("event_type", found.get("event_type"), "the name of an event")
    context = found.get("context")
    if context is None:
        context = {}
    elif not isinstance(context, dict):
        raise InvalidFieldError("context", context, "an object")
    fields = _fields(found.get("event", found.get("data")))
    source = found.get("event_source")
    is_request = kind[0] == "/"
    course_run = _course_run(found, context, fields, kind if is_request else "")
    return TrackingEvent(
        found,
        fields,
        context,
        kind,
        name if isinstance(name, str) else kind,
        source if isinstance(source, str) else "",
        course_run,
        _path_within(kind, course_run) if is_request else None,
    )


def _fields(event: Any) -> Mapping[str, Any]:
    """What an event says: an object, or the JSON of one. Of forms, lists and cut texts nothing is read."""
    if isinstance(event, str) and event[:1] == "{":
        try:
            event = parse_json(event)
        except InvalidFieldError:  # browsers' events are cut where they are too long
            return {}
    return event if isinstance(event, dict) else {}


def _course_run(
    found: Mapping[str, Any], context: Mapping[str, Any], fields: Mapping[str, Any], path: str
) -> str | None:
    for parent in (context, fields):
        if (name := optional_name(parent.get("course_id"))) is not None:
            return name
    if (name := course_in(path)) is not None:
        return name
    page = found.get("page")
    return course_in(page) if isinstance(page, str) else None


def course_in(address: str) -> str | None:
    """The course run in an address or path, ``/courses/…/`` or a block's key; None where there is none."""
    before, found, rest = address.partition(_COURSES)
    if not found:
        return _course_of_block(before)
    rest = unquote(rest) if "%" in rest else rest
    first, _, rest = rest.partition("/")
    if first.startswith("course-v1:"):
        return optional_name(first.partition("?")[0])
    parts = [first, *rest.split("/", 2)[:2]]
    return optional_name("/".join(parts)) if len(parts) == 3 and all(parts) else None


def _course_of_block(address: str) -> str | None:
    _, found, rest = address.partition("block-v1:")
    run, has_type, _ = rest.partition("+type@")
    return optional_name(f"course-v1:{run}") if found and has_type else None


def _path_within(path: str, course_run: str | None) -> str:
    """A request's path with ``RUN`` for its course; as it is where it lies in none."""
    start = f"{_COURSES}{course_run}"
    if course_run is not None and path.startswith(start):
        return f"{_WITHIN}{path[len(start) :] or '/'}"
    return path


def first_part(path: str) -> str:
    """The start of a path, within its course if it lies in one: requests are counted by it."""
    start = _WITHIN if path.startswith(_WITHIN) else ""
    return f"{start}/{path[len(start) + 1 :].partition('/')[0]}"
