"""Facts about enrolments and course runs, and the clock ticks of replaying sources.

They travel in the same topic as the activity, so that Kafka's order within a partition is the order
in which the platform published them. A learner's facts are keyed by the learner; a calendar and a
tick concern everybody and are sent to every partition. None of them is an activity: they end no silence.
"""

from typing import Annotated, Any, Literal, LiteralString, NotRequired

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from schemas.fields import CourseRun, Fraction, Id, Moment, OpenMoment, Platform, TimeZone, is_never
from schemas.roles import Role

MAX_DEADLINES = 2_000
"""Entries a calendar may have, those of sections and of single learners included. A piece of work costs
twelve bytes of state for each enrolment that handed anything in."""

Version = Literal[1, 2]
"""Of the contract. Version 2 added messages and optional fields; both are read alike."""

INACTIVE_AFTER_DAYS, LEAST_INACTIVE_DAYS, MOST_INACTIVE_DAYS = 28, 7, 180
"""After how many days without activity a learner of a run without an end is gone: where the calendar does not
say, and its least and most. After less than a week everybody is gone at some time; an example is learned from
three weeks after so many days."""

MOST_DUE_AFTER_DAYS = 3_650
"""Days from a learner's own start to a deadline, at most."""

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
    timezone: NotRequired[TimeZone | None]
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


class Pause(TypedDict):
    """A learner pauses: nothing is expected of them, they are not scored, and these days are no silence.

    From ``from_at`` until ``until_at``, or for now where that is null or from 2100 on. The newest message
    with the same ``from_at`` holds, so that a pause may become shorter, longer, or end; one that ends no
    later than it begins is taken back. Days that lie only partly within a pause belong to it, except where
    the learner was active.
    """

    type: Literal["pause"]
    version: NotRequired[Version]
    event_id: Id
    learner: Id
    course_run: CourseRun
    occurred_at: Moment
    from_at: Moment
    until_at: OpenMoment | None
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


MERGED_INTO_ITSELF, RENAMED_TO_ITSELF = "merged_into_itself", "renamed_to_itself"
"""The types of the errors for an account that is merged into itself, and a run whose new name is its old."""


def _into_another(field: str, what: str, error: LiteralString) -> AfterValidator:
    """Refuses a message whose ``into`` is what the field names already. what: of the two, for the message."""

    def check(message: Any) -> Any:
        if message["into"] == message[field]:
            context = {"found": message["into"], "what": what, "field": field}
            raise PydanticCustomError(error, "found {found}; expected another {what} than {field}", context)
        return message

    return AfterValidator(check)


class AccountMerge(TypedDict):
    """Two accounts are one person: all of ``learner`` belongs to ``into`` from now on.

    Published twice with the same content, keyed by the one and by the other name: each concerns the partition
    of its key. Enrolments, nudges and wishes are carried over at the close of the day of ``occurred_at``, and
    whatever still comes under the old name at the close of its day. The newest merge of an account holds.
    """

    type: Literal["merged"]
    version: NotRequired[Version]
    event_id: Id
    learner: Id
    into: Id
    occurred_at: Moment
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


Merged = Annotated[AccountMerge, _into_another("learner", "account", MERGED_INTO_ITSELF)]
"""A merge of two different accounts."""


class RunRename(TypedDict):
    """A course run has another name from now on; events under either name are of one run.

    Published like a calendar: once to the course facts, keyed by ``course_run``, its old name. In force from
    the close of the day of ``occurred_at`` on. Where the new name has no calendar, the old one's holds.
    """

    type: Literal["renamed"]
    version: NotRequired[Version]
    event_id: Id
    course_run: CourseRun
    into: CourseRun
    occurred_at: Moment
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]


Renamed = Annotated[RunRename, _into_another("course_run", "name", RENAMED_TO_ITSELF)]
"""A rename to another name."""


class AssessedWork(TypedDict):
    """Assessed work with its deadline; a submission names it in its ``object``.

    It is due at a moment (``due_at``), or so many days (``due_after_days``) after each learner's own start:
    their registration, or the run's start where that is later. One of the two is required. With a ``due_at``
    from 2100 on the work counts as not listed. Of work that is listed twice the later deadline holds, and one
    that counts from the learner's start before one with a moment. With ``section`` or ``learner`` it is
    theirs alone; one learner's comes before a section's, and that before everybody's.
    """

    assessment: Id
    due_at: NotRequired[OpenMoment]
    due_after_days: NotRequired[Annotated[int, Field(ge=0, le=MOST_DUE_AFTER_DAYS)]]
    weight: Fraction
    section: NotRequired[Id | None]
    learner: NotRequired[Id | None]
    attempts: NotRequired[Attempts | None]


NO_SINGLE_DATE = "no_single_date"
"""The type of the error for a deadline with both dates, or with none."""


def _with_one_date(work: AssessedWork) -> AssessedWork:
    if ("due_at" in work) == ("due_after_days" in work):
        found = "both" if "due_at" in work else "neither"
        raise PydanticCustomError(
            NO_SINGLE_DATE, "expected due_at or due_after_days; found {found}", {"found": found}
        )
    return work


_ONE_DATE = {"oneOf": [{"required": ["due_at"]}, {"required": ["due_after_days"]}]}

Deadline = Annotated[AssessedWork, AfterValidator(_with_one_date), Field(json_schema_extra=_ONE_DATE)]
"""Assessed work with exactly one date."""


class CourseCalendar(TypedDict):
    """When a course run starts and ends, and what is due. A newer calendar replaces an older one.

    A run whose ``ends_at`` is left out, null, or 2100 or later has no end, as where everybody learns at their
    own pace. In it a learner is lost who is not active for ``inactive_after_days`` (28 where it is not said;
    without a meaning for a run with an end). Submissions stay with their assessment, whatever calendars come
    in between.
    """

    type: Literal["calendar"]
    version: NotRequired[Version]
    event_id: Id
    course: Id
    course_run: CourseRun
    occurred_at: Moment
    starts_at: Moment
    ends_at: NotRequired[OpenMoment | None]
    inactive_after_days: NotRequired[
        Annotated[int, Field(ge=LEAST_INACTIVE_DAYS, le=MOST_INACTIVE_DAYS)] | None
    ]
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
