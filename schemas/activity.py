"""The activity event: one action of a learner, as the platform recorded it.

This is the hot path. The definition is a ``TypedDict``: pydantic validates one in about a microsecond, where
a model object takes several, and the same type exports the JSON Schema for platforms.
"""

from typing import Annotated, Literal, NotRequired, get_args

from pydantic import Field
from typing_extensions import TypedDict

from schemas.fields import CourseRun, Fraction, Id, Moment, Platform
from schemas.roles import Role

ActivityKind = Literal[
    "home",  # the course's front page, its calendar, its progress page
    "content",  # reading material inside the platform
    "page",  # a sub-page, folder or glossary that leads to content
    "resource",  # a file or an external link
    "video",  # played, paused or finished
    "forum",  # read, searched or written
    "wiki",  # read or edited
    "quiz",  # a quiz or questionnaire, opened or attempted
    "submission",  # assessed work handed in; may carry its score
    "other",  # live sessions, tools, and all that fits no other kind
]
"""Kinds of activity. Sources map their own verbs to these; an unknown kind is a dead letter."""

ACTIVITY_KINDS: tuple[str, ...] = get_args(ActivityKind)


Actor = Literal["learner", "system"]
"""Who made an event. One of a machine (a nightly job that writes completions) ends no silence."""


class ActivityEvent(TypedDict):
    """One activity of one learner in one course run. The record's key is the learner.

    What somebody in another ``role`` does, or a machine (``actor``), is not counted as a learner's activity.
    """

    type: Literal["activity"]
    version: NotRequired[Literal[1, 2]]
    event_id: Id
    learner: Id
    course_run: CourseRun
    kind: ActivityKind
    occurred_at: Moment
    object: NotRequired[Id | None]
    duration_s: NotRequired[Annotated[float, Field(ge=0.0, le=86_400.0)] | None]
    score: NotRequired[Fraction | None]
    progress: NotRequired[Fraction | None]
    session: NotRequired[Id | None]
    count: NotRequired[Annotated[int, Field(ge=1, le=100_000)]]
    source: NotRequired[Id]
    platform: NotRequired[Platform | None]
    role: NotRequired[Role | None]
    actor: NotRequired[Actor]
