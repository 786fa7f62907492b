"""All messages that platforms publish: those of the events and the feedback, each as a tagged
union, and the course facts: calendars of course runs, and new names of them."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_type_hints

from pydantic import Field, TypeAdapter

from schemas.activity import ActivityEvent
from schemas.enrolment import (
    Calendar,
    ClockTick,
    Completed,
    Enrolled,
    Extension,
    Graded,
    Merged,
    Pause,
    ProgressReport,
    Renamed,
    Withdrawn,
)
from schemas.learner import NudgeFeedback, Preferences

Event = Annotated[
    ActivityEvent
    | Enrolled
    | Withdrawn
    | Completed
    | Graded
    | ProgressReport
    | Extension
    | Pause
    | Merged
    | Renamed
    | Calendar
    | ClockTick,
    Field(discriminator="type"),
]
"""A message of the events topic."""

Feedback = Annotated[NudgeFeedback | Preferences, Field(discriminator="type")]
"""A message of the feedback topic."""


def _by_type(union: Any) -> dict[str, Any]:
    """The classes of a tagged union, by the value of their ``type``."""
    members, _ = get_args(union)
    classes = [getattr(member, "__origin__", member) for member in get_args(members)]  # of an Annotated
    return {get_args(get_type_hints(each)["type"])[0]: each for each in classes}


EVENT_CLASSES: Mapping[str, Any] = _by_type(Event)
FEEDBACK_CLASSES: Mapping[str, Any] = _by_type(Feedback)

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)
feedback_adapter: TypeAdapter[Feedback] = TypeAdapter(Feedback)
CourseFact = Annotated[Calendar | Renamed, Field(discriminator="type")]
"""A message of the course facts."""

COURSE_FACT_TYPES = frozenset(_by_type(CourseFact))
"""Types of the messages that concern everybody in a run: published to the course facts, keyed by the run."""

course_fact_adapter: TypeAdapter[CourseFact] = TypeAdapter(CourseFact)
