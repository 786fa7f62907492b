"""Field types that several messages share, each with the limits it is checked against."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Id = Annotated[str, Field(min_length=1, max_length=128)]
"""An opaque identifier: a learner, an event, an object. Never interpreted, never evaluated."""

CourseRun = Annotated[str, Field(min_length=1, max_length=128, examples=["BBB/2014B"])]
"""One presentation of a course; ``course/run`` by convention, so that runs of a course can be told."""

Instant = AwareDatetime
"""A moment with its zone (RFC 3339). A time without a zone is refused: nobody can say when it was."""

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share, a score or a probability, in [0, 1]."""

DAY_S = 86_400
"""Seconds of an event day."""

Day = Annotated[int, Field(ge=-100_000, le=100_000)]
"""An event day: whole days since 1970-01-01 in UTC. Day *d* is the half-open [d, d + 1)."""


class Message(BaseModel):
    """Base of the low-rate messages: immutable, strict about unknown fields, versioned by its type."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _require_type(schema: dict[str, Any]) -> None:
    schema["required"] = ["type", *schema["required"]]


class Tagged(Message):
    """Base of messages that share a topic: what tells them apart is their type, so it must be there."""

    model_config = ConfigDict(json_schema_extra=_require_type)
