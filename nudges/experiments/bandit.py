"""A contextual bandit that chooses variants, and whose propensities are exact.

*Thompson sampling* over a linear estimate of the reward: a variant is chosen with the probability of being
the best one, given the outcomes so far (W. R. Thompson, Biometrika 25, 1933; S. Agrawal and N. Goyal,
Thompson sampling for contextual bandits with linear payoffs, ICML 2013). Each variant's reward is the mean of
all variants and a linear part of its own, shrunk to zero by ridge regression; its uncertainty is a normal
distribution. No variant falls below ``FLOOR``, so that what another policy would have done can always be
estimated (:mod:`nudges.experiments.off_policy`).

A reward takes a week to be known, and a term's first decisions are many. So what is seen *so far* of those
whose week is not over counts meanwhile: of all decisions as many days ago, who has come back by now? Each
such *stage* has a mean of its own, and a variant is measured by its distance from that mean; when the week is
over the reward replaces the stage. A variant that only makes learners return sooner, but no more of them, is
thus overrated for six days at most.

The usual way draws from these distributions, so the probability of a draw is not known.
Here the probabilities are computed first (:func:`_best_probabilities`) and drawn from by a keyed hash: what
the ledger has is the probability of the draw to the last digit, whatever the computation's error. That is
also why it is not one of river.bandit: its policies answer with a choice and not with its probability, and
keep what they learned in an order-dependent object with a random generator inside. What was learned here is
sums of products of whole numbers, so the outcomes of all partitions add up to the same bytes in any order;
they are solved without BLAS, and probabilities are rounded, so a replay on another machine chooses what the
live run chose.

Contexts are zeros and ones, the first always one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, sqrt
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import NDArray

from schemas.risk import RiskLevel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLOOR = 0.02
"""The smallest probability of a variant. An estimate of another policy weighs a row by 1 / 0.02 at most."""

RIDGE = 1.0
"""Added to the diagonal: equivalent to one outcome equal to the overall mean in each direction."""

QUANTILES = 64
"""The number of equally likely parts into which a variant's distribution is divided."""

DIGITS = 6
"""Decimals of a probability, in the ledger as in the draw."""


INPUTS = ("always", "deadlines", "silence", "from_low")
"""The bandit's inputs: the main reason's group, and whether the risk rose from low in one step."""


def context_of(group: str | None, previous: RiskLevel) -> tuple[int, ...]:
    """The inputs of one decision; ``group``: of the main reason's feature, None where there is no reason."""
    return (1, int(group == "deadlines"), int(group == "silence"), int(previous == "low"))


def outcome_sums(contexts: Ints, rewards: Ints) -> Ints:
    """The sufficient statistics of n outcomes of one variant: int64 [d, d + 1], the sum of x · (x, reward)ᵀ.

    contexts: int64 [n, d]; rewards: int64 [n]. Sums of other outcomes, partitions and days can be added.
    """
    sums: Ints = contexts.T @ np.concatenate([contexts, rewards[:, None]], axis=1)
    return sums


@dataclass(frozen=True, slots=True)
class Bandit:
    """The estimates after some outcomes. K variants, d inputs."""

    mean: float
    """The mean reward, whatever the variant."""
    weights: Floats
    """[K, d]: a variant's estimated reward is the mean and its row times the context."""
    covariances: Floats
    """[K, d, d]: the covariance of the weights' uncertainty."""

    @classmethod
    def from_sums(cls, learned: Ints) -> Self:
        """From each variant's sums by stage, int64 [S, K, d, d + 1]; zeros before the first outcome. The last
        stage is the reward itself.

        Raises:
            ValueError: the array has another shape.
        """
        if learned.ndim != 4 or learned.shape[3] != learned.shape[2] + 1:
            raise ValueError(
                f"learned has shape {learned.shape}; expected [stages, variants, inputs, inputs + 1]"
            )
        products, rewards = learned[..., :-1], learned[..., -1]
        # The first input is always one: its sums are the outcomes, and the rewards.
        outcomes = products[:, :, 0, 0].sum(axis=1)
        means = (rewards[:, :, 0].sum(axis=1) + 1) / (outcomes + 2)
        inverse = _inverses(products.sum(axis=0) + RIDGE * np.eye(products.shape[2]))
        deviations = (rewards - means[:, None, None] * products[:, :, 0]).sum(axis=0)
        weights = (inverse * deviations[:, None, :]).sum(axis=2)
        shares = (outcomes + 1) / (outcomes + 1).sum()
        variance = float((shares * means * (1.0 - means)).sum())
        return cls(float(means[-1]), weights, variance * inverse)

    def estimates(self, contexts: Ints) -> Floats:
        """The expected reward of each variant: contexts int64 [n, d] → float64 [n, K]."""
        estimates: Floats = self.mean + (contexts[:, None, :] * self.weights).sum(axis=2)
        return estimates

    def probabilities(self, contexts: Ints) -> Floats:
        """The probability with which each variant is to be chosen, float64 [n, K]; rows add up to 1."""
        distinct, inverse = np.unique(contexts, axis=0, return_inverse=True)
        pairs = distinct[:, None, :, None] * self.covariances * distinct[:, None, None, :]
        best = _best_probabilities(self.estimates(distinct), np.sqrt(pairs.sum(axis=(2, 3))))
        rows, variants = np.arange(len(distinct)), best.shape[1]
        floor = min(FLOOR, 1.0 / variants)
        shares: Floats = (floor + (1.0 - variants * floor) * best).round(DIGITS)
        largest = shares.argmax(axis=1)
        shares[rows, largest] = 0.0
        shares[rows, largest] = (1.0 - shares.sum(axis=1)).round(DIGITS)
        probabilities: Floats = shares[inverse.reshape(-1)]
        return probabilities


def probabilities(bandit: Bandit, context: Sequence[int]) -> list[float]:
    """The probabilities of the variants for one decision, as :func:`nudges.assignment.pick` expects them."""
    shares: list[float] = bandit.probabilities(np.array([context], np.int64))[0].tolist()
    return shares


def _best_probabilities(means: Floats, spreads: Floats) -> Floats:
    """The probability that each of K independent normal variables is the largest: [n, K], rows add up to 1.

    The mean, over the quantiles of a variable, of the probability that all others are below.
    """
    points = means[:, :, None] + spreads[:, :, None] * NORMAL_QUANTILES  # [n, K, quantiles]
    distances = (points[:, :, None, :] - means[:, None, :, None]) / spreads[:, None, :, None]
    others_below = 0.5 * (1.0 + _erf(distances / sqrt(2.0)))  # [n, variant, other, quantiles]
    same = np.eye(means.shape[1], dtype=bool)[None, :, :, None]
    best = np.where(same, 1.0, others_below).prod(axis=2).mean(axis=2)
    probabilities: Floats = best / best.sum(axis=1, keepdims=True)
    return probabilities


_erf = np.vectorize(erf, otypes=[np.float64])
NORMAL_QUANTILES: Floats = np.array([NormalDist().inv_cdf((k + 0.5) / QUANTILES) for k in range(QUANTILES)])


def _inverses(matrices: Floats) -> Floats:
    """The inverses of positive definite matrices [K, d, d], by Gauss-Jordan elimination."""
    size = matrices.shape[1]
    rows = np.concatenate([matrices, np.broadcast_to(np.eye(size), matrices.shape)], axis=2)
    for pivot in range(size):
        rows[:, pivot] /= rows[:, pivot, pivot, None]
        factors = rows[:, :, pivot].copy()
        factors[:, pivot] = 0.0
        rows -= factors[..., None] * rows[:, None, pivot]
    return rows[..., size:]
