"""Facts about enrolments and course runs, and the clock ticks of replaying sources.

They travel in the same topic as the activity, so that Kafka's order within a partition is the order
in which the platform published them. A learner's facts are keyed by the learner; a calendar and a
tick concern everybody and are sent to every partition. None of them is an activity: they end no silence.
"""

from typing import Annotated, Literal, NotRequired

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from schemas.fields import CourseRun, Fraction, Id, Moment, OpenMoment, Platform, is_never
from schemas.roles import Role

MAX_DEADLINES = 2_000
"""Entries a calendar may have, those of sections and of single learners included. A piece of work costs
twelve bytes of state for each enrolment that handed anything in."""

Version = Literal[1, 2]
"""Of the contract. Version 2 added messages and optional fields; both are read alike."""

Attempts = Literal["best", "last", "first", "mean"]
"""Which attempt's grade counts."""


class Enrolled(TypedDict):
    """A learner registered for a course run, or is registered still.

    The newest of registrations and withdrawals holds, by event time: who comes back is scored again. Who has
    another ``role`` than *learner* is neither scored nor counted among the learners.
    """

    type: Literal["enrolled"]
    version: NotRequired[Version]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Moment
    timezone: NotRequired[Annotated[str, Field(max_length=64, examples=["Europe/Berlin"])] | None]
    role: NotRequired[Role | None]
    section: NotRequired[Id | None]
    track: NotRequired[Id | None]
    language: NotRequired[Annotated[str, Field(min_length=1, max_length=35, examples=["pt-BR"])] | None]
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


class Withdrawn(TypedDict):
    """A learner left a course run. What the learner does afterwards does not count, unless they register
    again."""

    type: Literal["withdrawn"]
    version: NotRequired[Version]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Moment
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


class Completed(TypedDict):
    """The final result of an enrolment, known when the course run has ended. A later registration or
    withdrawal does not take it back, a later result does."""

    type: Literal["completed"]
    version: NotRequired[Version]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Moment
    result: Literal["pass", "distinction", "fail"]
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


class Graded(TypedDict):
    """A grade of a piece of work. May come at any time before the run ends, and before or after the calendar.

    ``object`` names the work as the hand-in does. A grade is of the newest attempt unless ``attempt`` names
    another, and a newer grade of an attempt replaces the one before. Work without a grade is neither earned
    nor lost. A score of 0 for work that was not handed in is how platforms mark missing work: it stays
    missing.
    """

    type: Literal["graded"]
    version: NotRequired[Version]
    event_id: Id
    learner: Id
    course_run: CourseRun
    object: Id
    score: Fraction
    graded_at: Moment
    attempt: NotRequired[Annotated[int, Field(ge=1, le=255)] | None]
    submission: NotRequired[Id | None]
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


class ProgressReport(TypedDict):
    """How far a learner has come, by the platform's own count. The newest holds, also where it is less."""

    type: Literal["progress"]
    version: NotRequired[Version]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Moment
    progress: Fraction
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


class Extension(TypedDict):
    """More time for one learner, or less; or that a piece of work is not asked of them. The newest holds.

    ``object`` names the work as the calendar does. A ``due_at`` from 2100 on, or null, means no date.
    """

    type: Literal["extension"]
    version: NotRequired[Version]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Moment
    object: Id
    due_at: NotRequired[OpenMoment | None]
    excused: NotRequired[bool]
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


class Deadline(TypedDict):
    """Assessed work that is due at a moment; a submission names it in its ``object``.

    With a ``due_at`` from 2100 on the work counts as not listed. Of work that is listed twice the later
    deadline holds. With ``section`` or ``learner`` the moment is theirs alone; one learner's comes before a
    section's, and that before everybody's.
    """

    assessment: Id
    due_at: OpenMoment
    weight: Fraction
    section: NotRequired[Id | None]
    learner: NotRequired[Id | None]
    attempts: NotRequired[Attempts | None]


class CourseCalendar(TypedDict):
    """When a course run starts and ends, and what is due. A newer calendar replaces an older one.

    A run whose ``ends_at`` is left out, null, or 2100 or later has no end: its enrolments are scored for as
    long as they have events, and nothing is learned from them. Submissions stay with their assessment,
    whatever calendars come in between.
    """

    type: Literal["calendar"]
    version: NotRequired[Version]
    event_id: Id
    course: Id
    course_run: CourseRun
    occurred_at: Moment
    starts_at: Moment
    ends_at: NotRequired[OpenMoment | None]
    deadlines: Annotated[list[Deadline], Field(max_length=MAX_DEADLINES)]
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


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
    version: NotRequired[Version]
    occurred_at: Moment
    source: NotRequired[Id]
