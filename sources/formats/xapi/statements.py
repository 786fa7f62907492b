"""One statement's parts: its object, its course, its extensions and its result (xAPI 1.0.3, part 2, 2.4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sources.formats.fields import content_id, moment, name_of, number, share
from sources.formats.translation import InvalidFieldError
from sources.formats.xapi.terms import ATTEMPT, COURSE, COURSE_TYPES, name_in

MODULE = "http://adlnet.gov/expapi/activities/module"
"""Type under which a course within another one is looked up."""

_NONE: Mapping[str, Any] = {}
_PERSONS = ("Agent", "Group")
_NO_ACTIVITIES = (*_PERSONS, "StatementRef", "SubStatement")


@dataclass(slots=True)
class Statement:
    """A statement, read as far as what it means must be known.

    thing: its object. kind: the object's type, or its objectType where it is no activity; empty if neither is
    said. course: IRI of the course that it belongs to; None if it belongs to none. context, result: empty
    where there is none.
    """

    found: dict[str, Any]
    verb: str
    thing: dict[str, Any]
    kind: str
    course: str | None
    context: Mapping[str, Any]
    result: Mapping[str, Any]

    @property
    def extensions(self) -> Mapping[str, Any]:
        """Of the context."""
        return _object(self.context.get("extensions"))

    @property
    def is_about_a_person(self) -> bool:
        """Whether the object is an agent or a group."""
        return self.kind in _PERSONS

    def event_id(self) -> str:
        """The statement's own id; of one that no record store has seen yet, a digest of what it says."""
        own = self.found.get("id")
        return content_id(repr(self.found)) if own is None else name_of(own, "id", "a UUID")

    def occurred_at(self) -> str:
        """When it happened, else when it was stored.

        Raises:
            InvalidFieldError: neither is a moment with its zone.
        """
        name = "timestamp" if self.found.get("timestamp") is not None else "stored"
        found = self.found.get(name)
        return moment(found, "timestamp" if found is None else name)

    def object_name(self) -> str | None:
        """The name of the object; None where it is the course, nobody's work, or has no name."""
        if self.kind in _NO_ACTIVITIES:
            return None
        iri = self.thing["id"]
        return None if iri == self.course else short_name(iri)

    def work_name(self) -> str | None:
        """The name of the work that is handed in or graded: of an attempt, and of a person, its parent's."""
        if self.is_about_a_person or self.kind == ATTEMPT:
            for activity in _activities(self.context, "parent"):
                if type_of(activity) != COURSE and isinstance(iri := activity.get("id"), str):
                    return short_name(iri)
        return self.object_name()

    def has_category(self, categories: frozenset[str]) -> bool:
        """Whether the statement follows one of the profiles."""
        for activity in _activities(self.context, "category"):
            if isinstance(iri := activity.get("id"), str) and iri in categories:
                return True
        return False


def statement_of(found: dict[str, Any]) -> Statement:
    """The parts of a statement.

    Raises:
        InvalidFieldError: it has no verb or no object.
    """
    verb, thing = _object(found.get("verb")).get("id"), found.get("object")
    if not isinstance(verb, str) or not verb:
        raise InvalidFieldError("verb.id", verb, "the IRI of a verb")
    if not isinstance(thing, dict):
        raise InvalidFieldError("object", thing, "an object")
    kind, iri = type_of(thing), thing.get("id")
    if not isinstance(iri, str) and kind not in _NO_ACTIVITIES:
        raise InvalidFieldError("object.id", iri, "the IRI of an activity")
    context = _object(found.get("context"))
    course = _course(context)
    if course is None and kind == COURSE:
        course = iri
    if kind == COURSE and course != iri:
        kind = MODULE
    return Statement(found, verb, thing, kind, course, context, _object(found.get("result")))


def type_of(thing: Mapping[str, Any]) -> str:
    """The type of an activity, the objectType of anything else; every course has ADL's type. May be empty."""
    if (what := thing.get("objectType", "Activity")) != "Activity" and what in _NO_ACTIVITIES:
        return str(what)
    definition = thing.get("definition")
    found = definition.get("type") if isinstance(definition, dict) else None
    if not isinstance(found, str):
        return ""
    return COURSE if found in COURSE_TYPES else found


def _course(context: Mapping[str, Any]) -> str | None:
    """The IRI of the course around a statement's object."""
    for relation in ("parent", "grouping"):
        for activity in _activities(context, relation):
            if type_of(activity) == COURSE and isinstance(iri := activity.get("id"), str) and iri:
                return iri
    return None


def _activities(context: Mapping[str, Any], relation: str) -> Iterable[dict[str, Any]]:
    """Activities of the context in a relation: a list, or one alone, as version 1.0 allows."""
    around = context.get("contextActivities")
    around = around.get(relation) if isinstance(around, dict) else None
    if isinstance(around, list):
        return filter(_is_object, around)
    return (around,) if isinstance(around, dict) else ()


@lru_cache(maxsize=10_000)
def short_name(iri: str) -> str | None:
    """What an IRI names, as the contract's identifiers are; None where that is nothing."""
    name = name_in(iri)
    return name_of(name, "id") if name.strip() else None


def score_of(result: Mapping[str, Any]) -> float | None:
    """The share of the points that were earned; None where the result does not say it.

    ``scaled`` is that share; where it is left out, ``raw`` above ``min`` of what lies between ``min`` and
    ``max``. Points below nought, which xAPI allows in both, are none.

    Raises:
        InvalidFieldError: one of them is no number.
    """
    found = result.get("score")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise InvalidFieldError("result.score", found, "an object with scaled, or raw and max")
    scaled = number(found.get("scaled"), "result.score.scaled")
    if scaled is None:
        raw, most = number(found.get("raw"), "result.score.raw"), number(found.get("max"), "result.score.max")
        if raw is None or most is None:
            return None
        least = max(number(found.get("min"), "result.score.min") or 0.0, 0.0)
        scaled = share(raw - least, most - least)
    return None if scaled is None else max(scaled, 0.0)


def _is_object(found: Any) -> bool:
    return isinstance(found, dict)


def _object(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else _NONE
