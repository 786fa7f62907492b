"""Entities of events: whole objects, or their identifiers alone (Caliper 1.2, 2.3).

Our own names lie under :data:`OWN`: whatever has a name but no IRI, in what our writer makes.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from sources.formats.fields import content_id, name_of
from sources.formats.translation import InvalidFieldError

OWN = "urn:homeroom:"
"""Before our own identifiers: ``urn:homeroom:FOLDER:NAME``, the name in percent-encoding."""

EXTENSION = "example.homeroom"
"""The key of our own extensions, in the style of other vendors': a domain that nobody else can own."""

COURSES = frozenset({"CourseSection", "CourseOffering"})
MACHINES = frozenset({"SoftwareApplication", "Organization"})
"""Types of actors who are no person."""

_NOBODY = ("http://purl.imsglobal.org/caliper/", "https://purl.imsglobal.org/caliper/")
"""An identifier that only names a type is how an anonymous entity is written (Caliper 1.2, 2.4)."""

_MAIL = "mailto:"
_MOST_PARENTS = 8


def own_iri(folder: str, name: str | None) -> str:
    """An identifier from which :func:`name_in` reads the name; of what has none, one without."""
    return f"{OWN}{folder}" if name is None else f"{OWN}{folder}:{quote(name, safe='')}"


def iri_of(entity: Any) -> str | None:
    """The identifier of an entity, which may stand for the whole; None where it has none."""
    if isinstance(entity, dict):
        entity = entity.get("id") or entity.get("@id")
    return entity if isinstance(entity, str) and entity else None


def is_nobody(iri: str) -> bool:
    """Whether an identifier is that of an anonymous entity."""
    return iri.startswith(_NOBODY)


@lru_cache(maxsize=10_000)
def name_in(iri: str) -> str | None:
    """What an identifier names, as the contract's are; None where it names nothing.

    A mail address becomes a digest: no message has it.
    """
    if iri.startswith(OWN):
        iri = unquote(iri[len(OWN) :].partition(":")[2])
    elif iri[: len(_MAIL)].lower() == _MAIL:
        return content_id(iri.lower())
    return name_of(iri, "id") if iri.strip() and not is_nobody(iri) else None


def optional_name_of(entity: Any) -> str | None:
    """The name of an entity; None where it has none."""
    iri = iri_of(entity)
    return None if iri is None else name_in(iri)


def required_name_of(entity: Any, field: str, expected: str) -> str:
    """The name of an entity.

    Raises:
        InvalidFieldError: it has none.
    """
    name = optional_name_of(entity)
    if name is None:
        found = entity.get("id") if isinstance(entity, dict) else entity
        raise InvalidFieldError(f"{field}.id" if isinstance(entity, dict) else field, found, expected)
    return name


def type_of(entity: Any) -> str:
    """The type of an entity; empty where it is not said."""
    if not isinstance(entity, dict):
        return ""
    found = entity.get("type") or entity.get("@type")
    return term(found) if isinstance(found, str) else ""


@lru_cache(maxsize=10_000)
def term(found: str) -> str:
    """A term of the vocabulary, also where it is written as an IRI (Caliper 1.0, and vendors' own types)."""
    return found[max(found.rfind("/"), found.rfind("#")) + 1 :]


def own_extensions(entity: Any) -> dict[str, Any]:
    """Our extensions of an entity or event; empty where there are none."""
    extensions = entity.get("extensions") if isinstance(entity, dict) else None
    found = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    return found if isinstance(found, dict) else {}


def with_parents(entity: Any) -> Iterator[Any]:
    """An organization and what it is a part of, from the inside out."""
    for _ in range(_MOST_PARENTS):
        yield entity
        if not isinstance(entity, dict) or "subOrganizationOf" not in entity:
            return
        entity = entity["subOrganizationOf"]
