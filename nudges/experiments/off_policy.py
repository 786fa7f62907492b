"""What a policy that was not run would have earned, from the ledger of the one that was.

Each logged decision has a variant, the probability with which it was chosen, and a reward. A policy in
question says with what probability it would have chosen each variant there. Three estimates of its mean
reward, each with an interval for one look:

:func:`inverse_propensity`
    Every row weighs by how much more often the other policy would have chosen so (D. Horvitz and
    D. Thompson, 1952). Unbiased, wide.
:func:`self_normalised`
    The same over the sum of the weights (A. Swaminathan and T. Joachims, The self-normalized estimator for
    counterfactual learning, NeurIPS 2015). A little biased with few rows, mostly narrower.
:func:`doubly_robust`
    A model's estimates, corrected by the weighted errors that it made (M. Dudík, J. Langford and L. Li,
    Doubly robust policy evaluation and learning, ICML 2011). Unbiased whatever the model; narrow where it
    is good. The model must not have learned from the row that it estimates: use what it said before.

All rest on the logged propensities being the true ones, and on every variant having had a chance wherever
the other policy would choose it; a row without one is an error, not a guess.
"""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from nudges.experiments.effects import LEVEL, Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Logged:
    """Decisions that were made, n of them, over K variants.

    ``variants``: int64 [n], the one chosen; ``propensities``: float64 [n], with what probability;
    ``rewards``: float64 [n]; ``wanted``: float64 [n, K], the other policy's probabilities. Raises
    ``ValueError`` for no rows, a propensity that is not in (0, 1], or rows of ``wanted`` that do not add up.
    """

    variants: Ints
    propensities: Floats
    rewards: Floats
    wanted: Floats

    def __post_init__(self) -> None:
        """Check what every estimate rests on."""
        if not len(self.rewards):
            raise ValueError("no decisions were logged; expected at least one")
        wrong = ~((self.propensities > 0) & (self.propensities <= 1))
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"propensities[{row}] is {self.propensities[row]}; expected more than 0, up to 1"
            )
        sums = self.wanted.sum(axis=1)
        if not np.allclose(sums, 1.0):
            row = int(np.abs(sums - 1).argmax())
            raise ValueError(f"wanted[{row}] adds up to {sums[row]:g}; expected 1")

    @property
    def weights(self) -> Floats:
        """How much more often than it happened the other policy would have chosen so, float64 [n]."""
        found: Floats = self.wanted[np.arange(len(self.variants)), self.variants] / self.propensities
        return found


def always(choice: int, choices: int, rows: int) -> Floats:
    """The policy that makes one choice for everybody, as ``wanted`` of so many rows."""
    wanted = np.zeros((rows, choices))
    wanted[:, choice] = 1.0
    return wanted


def earlier_means(made: Ints, rewards: Floats, decided: Ints, known: Ints, choices: int) -> Floats:
    """A plain model for :func:`doubly_robust`: each choice's mean reward as known when a row was decided.

    ``made``: int64 [n], the choices; ``decided`` and ``known``: int64 [n], the days of decision and outcome.
    Returns float64 [n, choices]; one half before the first outcome.
    """
    order = np.argsort(known, kind="stable")
    before = np.searchsorted(known[order], decided)  # outcomes known on earlier days
    estimates = np.empty((len(made), choices))
    for choice in range(choices):
        chosen = made[order] == choice
        count = np.concatenate([[0.0], np.cumsum(chosen)])[before]
        total = np.concatenate([[0.0], np.cumsum(chosen * rewards[order])])[before]
        estimates[:, choice] = (total + 1) / (count + 2)
    return estimates


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward; ``effective``: of how many rows of the other policy's own this is worth (Kish)."""

    value: float
    interval: Interval
    effective: float


def inverse_propensity(logged: Logged, level: float = LEVEL) -> Estimate:
    """The weighted mean of the rewards."""
    terms = logged.weights * logged.rewards
    return _estimate(float(terms.mean()), terms, logged, level)


def self_normalised(logged: Logged, level: float = LEVEL) -> Estimate:
    """The weighted sum of the rewards over that of the weights. Raises ``ValueError`` where all are 0."""
    weights = logged.weights
    if not weights.any():
        raise ValueError("no logged decision is one that the other policy would make; nothing can be said")
    value = float(weights @ logged.rewards / weights.sum())
    return _estimate(value, weights * (logged.rewards - value) / weights.mean(), logged, level)


def doubly_robust(logged: Logged, estimates: Floats, level: float = LEVEL) -> Estimate:
    """A model's estimates, float64 [n, K], corrected by its errors on what was chosen."""
    terms = _robust(logged, estimates)
    return _estimate(float(terms.mean()), terms, logged, level)


def gain(logged: Logged, instead: Logged, estimates: Floats, level: float = LEVEL) -> Estimate:
    """How much more one policy earns than another at the same decisions, doubly robust.

    Narrower than the two estimates apart: what both would do adds nothing to the difference.
    """
    terms = _robust(logged, estimates) - _robust(instead, estimates)
    return _estimate(float(terms.mean()), terms, logged, level)


def _robust(logged: Logged, estimates: Floats) -> Floats:
    errors = logged.rewards - estimates[np.arange(len(logged.variants)), logged.variants]
    terms: Floats = (logged.wanted * estimates).sum(axis=1) + logged.weights * errors
    return terms


def _estimate(value: float, terms: Floats, logged: Logged, level: float) -> Estimate:
    n, weights = len(terms), logged.weights
    half = NormalDist().inv_cdf((1 + level) / 2) * float(terms.std()) / sqrt(n)
    squares = float(weights @ weights)
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    return Estimate(value, Interval(value - half, value + half), effective)
