"""Estimates for many enrolments at once, from a model snapshot and nothing else.

Every operation is elementwise and features are added up in their order, so that an enrolment's
estimate does not depend on which others are scored with it, nor on how they are spread over
partitions.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.catalogue import FEATURES
from online_models.classifier import check, numbers
from online_models.design import RANKED, Floats, tables
from online_models.warming import RecencyPrior
from schemas.learning import ModelSnapshot
from schemas.risk import ModelState

DECIMALS = 6
"""Of a probability: what differs later is not knowledge, and would differ between machines."""

Bytes = NDArray[np.uint8]


class Scorer(Protocol):
    """Says how likely enrolments are lost, and which feature says so."""

    @property
    def state(self) -> ModelState: ...

    @property
    def intercept(self) -> float:
        """The log-odds of which every contribution tells a deviation."""
        ...

    def score(self, codes: Bytes, ranks: Bytes) -> Floats:
        """P(lost), six decimals: uint8 [features, n] twice → float64 [n]."""
        ...

    def contributions(self, codes: Bytes, ranks: Bytes) -> Floats:
        """What each feature adds to the log-odds: uint8 [features, n] twice → float64 [features, n]."""
        ...


class AdditiveScorer:
    """Scores as River's model of the snapshot would, by looking up; a test proves both the same."""

    state: ModelState = "serving"
    intercept: float = 0.0

    def __init__(self, weights: Floats) -> None:
        self._tables = tables(weights)

    @classmethod
    def from_snapshot(cls, snapshot: ModelSnapshot) -> "AdditiveScorer":
        """Raises ValueError for the snapshot of another model or other features."""
        check(snapshot)
        return cls(numbers(snapshot, "weights"))

    def score(self, codes: Bytes, ranks: Bytes) -> Floats:
        """P(lost), six decimals: uint8 [features, n] twice → float64 [n]."""
        return np.round(logistic(self.log_odds(codes, ranks)), DECIMALS)

    def log_odds(self, codes: Bytes, ranks: Bytes) -> Floats:
        """[n]"""
        total = np.zeros(codes.shape[1])
        for place in range(len(FEATURES)):
            total += self._tables.bins[place].take(codes[place])
        for place in RANKED:
            total += self._tables.ranks[place].take(ranks[place])
        return total

    def contributions(self, codes: Bytes, ranks: Bytes) -> Floats:
        """What each feature adds to the log-odds: uint8 [features, n] twice → float64 [features, n]."""
        found = np.empty(codes.shape)
        for place in range(len(FEATURES)):
            found[place] = self._tables.bins[place].take(codes[place])
        for place in RANKED:
            found[place] += self._tables.ranks[place].take(ranks[place])
        return found


def logistic(log_odds: Floats) -> Floats:
    """1 / (1 + exp(−x)), without overflow."""
    small = np.exp(-np.abs(log_odds))
    probability: Floats = np.where(log_odds >= 0, 1.0, small) / (1.0 + small)
    return probability


def scorer_of(snapshot: ModelSnapshot | None) -> Scorer:
    """What to score with: the model, or the recency prior while it is warming up or there is none.

    Raises ValueError for the snapshot of another model or other features.
    """
    if snapshot is None:
        return RecencyPrior()
    check(snapshot)
    return RecencyPrior() if snapshot.warming_up else AdditiveScorer.from_snapshot(snapshot)
