"""The names of xAPI that we know by heart: identifiers of its profiles, and our own where it has none.

Our own lie under :data:`BASE`, a name that nobody else can own (RFC 2606), so that what a term is written
with is taken for nobody's. Nothing is served there.
"""

import re
from urllib.parse import quote, unquote

BASE = "https://homeroom.example/xapi/"
"""Before our own verbs, extensions and the identifiers of what has a name but no IRI."""

HOME_PAGE = "https://homeroom.example"
"""``homePage`` of a learner who belongs to no platform."""

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
TERMINATED = "http://adlnet.gov/expapi/verbs/terminated"
FAILED = "http://adlnet.gov/expapi/verbs/failed"
WAIVED = "https://w3id.org/xapi/adl/verbs/waived"

COURSE = "http://adlnet.gov/expapi/activities/course"
COURSE_TYPES = frozenset(
    {
        COURSE,
        "https://w3id.org/xapi/cmi5/activitytype/course",
        "http://id.tincanapi.com/activitytype/lms/course",  # Moodle's plugin
        "http://vocab.xapi.fr/activities/course",
        "course",  # as Open edX's own documentation has it
    }
)
"""Types of an activity that is a course run: the first is what the vocabulary calls all of them."""

ATTEMPT = "http://adlnet.gov/expapi/activities/attempt"
"""Type of one attempt at a piece of work: the work is its parent."""

SESSIONS = (
    "https://w3id.org/xapi/video/extensions/session-id",
    "https://w3id.org/xapi/cmi5/context/extensions/sessionid",
    "https://w3id.org/xapi/openedx/extensions/session-id",
    f"{BASE}extensions/session",
)
"""Context extensions that name a session, the commonest first."""

CMI5_PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"
"""Result extension: percent."""

SESSION_PROFILES = frozenset(
    {
        "https://w3id.org/xapi/cmi5/context/categories/cmi5",
        "https://w3id.org/xapi/video",
    }
)
"""Categories of statements whose ``result.duration`` counts from the session's start."""

_COURSE_KEYS = ("course-v1:", "block-v1:")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


def extension(name: str) -> str:
    """The IRI of an extension of our own."""
    return f"{BASE}extensions/{name}"


def own_verb(name: str) -> str:
    """The IRI of a verb of our own."""
    return f"{BASE}verbs/{name}"


def name_in(iri: str) -> str:
    """What an IRI names: a key of Open edX at its end, a name of ours, else the whole IRI. May be empty."""
    if iri.startswith(BASE):
        return unquote(iri[len(BASE) :].partition("/")[2])
    last = iri[iri.rfind("/") + 1 :]
    return last if last.startswith(_COURSE_KEYS) else iri


def iri_of(name: str, folder: str) -> str:
    """An IRI from which :func:`name_in` reads the name: the name itself where it is one."""
    if _IRI.fullmatch(name) and name_in(name) == name:
        return name
    return f"{BASE}{folder}/{quote(name, safe='')}"
