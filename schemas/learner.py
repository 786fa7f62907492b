"""Inbound messages about nudges: feedback on a nudge, and learners' preferences for all of them."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from schemas.fields import CourseRun, Id, Moment, TimeZone, Until

FeedbackKind = Literal[
    "sent",  # another system wrote to the learner: counts toward the caps
    "delivered",
    "undelivered",  # it will not be, or it is not known whether it was; `reason` has the cause
    "opened",
    "clicked",
    "dismissed",
    "unsubscribed",
    "helped",  # an instructor's assessment, as are the next two
    "not_at_risk",
    "in_contact",
    "approved",  # an instructor approved a proposed nudge
    "declined",  # an instructor declined it
]

Channel = Literal["email", "sms", "push", "in_app", "instructor"]


class NudgeFeedback(TypedDict):
    """The result of a nudge's delivery, or a reaction to it. Keyed by the learner."""

    type: Literal["feedback"]
    version: NotRequired[Literal[1]]
    event_id: Id
    learner: Id
    course_run: NotRequired[CourseRun | None]  # of an instructor's assessment
    nudge_id: NotRequired[Id | None]
    kind: FeedbackKind
    occurred_at: Moment
    channel: NotRequired[Channel | None]
    reason: NotRequired[Annotated[str, Field(max_length=64)]]  # why it was not delivered
    source: NotRequired[Id]


class Preferences(TypedDict):
    """How a learner wants to be reached. Keyed by the learner.

    A field that is left out stays unchanged; of each field the newest value by ``occurred_at`` holds. A
    ``paused_until`` before 2000 is over, one from 2100 on has no end. Anybody may opt a learner out
    (``opted_out``, ``paused_until``, ``suppressed``); only a message ``said_by`` the learner, or by an admin
    with a ``reason``, opts the learner in again. See ``schemas/consent.py``.
    """

    type: Literal["preferences"]
    version: NotRequired[Literal[1]]
    event_id: Id
    learner: Id
    occurred_at: Moment
    timezone: NotRequired[TimeZone | None]
    opted_out: NotRequired[list[Channel]]
    paused_until: NotRequired[Until | None]
    digest: NotRequired[bool]
    suppressed: NotRequired[bool]  # on the suppression list: nothing is sent, on any channel
    said_by: NotRequired[Literal["learner", "instructor", "admin"]]  # whose request it is; absent: unknown
    reason: NotRequired[Annotated[str, Field(max_length=200)]]  # an admin's for opting a learner in again
    source: NotRequired[Id]
