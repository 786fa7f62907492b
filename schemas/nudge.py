"""Nudges, and the decisions on them, those to send none included."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from schemas.fields import CourseRun, Fraction, Id, Instant, Message, Tagged
from schemas.learner import Channel

DecisionReason = Literal[
    "sent",
    "data_quality",  # a source of the course run was silent or abnormal: nothing is sent for such a day
    "quiet_hours",  # postponed to `send_at`, not dropped
    "study_time",  # postponed to the hour at which this learner usually studies
    "digest",  # postponed to the next digest, which the learner prefers
    "level_not_nudged",  # the change is not one that the policy acts on
    "reason_not_nudged",  # a campaign answers the transition, but not this main reason
    "phase_not_nudged",  # … but not in this phase of the course
    "cap_reached",  # the learner had as many nudges as a window allows
    "campaign_cap_reached",  # … of this campaign
    "channel_cap_reached",  # … on every channel that is left
    "opted_out",
    "paused",
    "suppressed",  # the learner is on the suppression list
    "holdout",
    "run_over",  # the enrolment or its run has ended
    "warming_up",  # the model has not learned enough yet
    "expired",  # the first allowed moment comes when the reason may no longer be true
    "awaiting_approval",  # proposed to an instructor
    "declined",  # by an instructor
    "recovered",  # cancelled: the risk has fallen since
    "merged",  # cancelled: the account was merged into another one
]


class Nudge(Tagged):
    """A message that a notifier should deliver. Keyed by the learner; idempotent by ``nudge_id``."""

    type: Literal["nudge"] = "nudge"
    version: Literal[1] = 1
    nudge_id: Id
    risk_change_id: Id
    learner: Id
    course_run: CourseRun
    campaign: str
    variant: str = Field("only", description="which of the campaign's variants")
    channel: Channel
    digest: bool = Field(
        False, description="goes with the learner's others of the same `send_at` and channel as one message"
    )
    decided_at: Instant
    send_at: Instant = Field(description="not before: quiet hours and the learner's rhythm are in it")
    expires_at: Instant
    goal: str
    text: str = Field(description="the suggestion in words, for notifiers without templates")
    suggestion: Id | None = Field(
        None, description="an object of the course that the learner has not done yet: the next step"
    )
    variables: dict[str, str] = Field(
        default_factory=dict, description="what the text was made with, for notifiers with templates"
    )
    reasons: list[str]


class NudgeCancelled(Tagged):
    """A nudge that must not be delivered any more. Keyed by the learner; comes before its ``send_at``."""

    type: Literal["nudge_cancelled"] = "nudge_cancelled"
    version: Literal[1] = 1
    nudge_id: Id
    learner: Id
    course_run: CourseRun
    cancelled_at: Instant
    reason: DecisionReason


class NudgeDecision(Message):
    """One row of the ledger: the decision on a risk change, its reason, and its policy."""

    type: Literal["nudge_decision"] = "nudge_decision"
    version: Literal[1] = 1
    decision_id: Id
    risk_change_id: Id
    nudge_id: Id | None = Field(description="of the nudge sent, cancelled, or proposed to an instructor")
    learner: Id
    course_run: CourseRun
    decided_at: Instant
    send_at: Instant | None
    decision: Literal["send", "hold", "cancel"]
    reason: DecisionReason
    campaign: str
    variant: str = Field("", description="of the nudge; empty where none was chosen")
    channel: Channel | None = None
    policy_version: str
    propensity: Fraction


NudgeMessage = Annotated[Nudge | NudgeCancelled, Field(discriminator="type")]
"""A message of the nudges topic."""

nudge_adapter: TypeAdapter[NudgeMessage] = TypeAdapter(NudgeMessage)
