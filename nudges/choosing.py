"""Chooses the variant of a campaign for an enrolment, and says with what probability it was chosen.

A chooser is a pure function of the campaign, the enrolment and its situation. The default draws by the
variants' weights with a keyed hash, so an enrolment keeps its variant; a bandit is another chooser.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from nudges.assignment import pick, position
from nudges.policy import Campaign, Phase
from nudges.timing import Habit


@dataclass(frozen=True, slots=True)
class Situation:
    """The enrolment's state at the moment of the decision.

    ``in_force``: neither the enrolment nor its run has ended. ``phase``: None where the run's calendar is not
    known. ``next_item``: an object that the learner could continue with, if one is known.
    """

    in_force: bool = True
    phase: Phase | None = None
    habit: Habit = field(default_factory=Habit)
    next_item: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A variant's name, and the probability with which it was chosen, in (0, 1]."""

    variant: str
    propensity: float


Chooser = Callable[[Campaign, tuple[str, str], Situation], Choice]
"""(campaign, (learner, course run), situation) → choice."""


def variant_shares(campaign: Campaign) -> list[float]:
    """Each variant's share of the draws, its weight over the sum of weights."""
    total = sum(variant.weight for variant in campaign.variants)
    return [variant.weight / total for variant in campaign.variants]


def by_weight(key: str) -> Chooser:
    """A chooser that draws by the weights: sticky under a key, and independent of the key's holdout draw."""

    def choose(campaign: Campaign, enrolment: tuple[str, str], _situation: Situation) -> Choice:
        shares = variant_shares(campaign)
        index = pick(position(key, *enrolment, f"variant/{campaign.name}"), shares)
        return Choice(campaign.variants[index].name, shares[index])

    return choose
