"""What entities and pages' addresses say of an event: its course, its video, whether a machine made it."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from sources.formats.properties import Properties, in_snake_case
from sources.formats.snowplow.events import Entity

VENDOR = "example.homeroom"
"""Of our own schemas (``examples/snowplow/schemas``), a name that nobody else can own (RFC 2606)."""

_COURSES = "/courses/"
_ROBOTS = ("Robot", "Robot Mobile", "Robot Imitator")
_SUFFIXES = {
    "_course": "course",
    "_course_run": "course",
    "_learning_activity": "activity",
    "_media_player": "player",
    "_spiders_and_robots": "iab",
    "_yauaa_context": "yauaa",
    "_bot_detection": "bot",
}


class Attached(NamedTuple):
    """What entities say together.

    properties: of the course and of the act. player: the label of a media player. by_machine: whether a
    robot made the event, as enrichments found.
    """

    properties: dict[str, Any]
    player: Any
    by_machine: bool


@lru_cache(maxsize=10_000)
def subject_of(name: str) -> str | None:
    """What the entities of a schema are about, by how its name ends, whoever its vendor is."""
    whole, _, version = name.rpartition("_")
    if not version.isdecimal():
        return None
    return next((subject for suffix, subject in _SUFFIXES.items() if whole.endswith(suffix)), None)


def attached(entities: Iterable[Entity]) -> Attached:
    """What the entities of an event say."""
    properties: dict[str, Any] = {}
    player, by_machine = None, False
    for name, data in entities:
        subject = subject_of(name)
        if subject is None or not isinstance(data, dict):
            continue
        if subject == "course":
            course = in_snake_case(data)
            if "id" in course:
                properties.setdefault("course_id", course["id"])
            properties |= course
        elif subject == "activity":
            properties |= in_snake_case(data)
        elif subject == "player":
            player = data.get("label")
        else:
            by_machine = by_machine or _is_machine(subject, data)
    properties.pop("id", None)
    return Attached(properties, player, by_machine)


def _is_machine(subject: str, data: Mapping[str, Any]) -> bool:
    """As Snowplow's bot detection enrichment combines them: any that says so is believed."""
    if subject == "iab":
        return data.get("spiderOrRobot") is True
    if subject == "bot":
        return data.get("bot") is True
    return any(data.get(name) in _ROBOTS for name in ("deviceClass", "agentClass"))


def path_of(url: Any) -> str:
    """The path of a page's address; empty where it has none."""
    if not url or not isinstance(url, str):
        return ""
    _, _, rest = url.partition("://")
    address = rest.partition("#")[0].partition("?")[0]
    start = address.find("/")
    return "" if start < 0 else address[start:]


def course_in(path: str) -> str | None:
    """The course run in a page's path: what follows ``/courses/``, up to the next slash."""
    if not path:
        return None
    _, _, rest = path.partition(_COURSES)
    return unquote(rest.partition("/")[0]) or None


def part_in(path: str) -> str | None:
    """A page's path, unless it is the course's own page."""
    before, found, rest = path.partition(_COURSES)
    if found and not rest.partition("/")[2].strip("/"):
        return None
    return path if (found or before.strip("/")) else None


def of_structured_event(atomic: Mapping[str, Any]) -> Properties:
    """A structured event's label as the object, and its value as what ``se_property`` calls it."""
    properties: dict[str, Any] = {}
    if label := atomic.get("se_label"):
        properties["object"] = label
    if isinstance(measure := atomic.get("se_property"), str) and measure in MEASURES:
        properties[measure] = atomic.get("se_value")
    return properties


MEASURES = ("score", "score_percent", "progress", "progress_percent", "course_progress", "duration_s")
"""What ``se_value`` may be, by ``se_property``; any other says nothing that is read."""
