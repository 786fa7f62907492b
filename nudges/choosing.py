"""Which variant of a campaign an enrolment gets, and with what probability it got that one.

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
    """What is true of the enrolment at the moment of the decision.

    ``in_force`` says that the enrolment and its run have not ended; ``phase`` is None where the run's
    calendar is not known. ``next_item`` is an object that the learner could go on with, where one is known.
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


def weights_of(campaign: Campaign) -> list[float]:
    """Each variant's share of the draws by weight."""
    total = sum(variant.weight for variant in campaign.variants)
    return [variant.weight / total for variant in campaign.variants]


def by_weight(key: str) -> Chooser:
    """Draws by the weights, sticky under a key; independent of the holdout's draw under the same key."""

    def choose(campaign: Campaign, enrolment: tuple[str, str], _situation: Situation) -> Choice:
        shares = weights_of(campaign)
        place = pick(position(key, *enrolment, f"variant/{campaign.name}"), shares)
        return Choice(campaign.variants[place].name, shares[place])

    return choose
