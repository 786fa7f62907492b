"""Estimates for many enrolments at once, from a model snapshot and nothing else.

An enrolment's estimate depends neither on the batch that it is scored in, nor on how enrolments are
distributed over partitions: the additive expert adds contributions elementwise in a fixed order, the
network's sums are exact in any order.
"""

from typing import Protocol, Self

import numpy as np
from scipy.special import expit, logit

from online_models import committee, network
from online_models.calibration import CalibrationSlope
from online_models.classifier import check_snapshot, state_vector
from online_models.design import Estimate, FeatureBatch, Floats, LookupTables, lookup_tables
from online_models.mixture import parse_weights
from online_models.warming import RecencyPrior
from schemas.learning import ModelSnapshot
from schemas.risk import ModelState

DECIMALS = 6
"""Decimals of a probability: further ones carry no information, and would differ between machines."""


MIN_PROBABILITY = 10.0**-DECIMALS
"""Probabilities are clipped to this before they become log-odds."""


class Scorer(Protocol):
    """Estimates P(lost) and P(exit) of enrolments, and the contributions of features to a change."""

    @property
    def state(self) -> ModelState: ...

    def with_intercept(self, shift: float) -> Self:
        """The scorer for a course run whose intercept, added to all log-odds, is ``shift``."""
        ...

    def estimate(self, batch: FeatureBatch) -> Estimate:
        """Both estimates of n enrolments."""
        ...

    def contributions(self, before: FeatureBatch, after: FeatureBatch) -> Floats:
        """The contribution of each feature to the change of the log-odds of being lost, [features, n].

        Contributions add up to the change.
        """
        ...


class MixedScorer:
    """Scores as the classifier of the snapshot would; tests compare both."""

    state: ModelState = "serving"

    def __init__(
        self, additive: LookupTables, networks: network.Weights, mixture: list[float], shift: float = 0.0
    ) -> None:
        """networks: from ``committee.as_one_network``. mixture: weights times the calibration slope."""
        self._additive = additive
        self._networks = networks
        self._mixture = mixture
        self._shift = shift

    @classmethod
    def from_snapshot(cls, snapshot: ModelSnapshot) -> "MixedScorer":
        """The scorer of a snapshot.

        Raises:
            ValueError: for the snapshot of another model or other features.
        """
        check_snapshot(snapshot)
        additive = lookup_tables(state_vector(snapshot, "weights"))
        networks = committee.as_one_network(committee.from_state(snapshot.state.get("networks")))
        mixture = parse_weights(snapshot.state.get("mixture"))
        slope = CalibrationSlope.from_state(snapshot.state.get("slope")).value
        return cls(additive, networks, [slope * weight for weight in mixture])

    def with_intercept(self, shift: float) -> "MixedScorer":
        """The scorer with ``shift`` added to the log-odds of both estimates."""
        return MixedScorer(self._additive, self._networks, self._mixture, shift)

    def estimate(self, batch: FeatureBatch) -> Estimate:
        """Both estimates of n enrolments."""
        lost, exits = np.round(logistic(self.log_odds(batch)), DECIMALS)
        return Estimate(lost, exits)

    def log_odds(self, batch: FeatureBatch) -> Floats:
        """Log-odds of being lost, by both experts, and of an exit, by the networks, [2, n]."""
        log_odds = committee.log_odds(self._networks, batch)
        by_additive, by_network = self._mixture
        log_odds[network.LOST] = (
            by_additive * self._additive.log_odds(batch) + by_network * log_odds[network.LOST]
        )
        return log_odds + self._shift

    def expert_probabilities(self, batch: FeatureBatch) -> Floats:
        """P(lost) by each expert alone, in the order of ``mixture.EXPERTS``, [experts, n]."""
        networks = committee.log_odds(self._networks, batch)[network.LOST]
        return logistic(np.stack([self._additive.log_odds(batch), networks]) + self._shift)

    def contributions(self, before: FeatureBatch, after: FeatureBatch) -> Floats:
        """The experts' contributions, weighted by the mixture, [features, n]."""
        by_additive, by_network = self._mixture
        additive = self._additive.contributions(after) - self._additive.contributions(before)
        parts = committee.contributions(self._networks, before, after)
        return by_additive * additive + by_network * parts


def logistic(log_odds: Floats) -> Floats:
    """1 / (1 + exp(−x)), without overflow."""
    probability: Floats = expit(log_odds)
    return probability


def log_odds_of(probability: Floats) -> Floats:
    """log(p / (1 − p)), of probabilities clipped to the range of six decimals."""
    clipped = np.clip(probability, MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    odds: Floats = logit(clipped)
    return odds


def scorer_of(snapshot: ModelSnapshot | None) -> Scorer:
    """The scorer of a snapshot; the recency prior while the model warms up, or without a snapshot.

    Raises:
        ValueError: for the snapshot of another model or other features.
    """
    if snapshot is None:
        return RecencyPrior()
    check_snapshot(snapshot)
    return RecencyPrior() if snapshot.warming_up else MixedScorer.from_snapshot(snapshot)
