"""Nudges and the decisions behind them, the *no* included."""

from typing import Literal

from pydantic import Field

from schemas.fields import CourseRun, Fraction, Id, Instant, Message
from schemas.learner import Channel

DecisionReason = Literal[
    "sent",
    "level_not_nudged",  # the change is not one that the policy acts on
    "cap_reached",  # the learner had a nudge within the cap's window
    "quiet_hours",  # postponed to `send_at`, not dropped
    "opted_out",
    "paused",
    "holdout",
    "run_over",  # the enrolment or its run has ended
    "warming_up",  # the model knows nothing yet
]


class Nudge(Message):
    """A message that a notifier should deliver. Keyed by the learner; idempotent by ``nudge_id``."""

    type: Literal["nudge"] = "nudge"
    version: Literal[1] = 1
    nudge_id: Id
    risk_change_id: Id
    learner: Id
    course_run: CourseRun
    campaign: str
    channel: Channel
    decided_at: Instant
    send_at: Instant = Field(description="not before: quiet hours and the learner's rhythm are in it")
    expires_at: Instant
    goal: str
    text: str = Field(description="the suggestion in words, for notifiers without templates")
    reasons: list[str]


class NudgeDecision(Message):
    """One row of the ledger: what was decided on a risk change, why, and by which policy."""

    type: Literal["nudge_decision"] = "nudge_decision"
    version: Literal[1] = 1
    decision_id: Id
    risk_change_id: Id
    nudge_id: Id | None
    learner: Id
    course_run: CourseRun
    decided_at: Instant
    send_at: Instant | None
    decision: Literal["send", "hold"]
    reason: DecisionReason
    campaign: str
    policy_version: str
    propensity: Fraction
