"""Exposures: the decisions that compare, at which chance alone chose between a nudge and none.

Guards are checked before the holdout, so a decision *held by the holdout* and a decision *to send* (or to
propose it to an instructor) are of the same kind of learner at the same kind of moment; all others are not
compared. An enrolment counts once, from its **first** such decision: by the second, one arm has had a nudge.
Whatever becomes of the nudge afterwards (declined, cancelled, expired, never opened) the enrolment stays in
the arm it was drawn into: this is *intention to treat*, the only comparison that rests on chance alone.

Later exposures are kept too: the bandit learns from each of them, and training must know when a learner was
nudged.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Literal, Self, get_args

from schemas.nudge import NudgeDecision

Arm = Literal["holdout", "nudged"]
ARMS: tuple[Arm, ...] = get_args(Arm)


@dataclass(frozen=True, slots=True)
class Exposure:
    """One decision on an enrolment that chance made.

    ``day``: the epoch day in which it was decided; ``variant``: of the message, empty for the holdout;
    ``propensity``: the probability of this outcome of the draws; ``first``: whether it is the enrolment's
    first; ``context``: the bandit's inputs, zeros and ones.
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

    def to_row(self) -> list[Any]:
        """The values as a list, for JSON."""
        return [*astuple(self)[:-1], list(self.context)]

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """The exposure of a list made by :meth:`to_row`."""
        values: list[Any] = [*row[:-1], tuple(row[-1])]
        return cls(*values)


def exposure_of(
    decision: NudgeDecision, day: int, earlier: Sequence[Exposure], context: tuple[int, ...] = ()
) -> Exposure | None:
    """The decision as an exposure of an enrolment with ``earlier`` ones; None where it is not one.

    day: the event day of the decision.

    A decision made by a guard rather than by chance is none, nor is one on a change that was decided before:
    an instructor's approval is no new exposure.
    """
    arm = arm_of(decision)
    if arm is None or any(exposure.risk_change_id == decision.risk_change_id for exposure in earlier):
        return None
    return Exposure(
        decision_id=decision.decision_id,
        risk_change_id=decision.risk_change_id,
        campaign=decision.campaign,
        variant=decision.variant,
        arm=arm,
        day=day,
        propensity=decision.propensity,
        first=not earlier,
        context=context,
    )


def arm_of(decision: NudgeDecision) -> Arm | None:
    """The arm into which the enrolment was drawn; None where no draw was involved."""
    if decision.reason == "holdout":
        return "holdout"
    proposed = decision.reason == "awaiting_approval"
    return "nudged" if proposed or decision.decision == "send" else None
