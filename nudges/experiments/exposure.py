"""Which decisions compare: those at which chance alone chose between a nudge and none.

Guards are asked before the holdout, so a decision *held by the holdout* and a decision *to send* (or to
propose it to an instructor) are of the same kind of learner at the same kind of moment; all others are not
compared. An enrolment counts once, from its **first** such decision: by the second, one arm has had a nudge.
Whatever becomes of the nudge afterwards (declined, cancelled, expired, never opened) the enrolment stays in
the arm it was drawn into: that is *intention to treat*, the only comparison that chance alone stands behind.

Later exposures are kept too: choosing between variants learns from each of them, and training must know
when a learner was nudged.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal, Self, get_args

from schemas.fields import DAY_S
from schemas.nudge import NudgeDecision

Arm = Literal["holdout", "nudged"]
ARMS: tuple[Arm, ...] = get_args(Arm)


@dataclass(frozen=True, slots=True)
class Exposure:
    """One decision that chance made, of one enrolment.

    ``day``: the epoch day in which it was decided; ``variant``: of the message, empty for the holdout;
    ``propensity``: the probability of this very outcome of the draws; ``first``: of the enrolment;
    ``context``: what a bandit saw, zeros and ones.
    """

    decision_id: str
    risk_change_id: str
    campaign: str
    variant: str
    arm: Arm
    day: int
    propensity: float
    first: bool
    context: tuple[int, ...] = ()

    def as_data(self) -> list[Any]:
        """As plain values, for JSON."""
        return [*astuple(self)[:-1], list(self.context)]

    @classmethod
    def from_data(cls, data: Sequence[Any]) -> Self:
        """What :meth:`as_data` gave."""
        values: list[Any] = [*data[:-1], tuple(data[-1])]
        return cls(*values)


def exposure_of(
    decision: NudgeDecision, earlier: Sequence[Exposure], context: tuple[int, ...] = ()
) -> Exposure | None:
    """The decision as an exposure of an enrolment that had ``earlier`` ones; None where it is none.

    It is none where a guard rather than chance made it, and where it answers a change that was answered
    before: an instructor's yes does not expose anybody anew.
    """
    arm = arm_of(decision)
    if arm is None or any(one.risk_change_id == decision.risk_change_id for one in earlier):
        return None
    return Exposure(
        decision_id=decision.decision_id,
        risk_change_id=decision.risk_change_id,
        campaign=decision.campaign,
        variant=decision.variant,
        arm=arm,
        day=int(decision.decided_at.timestamp()) // DAY_S,
        propensity=decision.propensity,
        first=not earlier,
        context=context,
    )


def arm_of(decision: NudgeDecision) -> Arm | None:
    """The arm into which chance put the enrolment; None where the draw had no say."""
    if decision.reason == "holdout":
        return "holdout"
    proposed = decision.reason == "awaiting_approval"
    return "nudged" if proposed or decision.decision == "send" else None
