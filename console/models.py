"""pydantic models of the API's requests and responses, with examples; the pages render the same values."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from console import examples
from console.answers import Answer, with_examples
from console.restrictions import PreferenceChange, Restrictions
from schemas.fields import CourseRun, Fraction, Id
from schemas.learner import Channel
from schemas.risk import ModelState, RiskLevel
from schemas.zones import is_zone_name

Pseudonym = Annotated[
    str, Field(pattern=r"^[0-9a-f]{16}$", examples=["c2651a12136719b3"], description="a learner's pseudonym")
]
InstructorFeedbackKind = Literal["helped", "not_at_risk", "in_contact"]
"""The kinds of feedback that an instructor may send on a listed learner."""

Order = Literal["urgency", "probability", "changed"]
"""``urgency``: unanswered first; then high, risen to medium, fallen to it; newest change; probability."""


class Me(Answer):
    """Whose key it is."""

    model_config = with_examples(examples.ME)

    name: str = Field(examples=["Ada Byron"])
    role: Literal["viewer", "instructor", "admin"]
    courses: list[str] = Field(description="a course with all of its runs, or one run; empty for an admin")


class RiskReason(Answer):
    """A main reason of a change of level."""

    text: str = Field(examples=["no activity for 9 days (before: active on the last day)"])
    contribution: float = Field(description="its part of the change, in log-odds; positive raises the risk")
    relief: str | None = Field(
        None,
        description="where the risk rose: what would have brought it down on the day of the change, and to "
        "what; null where nothing that the learner can do would",
        examples=["active again: 61 %"],
    )


class FeedbackEvent(Answer):
    """What somebody said of a learner or a nudge."""

    model_config = with_examples(examples.WORD)

    kind: str = Field(examples=["in_contact"])
    at: datetime
    course_run: str
    nudge_id: str | None = None
    arrived: bool = Field(True, description="false while it is on its way into the store")


class Risk(Answer):
    """An enrolment's risk now, and why."""

    model_config = with_examples(examples.RISK)

    learner: Pseudonym
    name: str | None = Field(None, description="null where nobody has told the console who it is")
    course_run: CourseRun
    day: date = Field(description="the estimate rests on events of days before this one")
    probability: Fraction = Field(description="P(lost): the learner will not complete", examples=[0.91])
    level: RiskLevel
    model_state: ModelState
    changed_on: date | None = Field(
        None, description="day of the last change of level; null if there was none"
    )
    previous_level: RiskLevel | None = None
    previous_probability: Fraction | None = None
    reasons: list[RiskReason] = Field(
        default_factory=list, description="of the last change, the main one first"
    )
    step: str = Field("", description="a suggestion for the instructor, by the main reason")
    answered: FeedbackEvent | None = Field(None, description="an instructor's word since the last change")
    unwanted: Restrictions | None = Field(
        None, description="what the learner does not want; null where nothing"
    )


class RiskPage(Answer):
    """A page of a list of risks."""

    model_config = with_examples(examples.RISK_PAGE)

    as_of: date | None = Field(description="the newest day that was estimated; null before the first")
    total: int = Field(description="that the filters let through, on all pages")
    items: list[Risk]
    next: str | None = Field(None, description="give it as `cursor` to get the next page")


class HistoryPoint(Answer):
    """An estimate of the past. They are kept when they moved, and at least weekly."""

    day: date
    probability: Fraction
    level: RiskLevel
    model_state: ModelState


class ActivityDay(Answer):
    """What a learner did on a day."""

    day: date
    clicks: int


class Change(Answer):
    """A change of level."""

    day: date
    previous_level: RiskLevel
    level: RiskLevel
    previous_probability: Fraction
    probability: Fraction
    reasons: list[RiskReason]


class Decision(Answer):
    """One row of the ledger: what was decided on a change of level."""

    model_config = with_examples(examples.DECISION, examples.PROPOSAL)

    decision_id: str
    nudge_id: str | None
    learner: Pseudonym
    name: str | None = None
    course_run: CourseRun
    decided_at: datetime
    send_at: datetime | None
    decision: str = Field(examples=["send"])
    reason: str = Field(examples=["sent"])
    campaign: str
    channel: str | None = Field(None, examples=["email"], description="null where nothing was to be sent")
    text: str | None = Field(
        None, description="of a proposal: what would be said; null where the console does not know the policy"
    )
    words: list[FeedbackEvent] = Field(
        default_factory=list, description="what became of it, the newest first"
    )
    unwanted: Restrictions | None = Field(
        None, description="what the learner does not want by now; null where nothing"
    )


class DecisionPage(Answer):
    """A page of the ledger, the newest first."""

    model_config = with_examples(examples.DECISION_PAGE)

    items: list[Decision]
    next: str | None = None


class Story(Answer):
    """One enrolment from its first estimate to now."""

    model_config = with_examples(examples.STORY)

    risk: Risk
    history: list[HistoryPoint]
    activity: list[ActivityDay] = Field(
        description="days of the weeks that were estimated; absent: not known"
    )
    changes: list[Change] = Field(description="the newest first")
    decisions: list[Decision] = Field(description="the newest first")
    words: list[FeedbackEvent] = Field(description="the newest first")
    wishes: list[PreferenceChange] = Field(
        default_factory=list, description="how the learner wants to be reached; the newest first"
    )


class Learner(Answer):
    """A learner's risks, in every course run of the key's scope."""

    model_config = with_examples(examples.LEARNER_NOW)

    learner: Pseudonym
    name: str | None
    risks: list[Risk]


class Course(Answer):
    """A course run today: how many, how active, how many at which level."""

    model_config = with_examples(examples.COURSE)

    course_run: CourseRun
    first_day: date
    last_day: date = Field(description="the newest day that is closed")
    week: int = Field(description="of the run, from 1", examples=[9])
    over: bool
    enrolled: int
    active_7: int = Field(description="active within the seven days that end with the last")
    low: int
    medium: int
    high: int


class EngagementDay(Answer):
    """A course run's engagement on a day."""

    day: date
    enrolled: int
    active: int
    active_7: int
    clicks: int
    new: int
    withdrawn: int


class RiskWeek(Answer):
    """How many learners a week's last estimates put into each fifth of P(lost)."""

    week: int
    starts_on: date
    fifths: Annotated[list[int], Field(min_length=5, max_length=5, examples=[[120, 61, 30, 22, 17]])]


class CourseStory(Answer):
    """A course run from its start."""

    model_config = with_examples(examples.COURSE_STORY)

    course: Course
    engagement: list[EngagementDay]
    weeks: list[RiskWeek]


class DecisionCount(Answer):
    """How many decisions of one kind there were."""

    decision: str = Field(examples=["hold"])
    reason: str = Field(examples=["holdout"])
    count: int


class Uplift(Answer):
    """What a campaign did, against those whom chance held out of it."""

    campaign: str
    variant: str = Field(examples=["all"])
    outcome: str = Field(examples=["active_7"])
    nudged: int = Field(
        description="first exposures that chance let through, sent or not; with known outcome"
    )
    nudged_share: float | None = Field(description="of them, to whom it happened; null while there is nobody")
    held_out: int
    held_out_share: float | None
    difference: float | None = Field(description="null while an arm has nobody")
    low: float = Field(description="of the 95 % interval, valid however often one looks")
    high: float
    judgement: str = Field(examples=["not yet known"], description="helps, harms, or not yet known")


class Messages(Answer):
    """What became of a campaign's messages. Those who were drawn to get one are not those who got one."""

    campaign: str
    proposed: int = Field(description="to an instructor")
    decided: int = Field(description="to be sent, at once or later")
    taken_back: int = Field(description="of these, before they went out")
    delivered: int = Field(description="as a notifier says; 0 where none tells")


class Interventions(Answer):
    """What was decided, and what is known of its effect."""

    model_config = with_examples(examples.INTERVENTIONS)

    decisions: list[DecisionCount]
    messages: list[Messages] = Field(default_factory=list, description="by campaign")
    uplift: list[Uplift] = Field(description="empty until the first outcomes are known")


# -- what comes in ------------------------------------------------------------------------------------


class InstructorFeedback(BaseModel):
    """An instructor's word on a learner who is listed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"learner": "c2651a12136719b3", "course_run": "BBB/2014B", "kind": "in_contact"},
            ]
        },
    )

    learner: Pseudonym
    course_run: CourseRun
    kind: InstructorFeedbackKind
    nudge_id: Id | None = None


class Accepted(Answer):
    """The message is with the broker; the ledger has it a few seconds later."""

    model_config = with_examples(examples.ACCEPTED)

    event_id: str


def _existing_zone(name: str) -> str:
    if not is_zone_name(name):
        raise PydanticCustomError("time_zone", "expected an IANA name such as Europe/Berlin")
    return name


TimeZone = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_existing_zone)]
"""A time zone that exists. A worker would serve the learner in the policy's own instead, and say nothing."""


class PreferencesUpdate(BaseModel):
    """How a learner wants to be reached. What is left out stays as it is.

    A learner's no is taken back by the learner, or by an admin with a ``reason``; for others that is a 403.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"opted_out": ["sms"], "paused_until": "2026-06-01T00:00:00Z"}]},
    )

    timezone: TimeZone | None = None
    opted_out: list[Channel] | None = None
    paused_until: AwareDatetime | None = None
    reason: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="why an admin takes a learner's no back; kept"
    )


class Preferences(Restrictions):
    """What is known of how a learner wants to be reached."""

    model_config = with_examples(examples.PREFERENCES)

    learner: Pseudonym
    timezone: str | None


class Question(BaseModel):
    """A learner to score who need not exist. Features by name, in their own units (docs/features.md)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"course_run": "BBB/2014B", "features": {"silence": 9, "missed_last": 1}}]
        },
    )

    course_run: CourseRun
    features: dict[Annotated[str, Field(max_length=64)], float] = Field(
        default_factory=dict, max_length=200, description="those not given are the cohort's middle"
    )


class WhatIfAnswer(Answer):
    """P(lost) of the described learner, of the middle of the cohort, and what makes the difference."""

    model_config = with_examples(examples.WHAT_IF)

    probability: Fraction
    base_probability: Fraction
    reasons: list[RiskReason]
    model_version: str
    model_state: str
    day: date


class Health(Answer):
    """Whether the process runs, or can serve."""

    model_config = with_examples(examples.HEALTH)

    status: Literal["ok"] = "ok"
    as_of: date | None = Field(None, description="the newest day in the store")
