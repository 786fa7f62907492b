"""Field types that several messages share, with their limits."""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from schemas.zones import is_zone_name

MAX_ID = 128
"""Characters of a name. A longer one is shortened."""
_START_CHARS = 96


def shorten(name: str) -> str:
    """A name of any length as one of at most ``MAX_ID`` characters."""
    if len(name) <= MAX_ID:
        return name
    return f"{name[:_START_CHARS]}~{blake2b(name.encode(errors='surrogatepass'), digest_size=15).hexdigest()}"


Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
"""An opaque identifier: a learner, an event, an object. Never interpreted, never evaluated."""

CourseRun = Annotated[str, Field(min_length=1, max_length=128, examples=["BBB/2014B"])]
"""One presentation of a course; ``course/run`` by convention, which names the course of a run."""


def course_of(run: str) -> str:
    """The course of a run by its name: the part before the last slash or plus sign.

    ``BBB/2014B`` → ``BBB``; ``Org/C/R`` → ``Org/C``; ``course-v1:Org+C+R`` → ``course-v1:Org+C``.
    """
    separator = max(run.rfind("/"), run.rfind("+"))
    return run[:separator] if separator > 0 else run


Platform = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$", examples=["edx", "moodle-2"])]
"""Whose names a message uses, where an installation reads several platforms. It is put before them with a
colon: the learner ``ann`` of the platform ``edx`` is ``edx:ann`` everywhere, in the key of the record too."""

Instant = AwareDatetime
"""A moment with its zone (RFC 3339). A time without a zone is invalid: it is no certain moment."""

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Platforms' moments lie in [EARLIEST, LATEST). Earlier ones come from clocks that were never set (1970,
1980); the store's types end in 2106, and moments that are computed from others may be some months later."""

_RANGE = {"formatMinimum": "2000-01-01T00:00:00Z", "formatExclusiveMaximum": "2100-01-01T00:00:00Z"}
_SINCE = {"formatMinimum": "2000-01-01T00:00:00Z"}

Moment = Annotated[AwareDatetime, Field(ge=EARLIEST, lt=LATEST, json_schema_extra=_RANGE)]
"""An instant of a platform's message: from 2000 to before 2100. Any other is invalid."""

OpenMoment = Annotated[AwareDatetime, Field(ge=EARLIEST, json_schema_extra=_SINCE)]
"""A moment that may be open: platforms write *never* as some moment from 2100 on."""


def is_never(moment: datetime | None) -> bool:
    """Whether a moment is open: None, or from 2100 on."""
    return moment is None or moment >= LATEST


def _within(moment: datetime) -> datetime:
    return min(max(moment, EARLIEST), LATEST)


Until = Annotated[AwareDatetime, AfterValidator(_within)]
"""An end, which may be any instant: before 2000 it is over, from 2100 on there is none. Parsed as the nearest
moment of the range."""

UNKNOWN_ZONE = "unknown_time_zone"
"""The type of the error for a time zone that does not exist."""


def _existing_zone(name: str) -> str:
    if not is_zone_name(name):
        raise PydanticCustomError(UNKNOWN_ZONE, "expected an IANA name such as Europe/Berlin")
    return name


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_existing_zone)]
"""The name of an IANA time zone."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share, a score or a probability, in [0, 1]."""

DAY_S = 86_400
"""Seconds of an event day."""

Day = Annotated[int, Field(ge=-100_000, le=100_000)]
"""An event day: a date in the installation's time zone, as days since 1970-01-01."""


class Message(BaseModel):
    """Base of the low-rate messages: immutable, strict about unknown fields, versioned by its type."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _require_type(schema: dict[str, Any]) -> None:
    schema["required"] = ["type", *schema["required"]]


class Tagged(Message):
    """Base of messages that share a topic: their ``type`` distinguishes them, so it is required."""

    model_config = ConfigDict(json_schema_extra=_require_type)
