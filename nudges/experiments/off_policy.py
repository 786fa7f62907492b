"""Off-policy evaluation: the reward of a policy that was not run, from the ledger of the one that was.

Each logged decision has a variant, the probability with which it was chosen, and a reward. A *target* policy
gives the probability with which it would have chosen each variant there. Three estimates of its mean reward,
each with an interval for one look:

:func:`inverse_propensity`
    Every row is weighted by the ratio of the target policy's probability to the logged one (D. Horvitz and
    D. Thompson, 1952). Unbiased, wide.
:func:`self_normalised`
    The same over the sum of the weights (A. Swaminathan and T. Joachims, The self-normalized estimator for
    counterfactual learning, NeurIPS 2015). A little biased with few rows, mostly narrower.
:func:`doubly_robust`
    A model's estimates, corrected by the weighted errors that it made (M. Dudík, J. Langford and L. Li,
    Doubly robust policy evaluation and learning, ICML 2011). Unbiased whatever the model; narrow where it
    is good. The model must not have learned from the row that it estimates: use its earlier estimates.

All rest on the logged propensities being the true ones, and on every variant having had a chance wherever
the target policy would choose it; a row without one is an error.
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
class LoggedDecisions:
    """Decisions that were made, n of them, over K variants.

    ``variants``: int64 [n], the one chosen; ``propensities``: float64 [n], with what probability;
    ``rewards``: float64 [n]; ``target``: float64 [n, K], the other policy's probabilities. Raises
    ``ValueError`` for no rows, a propensity that is not in (0, 1], or rows of ``target`` that do not add up.
    """

    variants: Ints
    propensities: Floats
    rewards: Floats
    target: Floats

    def __post_init__(self) -> None:
        """Check the columns."""
        if not len(self.rewards):
            raise ValueError("no decisions were logged; expected at least one")
        wrong = ~((self.propensities > 0) & (self.propensities <= 1))
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"propensities[{row}] is {self.propensities[row]}; expected more than 0, up to 1"
            )
        sums = self.target.sum(axis=1)
        if not np.allclose(sums, 1.0):
            row = int(np.abs(sums - 1).argmax())
            raise ValueError(f"target[{row}] adds up to {sums[row]:g}; expected 1")

    @property
    def weights(self) -> Floats:
        """The importance weights, target over logged probability of the chosen variant, float64 [n]."""
        weights: Floats = self.target[np.arange(len(self.variants)), self.variants] / self.propensities
        return weights


def always(choice: int, choices: int, rows: int) -> Floats:
    """The policy that makes one choice for everybody, as ``target`` with the given number of rows."""
    target = np.zeros((rows, choices))
    target[:, choice] = 1.0
    return target


def earlier_means(chosen: Ints, rewards: Floats, decided: Ints, known_on: Ints, choices: int) -> Floats:
    """A plain model for :func:`doubly_robust`: each choice's mean reward as known when a row was decided.

    ``chosen``: int64 [n], the choices; ``decided`` and ``known_on``: int64 [n], the days of decision and
    outcome. Returns float64 [n, choices]; one half before the first outcome.
    """
    order = np.argsort(known_on, kind="stable")
    before = np.searchsorted(known_on[order], decided)  # outcomes known on earlier days
    estimates = np.empty((len(chosen), choices))
    for choice in range(choices):
        is_choice = chosen[order] == choice
        count = np.concatenate([[0.0], np.cumsum(is_choice)])[before]
        total = np.concatenate([[0.0], np.cumsum(is_choice * rewards[order])])[before]
        estimates[:, choice] = (total + 1) / (count + 2)
    return estimates


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward; ``effective``: the effective sample size (Kish), in rows."""

    value: float
    interval: Interval
    effective: float


def inverse_propensity(logged: LoggedDecisions, level: float = LEVEL) -> Estimate:
    """The weighted mean of the rewards."""
    terms = logged.weights * logged.rewards
    return _estimate(float(terms.mean()), terms, logged, level)


def self_normalised(logged: LoggedDecisions, level: float = LEVEL) -> Estimate:
    """The weighted sum of the rewards over the sum of the weights.

    Raises:
        ValueError: all weights are 0.
    """
    weights = logged.weights
    if not weights.any():
        raise ValueError("no logged decision is one that the other policy would make; nothing can be said")
    value = float(weights @ logged.rewards / weights.sum())
    return _estimate(value, weights * (logged.rewards - value) / weights.mean(), logged, level)


def doubly_robust(logged: LoggedDecisions, estimates: Floats, level: float = LEVEL) -> Estimate:
    """A model's estimates, float64 [n, K], corrected by its errors on what was chosen."""
    terms = _robust(logged, estimates)
    return _estimate(float(terms.mean()), terms, logged, level)


def gain(
    logged: LoggedDecisions, instead: LoggedDecisions, estimates: Floats, level: float = LEVEL
) -> Estimate:
    """The difference in mean reward of two policies at the same decisions, doubly robust.

    Narrower than the difference of two estimates: decisions on which both agree add no variance.
    """
    terms = _robust(logged, estimates) - _robust(instead, estimates)
    return _estimate(float(terms.mean()), terms, logged, level)


def _robust(logged: LoggedDecisions, estimates: Floats) -> Floats:
    errors = logged.rewards - estimates[np.arange(len(logged.variants)), logged.variants]
    terms: Floats = (logged.target * estimates).sum(axis=1) + logged.weights * errors
    return terms


def _estimate(value: float, terms: Floats, logged: LoggedDecisions, level: float) -> Estimate:
    n, weights = len(terms), logged.weights
    half = NormalDist().inv_cdf((1 + level) / 2) * float(terms.std()) / sqrt(n)
    squares = float(weights @ weights)
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    return Estimate(value, Interval(value - half, value + half), effective)
