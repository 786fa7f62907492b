"""The table of effects: each campaign, and each of its variants, against the campaign's holdout.

The caller supplies the counts. A campaign's holdout is one
arm for all its variants, so their lines are not independent of each other: a variant that beats the
holdout need not beat its siblings. A variant that was chosen with differing probabilities has no line: it
went to other learners than its siblings, so a plain difference would compare learners and not variants
(:mod:`nudges.experiments.off_policy` can tell).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from nudges.experiments.effects import MIN_OUTCOMES, Arm, Effect, anytime
from nudges.experiments.exposure import Arm as ArmName
from nudges.experiments.outcomes import LOWER_IS_BETTER, OUTCOMES, OutcomeName
from nudges.experiments.size import detectable_effect

ALL = "all"
"""The variant's name in the line of all variants of a campaign together."""

Judgement = Literal["helps", "harms", "not yet known"]


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """How often an outcome happened among the first exposures of an arm; the holdout has no variant."""

    campaign: str
    variant: str
    arm: ArmName
    outcome: OutcomeName
    known: int
    happened: int
    propensities: int = 1
    """How many different propensities these were drawn with."""


@dataclass(frozen=True, slots=True)
class EffectLine:
    """One effect, of a campaign's variant or of all of them."""

    campaign: str
    variant: str
    outcome: OutcomeName
    effect: Effect

    @property
    def judgement(self) -> Judgement:
        """Whether the effect is good or bad for the learners."""
        if self.effect.verdict == "not yet known":
            return "not yet known"
        return "helps" if (self.effect.verdict == "more") ^ (self.outcome in LOWER_IS_BETTER) else "harms"

    @property
    def detectable(self) -> float | None:
        """The least effect that such arms show in four of five trials; None for too few outcomes."""
        nudged, holdout = self.effect.nudged, self.effect.holdout
        if min(nudged.known, holdout.known) < MIN_OUTCOMES or not 0.0 < holdout.share < 1.0:
            return None
        return detectable_effect(holdout.share, nudged.known, holdout.known)


def effect_lines(
    counts: Iterable[OutcomeCount], interval: Callable[[Arm, Arm], Effect] = anytime
) -> list[EffectLine]:
    """The effects by campaign, all variants first and then each, and outcome."""
    arms: dict[tuple[str, str, OutcomeName], Arm] = {}
    holdouts: dict[tuple[str, OutcomeName], Arm] = {}
    for count in counts:
        arm = Arm(count.known, count.happened)
        if count.arm == "holdout":
            holdout_key = count.campaign, count.outcome
            holdouts[holdout_key] = holdouts.get(holdout_key, Arm()) + arm
            continue
        for variant in (ALL, count.variant) if count.propensities == 1 else (ALL,):
            arm_key = count.campaign, variant, count.outcome
            arms[arm_key] = arms.get(arm_key, Arm()) + arm
    effects = [
        EffectLine(campaign, variant, outcome, interval(arm, holdouts.get((campaign, outcome), Arm())))
        for (campaign, variant, outcome), arm in arms.items()
    ]
    return sorted(effects, key=_order)


def _order(line: EffectLine) -> tuple[str, bool, str, int]:
    return line.campaign, line.variant != ALL, line.variant, OUTCOMES.index(line.outcome)
