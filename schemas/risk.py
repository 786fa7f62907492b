"""The risk change: an enrolment's risk moved from one level to another, and why."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from schemas.fields import CourseRun, Day, Fraction, Id, Instant, Message

RiskLevel = Literal["low", "medium", "high"]
RISK_LEVELS: tuple[str, ...] = get_args(RiskLevel)

ModelState = Literal[
    "warming_up",  # no model yet: the estimate is the documented recency prior
    "serving",  # the model of the day scored it
    "stale",  # live operation went on with an older day package
]


DataQuality = Literal[
    "ok",
    "suspect",  # a source of the course run was silent or abnormal on the day
]


MODEL, MEMORY, RUN = "model", "memory", "run"
"""Parts of a change that are no news of the learner: what the model has learned since, the weight of earlier
days, and how far withdrawals of the whole course run differ from those predicted. A reason has one as its
feature where it moved the estimate more than all news."""

CONFIRMED = "confirmed"
"""The feature of a reason that the level follows an estimate which was there before."""


class Reason(Message):
    """One of the main reasons of a change, in the reader's words."""

    feature: str = Field(
        description="its name in the catalogue; or 'model', 'memory' or 'run', as in `parts`; or 'confirmed'"
    )
    text: str = Field(examples=["no activity for 9 days (was active on 4 of 7 days before)"])
    contribution: float = Field(description="its part of the change, in log-odds; positive raises the risk")
    relief: str | None = Field(
        None,
        description="where the risk rose: what would bring it down, and to what",
        examples=["as for a typical learner of the course (40 clicks in the last 7 days): 61 %"],
    )


class RiskChange(Message):
    """Emitted on confirmed level transitions only, not on every score. Keyed by the learner."""

    type: Literal["risk_change"] = "risk_change"
    version: Literal[1] = 1
    risk_change_id: Id = Field(description="deterministic: the same events give the same id")
    learner: Id
    course_run: CourseRun
    occurred_at: Instant = Field(description="event time of the decision: the end of the day closed")
    day: Day = Field(description="the estimate rests on events of days before this one")
    previous_level: RiskLevel
    level: RiskLevel
    probability: Fraction = Field(description="P(lost): the learner will not complete")
    previous_probability: Fraction
    exit_probability: Fraction = Field(description="P(exit): the learner leaves within the next 21 days")
    model_state: ModelState
    model_version: str
    data_quality: DataQuality = "ok"
    reasons: Annotated[list[Reason], Field(max_length=6)]
    parts: dict[str, float] = Field(
        description="what each group of features contributed to the change, under 'memory' that earlier days "
        "still count, under 'run' how far withdrawals differ from those foretold, and under 'model' what the "
        "model learned since the last one; in log-odds, and they add up to the change"
    )
