"""Facts about enrolments and course runs, and the clock ticks of replaying sources.

They travel in the same topic as the activity, so that Kafka's order within a partition is the order
in which the platform published them. A learner's facts are keyed by the learner; a calendar and a
tick concern everybody and are sent to every partition.
"""

from typing import Annotated, Literal, NotRequired

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from schemas.fields import CourseRun, Fraction, Id, Moment, OpenMoment, is_never

MAX_DEADLINES = 32
"""Deadlines a course run may have: each costs three bytes of state an enrolment."""


class Enrolled(TypedDict):
    """A learner registered for a course run."""

    type: Literal["enrolled"]
    version: NotRequired[Literal[1]]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Moment
    timezone: NotRequired[Annotated[str, Field(max_length=64, examples=["Europe/Berlin"])] | None]
    source: NotRequired[Id]


class Withdrawn(TypedDict):
    """A learner left a course run. What the learner does afterwards no longer counts."""

    type: Literal["withdrawn"]
    version: NotRequired[Literal[1]]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Moment
    source: NotRequired[Id]


class Completed(TypedDict):
    """The final result of an enrolment, known when the course run has ended."""

    type: Literal["completed"]
    version: NotRequired[Literal[1]]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Moment
    result: Literal["pass", "distinction", "fail"]
    source: NotRequired[Id]


class Deadline(TypedDict):
    """Assessed work that is due at a moment; a submission names it in its ``object``.

    With a ``due_at`` from 2100 on the work counts as not listed. Of work that is listed twice the later
    deadline holds.
    """

    assessment: Id
    due_at: OpenMoment
    weight: Fraction


class CourseCalendar(TypedDict):
    """When a course run starts and ends, and what is due. A newer calendar replaces an older one.

    A run whose ``ends_at`` is left out, null, or 2100 or later has no end: its enrolments are scored for as
    long as they have events, and nothing is learned from them. Submissions stay with their assessment,
    whatever calendars come in between.
    """

    type: Literal["calendar"]
    version: NotRequired[Literal[1]]
    event_id: Id
    course: Id
    course_run: CourseRun
    occurred_at: Moment
    starts_at: Moment
    ends_at: NotRequired[OpenMoment | None]
    deadlines: Annotated[list[Deadline], Field(max_length=MAX_DEADLINES)]
    source: NotRequired[Id]


ENDS_TOO_EARLY = "ends_before_it_starts"
"""The type of the error for a calendar that ends before it starts, in which nobody would be scored."""


def _in_order(calendar: CourseCalendar) -> CourseCalendar:
    starts, ends = calendar["starts_at"], calendar.get("ends_at")
    if ends is not None and not is_never(ends) and ends <= starts:
        context = {"found": ends.isoformat(), "starts": starts.isoformat()}
        raise PydanticCustomError(
            ENDS_TOO_EARLY, "found {found}; expected later than starts_at, {starts}; or none", context
        )
    return calendar


Calendar = Annotated[CourseCalendar, AfterValidator(_in_order)]
"""A calendar whose end comes after its start."""


class ClockTick(TypedDict):
    """Sent by a replaying source: all its messages before ``occurred_at`` have been sent."""

    type: Literal["tick"]
    version: NotRequired[Literal[1]]
    occurred_at: Moment
    source: NotRequired[Id]
