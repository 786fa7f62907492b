"""The table of effects: each campaign, and each of its variants, against the campaign's holdout.

From counts to lines and words; where the counts come from is the caller's. A campaign's holdout is one
arm for all its variants, so their lines are not independent of each other: a variant that beats the
holdout need not beat its siblings. A variant that was chosen with differing probabilities has no line: it
went to other learners than its siblings, so a plain difference would compare learners and not variants
(:mod:`nudges.experiments.off_policy` can tell).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from nudges.experiments.effects import LEAST, Arm, Effect, anytime
from nudges.experiments.exposure import Arm as ArmName
from nudges.experiments.outcomes import LOWER_IS_BETTER, OUTCOMES, OutcomeName
from nudges.experiments.size import visible

ALL = "all"
"""What the line of a campaign's variants together is called."""

Judgement = Literal["helps", "harms", "not yet known"]


@dataclass(frozen=True, slots=True)
class Counted:
    """How often an outcome happened among the first exposures of an arm; the holdout has no variant."""

    campaign: str
    variant: str
    arm: ArmName
    outcome: OutcomeName
    known: int
    happened: int
    propensities: int = 1
    """How many different probabilities these were drawn with."""


@dataclass(frozen=True, slots=True)
class Line:
    """One effect, of a campaign's variant or of all of them."""

    campaign: str
    variant: str
    outcome: OutcomeName
    effect: Effect

    @property
    def judgement(self) -> Judgement:
        """What the effect means for the learners."""
        if self.effect.verdict == "not yet known":
            return "not yet known"
        return "helps" if (self.effect.verdict == "more") ^ (self.outcome in LOWER_IS_BETTER) else "harms"

    @property
    def visible(self) -> float | None:
        """The least effect that arms of this size show in four of five trials; None below ``LEAST``."""
        nudged, holdout = self.effect.nudged, self.effect.holdout
        if min(nudged.known, holdout.known) < LEAST or not 0.0 < holdout.share < 1.0:
            return None
        return visible(holdout.share, nudged.known, holdout.known)


def lines(counted: Iterable[Counted], interval: Callable[[Arm, Arm], Effect] = anytime) -> list[Line]:
    """The effects by campaign, all variants first and then each, and outcome."""
    arms: dict[tuple[str, str, OutcomeName], Arm] = {}
    holdouts: dict[tuple[str, OutcomeName], Arm] = {}
    for one in counted:
        arm = Arm(one.known, one.happened)
        if one.arm == "holdout":
            place = one.campaign, one.outcome
            holdouts[place] = holdouts.get(place, Arm()) + arm
            continue
        for variant in (ALL, one.variant) if one.propensities == 1 else (ALL,):
            key = one.campaign, variant, one.outcome
            arms[key] = arms.get(key, Arm()) + arm
    found = [
        Line(campaign, variant, outcome, interval(arm, holdouts.get((campaign, outcome), Arm())))
        for (campaign, variant, outcome), arm in arms.items()
    ]
    return sorted(found, key=_order)


def _order(line: Line) -> tuple[str, bool, str, int]:
    return line.campaign, line.variant != ALL, line.variant, OUTCOMES.index(line.outcome)
