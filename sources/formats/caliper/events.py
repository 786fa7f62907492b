"""One event's parts: its type and action, its object, its course, its people (Caliper 1.2, 2.2)."""

from dataclasses import dataclass
from typing import Any

from sources.formats.caliper.entities import (
    COURSES,
    MACHINES,
    iri_of,
    is_nobody,
    name_in,
    optional_name_of,
    own_extensions,
    required_name_of,
    term,
    type_of,
    with_parents,
)
from sources.formats.fields import content_id, moment, name_of, optional_name
from sources.formats.translation import InvalidFieldError

ATTEMPT, GROUP = "Attempt", "Group"


@dataclass(slots=True)
class Event:
    """An event, read as far as what it means must be known.

    name: type and action, as ``MediaEvent/Started``. thing: its object. kind: the object's type, of an
    attempt that of the work that is attempted; empty where it is not said.
    """

    found: dict[str, Any]
    name: str
    thing: Any
    kind: str

    @property
    def own(self) -> dict[str, Any]:
        """Our own extensions."""
        return own_extensions(self.found) if "extensions" in self.found else {}

    def event_id(self) -> str:
        """The event's own id; of one that has none, a digest of what it says."""
        own = self.found.get("id") or self.found.get("@id")
        return content_id(repr(self.found)) if own is None else name_of(own, "id", "a UUID as a URN")

    def occurred_at(self) -> str:
        """When it happened.

        Raises:
            InvalidFieldError: it is no moment with its zone.
        """
        return moment(self.found.get("eventTime"), "eventTime")

    def attempt(self) -> dict[str, Any]:
        """The attempt that is the object, or was generated, or whose score was; empty if there is none."""
        generated = self.found.get("generated")
        inner = generated.get("attempt") if isinstance(generated, dict) else None
        attempt: Any = next((each for each in (self.thing, generated) if type_of(each) == ATTEMPT), inner)
        return attempt if isinstance(attempt, dict) else {}

    def work_name(self) -> str | None:
        """The name of the work that is handed in or graded: what is attempted, else the object."""
        work = self.attempt().get("assignable")
        return self.object_name() if work is None else optional_name_of(work)

    def object_name(self) -> str | None:
        """The name of the object; of an attempt that of the work. None where it is the course."""
        thing = self.thing
        if type_of(thing) == ATTEMPT:
            thing = thing.get("assignable")
        iri = iri_of(thing)
        return None if iri is None or iri == iri_of(self.found.get("group")) else name_in(iri)

    def membership(self) -> dict[str, Any]:
        """The actor's membership; empty where it is not said, or an identifier alone."""
        found = self.found.get("membership")
        return found if isinstance(found, dict) else {}

    def is_by_a_machine(self) -> bool:
        """Whether the actor is no person."""
        return type_of(self.found.get("actor")) in MACHINES

    def course_run(self) -> str | None:
        """The course section or offering that the event is in; None if it is in none.

        Raises:
            InvalidFieldError: a course has neither an id nor a number.
        """
        for field, found in (("group", self.found.get("group")), *self._of_memberships()):
            for organization in with_parents(found):
                if isinstance(organization, str) or type_of(organization) in COURSES:
                    return _course_name(organization, field)
        return _course_name(self.thing, "object") if self.kind in COURSES else None

    def _of_memberships(self) -> tuple[tuple[str, Any], ...]:
        return (
            ("membership.organization", self.membership().get("organization")),
            ("object.organization", self.thing.get("organization") if self.kind == "Membership" else None),
        )


def _course_name(course: Any, field: str) -> str | None:
    iri = iri_of(course)
    if iri is not None:
        return None if is_nobody(iri) else name_in(iri)
    number = optional_name(course.get("courseNumber")) if isinstance(course, dict) else None
    if number is None:
        raise InvalidFieldError(f"{field}.id", None, "the IRI of the course, or a courseNumber")
    return number


def event_of(found: dict[str, Any]) -> Event:
    """The parts of an event.

    Raises:
        InvalidFieldError: it has no type or no action.
    """
    action = found.get("action")
    if not isinstance(action, str) or not action:
        raise InvalidFieldError("action", action, "a term of the vocabulary, such as NavigatedTo")
    thing: Any = found.get("object")
    kind = type_of(thing)
    if kind == ATTEMPT:
        kind = type_of(thing.get("assignable")) or ATTEMPT
    return Event(found, f"{type_of(found)}/{term(action)}", thing, kind)


def people_of(entity: Any, field: str, expected: str) -> list[str]:
    """The name of a person, or of each member of a group; none where they are anonymous.

    Raises:
        InvalidFieldError: nobody is named.
    """
    if type_of(entity) == GROUP:
        members = entity.get("members")
        if not isinstance(members, list):
            raise InvalidFieldError(f"{field}.members", members, "the members of the group")
        return [
            required_name_of(member, f"{field}.members.{index}", expected)
            for index, member in enumerate(members)
        ]
    iri = iri_of(entity)
    return [] if iri is not None and is_nobody(iri) else [required_name_of(entity, field, expected)]
