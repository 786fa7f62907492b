"""Facts about enrolments and course runs, and the clock ticks of replaying sources.

They travel in the same topic as the activity, so that Kafka's order within a partition is the order
in which the platform published them. A learner's facts are keyed by the learner; a calendar and a
tick concern everybody and are sent to every partition.
"""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from schemas.fields import CourseRun, Fraction, Id, Instant

MAX_DEADLINES = 32
"""Deadlines a course run may have: each costs three bytes of state an enrolment."""


class Enrolled(TypedDict):
    """A learner registered for a course run."""

    type: Literal["enrolled"]
    version: NotRequired[Literal[1]]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Instant
    timezone: NotRequired[Annotated[str, Field(max_length=64, examples=["Europe/Berlin"])] | None]
    source: NotRequired[Id]


class Withdrawn(TypedDict):
    """A learner left a course run. What the learner does afterwards no longer counts."""

    type: Literal["withdrawn"]
    version: NotRequired[Literal[1]]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Instant
    source: NotRequired[Id]


class Completed(TypedDict):
    """The final result of an enrolment, known when the course run has ended."""

    type: Literal["completed"]
    version: NotRequired[Literal[1]]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Instant
    result: Literal["pass", "distinction", "fail"]
    source: NotRequired[Id]


class Deadline(TypedDict):
    """Assessed work that is due at a moment; a submission names it in its ``object``."""

    assessment: Id
    due_at: Instant
    weight: Fraction


class CourseCalendar(TypedDict):
    """When a course run starts and ends, and what is due. A newer calendar replaces an older one."""

    type: Literal["calendar"]
    version: NotRequired[Literal[1]]
    event_id: Id
    course: Id
    course_run: CourseRun
    occurred_at: Instant
    starts_at: Instant
    ends_at: Instant
    deadlines: Annotated[list[Deadline], Field(max_length=MAX_DEADLINES)]
    source: NotRequired[Id]


class ClockTick(TypedDict):
    """A replaying source says: everything before ``occurred_at`` has been sent."""

    type: Literal["tick"]
    version: NotRequired[Literal[1]]
    occurred_at: Instant
    source: NotRequired[Id]
