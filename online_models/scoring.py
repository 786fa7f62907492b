"""Estimates for many enrolments at once, from a model snapshot and nothing else.

An enrolment's estimate does not depend on which others are scored with it, nor on how they are spread
over partitions: the additive expert adds its features up elementwise and in their order, the network's
sums are exact in any order.
"""

from typing import Protocol, Self

import numpy as np

from online_models import committee, network
from online_models.calibration import Slope
from online_models.classifier import check, numbers
from online_models.design import Estimate, Floats, Seen, Tables, tables
from online_models.mixture import mixture_weights
from online_models.warming import RecencyPrior
from schemas.learning import ModelSnapshot
from schemas.risk import ModelState

DECIMALS = 6
"""Of a probability: what differs later is not knowledge, and would differ between machines."""


ABSOLUTE = 10.0**-DECIMALS
"""Nothing is more certain than this."""


class Scorer(Protocol):
    """Says how likely enrolments are lost, how soon they leave, and what makes the difference."""

    @property
    def state(self) -> ModelState: ...

    def at(self, shift: float) -> Self:
        """The same, of a course run whose log-odds are all off by ``shift``."""
        ...

    def estimate(self, seen: Seen) -> Estimate:
        """Both estimates of n enrolments."""
        ...

    def changes(self, before: Seen, after: Seen) -> Floats:
        """What each feature contributes to the change of the log-odds of being lost, [features, n].

        The features' parts add up to the change.
        """
        ...


class MixedScorer:
    """Scores as the classifier of the snapshot would; tests prove both the same."""

    state: ModelState = "serving"

    def __init__(
        self, additive: Tables, networks: network.Weights, mixture: list[float], shift: float = 0.0
    ) -> None:
        """networks: of the whole committee, joined. mixture: times the calibration slope."""
        self._additive = additive
        self._networks = networks
        self._mixture = mixture
        self._shift = shift

    @classmethod
    def from_snapshot(cls, snapshot: ModelSnapshot) -> "MixedScorer":
        """Raises ValueError for the snapshot of another model or other features."""
        check(snapshot)
        additive = tables(numbers(snapshot, "weights"))
        networks = committee.joined(committee.from_state(snapshot.state.get("networks")))
        mixture = mixture_weights(snapshot.state.get("mixture"))
        slope = Slope.from_state(snapshot.state.get("slope")).value
        return cls(additive, networks, [slope * weight for weight in mixture])

    def at(self, shift: float) -> "MixedScorer":
        """Both log-odds are moved."""
        return MixedScorer(self._additive, self._networks, self._mixture, shift)

    def estimate(self, seen: Seen) -> Estimate:
        """Both estimates of n enrolments."""
        lost, exits = np.round(logistic(self.log_odds(seen)), DECIMALS)
        return Estimate(lost, exits)

    def log_odds(self, seen: Seen) -> Floats:
        """Of being lost, by both experts, and of leaving soon, by the networks, [2, n]."""
        found = committee.log_odds(self._networks, seen)
        by_additive, by_network = self._mixture
        found[network.LOST] = by_additive * self._additive.log_odds(seen) + by_network * found[network.LOST]
        return found + self._shift

    def experts(self, seen: Seen) -> Floats:
        """P(lost) by each expert alone, in the order of ``mixture.EXPERTS``, [experts, n]."""
        networks = committee.log_odds(self._networks, seen)[network.LOST]
        return logistic(np.stack([self._additive.log_odds(seen), networks]) + self._shift)

    def changes(self, before: Seen, after: Seen) -> Floats:
        """Each expert's parts, as far as the mixture believes it."""
        by_additive, by_network = self._mixture
        additive = self._additive.parts(after) - self._additive.parts(before)
        parts = committee.changes(self._networks, before, after)
        return by_additive * additive + by_network * parts


def logistic(log_odds: Floats) -> Floats:
    """1 / (1 + exp(−x)), without overflow."""
    small = np.exp(-np.abs(log_odds))
    probability: Floats = np.where(log_odds >= 0, 1.0, small) / (1.0 + small)
    return probability


def log_odds_of(probability: Floats) -> Floats:
    """log(p / (1 − p)), of probabilities that are held within what six decimals can say."""
    held = np.clip(probability, ABSOLUTE, 1 - ABSOLUTE)
    odds: Floats = np.log(held / (1 - held))
    return odds


def scorer_of(snapshot: ModelSnapshot | None) -> Scorer:
    """What to score with: the model, or the recency prior while it is warming up or there is none.

    Raises ValueError for the snapshot of another model or other features.
    """
    if snapshot is None:
        return RecencyPrior()
    check(snapshot)
    return RecencyPrior() if snapshot.warming_up else MixedScorer.from_snapshot(snapshot)
