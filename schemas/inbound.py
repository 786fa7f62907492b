"""All messages that platforms publish: those of the two inbound topics, each as a tagged union."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from schemas.activity import ActivityEvent
from schemas.enrolment import (
    Calendar,
    ClockTick,
    Completed,
    Enrolled,
    Extension,
    Graded,
    ProgressReport,
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
    | Calendar
    | ClockTick,
    Field(discriminator="type"),
]
"""A message of the events topic."""

Feedback = Annotated[NudgeFeedback | Preferences, Field(discriminator="type")]
"""A message of the feedback topic."""

event_adapter: TypeAdapter[Event] = TypeAdapter(Event)
feedback_adapter: TypeAdapter[Feedback] = TypeAdapter(Feedback)
