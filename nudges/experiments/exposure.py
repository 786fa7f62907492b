"""Which decisions compare: those at which chance alone chose between a nudge and none.

Guards are asked before the holdout, so a decision *held by the holdout* and a decision *to send* are of
the same kind of learner at the same kind of moment; all others are not compared. An enrolment counts
once, from its **first** such decision: by the second, one arm has had a nudge. Whatever becomes of the
nudge afterwards (cancelled, expired, never opened) the enrolment stays in the arm it was drawn into:
that is *intention to treat*, the only comparison that chance alone stands behind.

Later exposures are kept too: choosing between variants learns from each of them, and training must know
when a learner was nudged.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from schemas.nudge import NudgeDecision

Arm = Literal["holdout", "nudged"]
ARMS: tuple[Arm, ...] = get_args(Arm)

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Exposure:
    """One decision that chance made, of one enrolment.

    ``day``: the epoch day in which it was decided; ``variant``: of the message, empty for the holdout;
    ``propensity``: the probability of this very outcome of the draws; ``first``: of the enrolment.
    """

    decision_id: str
    campaign: str
    variant: str
    arm: Arm
    day: int
    propensity: float
    first: bool


def exposure_of(decision: NudgeDecision, variant: str, *, first: bool) -> Exposure | None:
    """The decision as an exposure, or None where a guard rather than chance made it."""
    arm = arm_of(decision)
    if arm is None:
        return None
    return Exposure(
        decision_id=decision.decision_id,
        campaign=decision.campaign,
        variant="" if arm == "holdout" else variant,
        arm=arm,
        day=int(decision.decided_at.timestamp()) // DAY_S,
        propensity=decision.propensity,
        first=first,
    )


def arm_of(decision: NudgeDecision) -> Arm | None:
    """The arm into which chance put the enrolment; None where the draw had no say."""
    if decision.decision == "send":
        return "nudged"
    return "holdout" if decision.reason == "holdout" else None
