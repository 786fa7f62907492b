"""Which variant for whom: a contextual bandit whose propensities are exact.

*Thompson sampling* over a linear estimate of the reward: a variant is chosen with the probability of being
the best one, by what is known (W. R. Thompson, Biometrika 25, 1933; S. Agrawal and N. Goyal, Thompson
sampling for contextual bandits with linear payoffs, ICML 2013). Each variant's reward is the mean of all
variants and a linear part of its own, shrunk to none by ridge regression; what is not known of it is a normal
distribution. No variant falls below ``FLOOR``, so that what another policy would have done can always be
estimated (:mod:`nudges.experiments.off_policy`).

A reward takes a week to be known, and a term's first decisions are many. So what is seen *so far* of those
whose week is not over counts meanwhile: of all decisions as many days ago, who has come back by now? Each
such *stage* has a mean of its own, and a variant is known by how far it is from that; when the week is over
the stage gives way to the reward. A variant that hurries learners and brings back no more of them is thus
taken for a good one for six days at most.

The usual way draws from these distributions, and nobody can say with what probability it drew what it did.
Here the probabilities are computed first (:func:`_of_being_best`) and drawn from by a keyed hash: what the
ledger has is the probability of the draw to the last digit, whatever the computation's error. That is also
why it is not one of river.bandit: its policies answer with a choice and not with its probability, and keep
what they learned in an order-dependent object with a random generator inside. What was learned here is sums
of products of whole numbers, so the outcomes of all partitions add up to the same bytes in any order; they
are solved without BLAS, and probabilities are rounded, so a replay on another machine chooses what the live
run chose.

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
"""The least probability of a variant. An estimate of another policy weighs a row by 1 / 0.02 at most."""

RIDGE = 1.0
"""Added to the diagonal: as good as one outcome like the mean of all in each direction."""

QUANTILES = 64
"""In how many equally likely parts a variant's distribution is taken apart."""

DIGITS = 6
"""Decimals of a probability, in the ledger as in the draw."""


INPUTS = ("always", "deadlines", "silence", "from_low")
"""What :func:`context_of` sees: the main reason's group, and whether the risk rose from low in one step."""


def context_of(group: str | None, previous: RiskLevel) -> tuple[int, ...]:
    """The inputs of one decision; ``group``: of the main reason's feature, None where there is no reason."""
    return (1, int(group == "deadlines"), int(group == "silence"), int(previous == "low"))


def sums(contexts: Ints, rewards: Ints) -> Ints:
    """What n outcomes of one variant teach: int64 [d, d + 1], the sum of x · (x, reward)ᵀ over them.

    contexts: int64 [n, d]; rewards: int64 [n]. Sums of other outcomes, partitions and days can be added.
    """
    found: Ints = contexts.T @ np.concatenate([contexts, rewards[:, None]], axis=1)
    return found


@dataclass(frozen=True, slots=True)
class Bandit:
    """What is known after some outcomes; everything it answers follows from these and the context."""

    mean: float
    """The mean reward, whatever the variant."""
    weights: Floats
    """[K, d]: a variant's estimated reward is the mean and its row times the context."""
    doubts: Floats
    """[K, d, d]: the covariance of what is not known of the weights."""

    @classmethod
    def of(cls, learned: Ints) -> Self:
        """From each variant's sums by stage, int64 [S, K, d, d + 1]; zeros before the first outcome. The last
        stage is the reward itself.

        Raises ``ValueError`` for another shape.
        """
        if learned.ndim != 4 or learned.shape[3] != learned.shape[2] + 1:
            raise ValueError(
                f"learned has shape {learned.shape}; expected [stages, variants, inputs, inputs + 1]"
            )
        products, rewards = learned[..., :-1], learned[..., -1]
        # The first input is always one: its sums are the outcomes, and the rewards.
        outcomes = products[:, :, 0, 0].sum(axis=1)
        means = (rewards[:, :, 0].sum(axis=1) + 1) / (outcomes + 2)
        inverse = _inverse(products.sum(axis=0) + RIDGE * np.eye(products.shape[2]))
        apart = (rewards - means[:, None, None] * products[:, :, 0]).sum(axis=0)
        weights = (inverse * apart[:, None, :]).sum(axis=2)
        shares = (outcomes + 1) / (outcomes + 1).sum()
        variance = float((shares * means * (1.0 - means)).sum())
        return cls(float(means[-1]), weights, variance * inverse)

    def estimates(self, contexts: Ints) -> Floats:
        """The reward to be expected of each variant: contexts int64 [n, d] → float64 [n, K]."""
        found: Floats = self.mean + (contexts[:, None, :] * self.weights).sum(axis=2)
        return found

    def probabilities(self, contexts: Ints) -> Floats:
        """With what probability each variant is to be chosen, float64 [n, K]; rows add up to 1."""
        kinds, of = np.unique(contexts, axis=0, return_inverse=True)
        pairs = kinds[:, None, :, None] * self.doubts * kinds[:, None, None, :]
        best = _of_being_best(self.estimates(kinds), np.sqrt(pairs.sum(axis=(2, 3))))
        rows, variants = np.arange(len(kinds)), best.shape[1]
        floor = min(FLOOR, 1.0 / variants)
        shares: Floats = (floor + (1.0 - variants * floor) * best).round(DIGITS)
        largest = shares.argmax(axis=1)
        shares[rows, largest] = 0.0
        shares[rows, largest] = (1.0 - shares.sum(axis=1)).round(DIGITS)
        found: Floats = shares[of.reshape(-1)]
        return found


def probabilities(bandit: Bandit, context: Sequence[int]) -> list[float]:
    """Of one decision, as plain numbers: what :func:`nudges.assignment.pick` takes."""
    found: list[float] = bandit.probabilities(np.array([context], np.int64))[0].tolist()
    return found


def _of_being_best(means: Floats, spreads: Floats) -> Floats:
    """The probability of each of K independent normal variables to be the largest: [n, K], rows add up to 1.

    The mean, over the quantiles of one, of the probability that all others are below.
    """
    values = means[:, :, None] + spreads[:, :, None] * NORMAL  # [n, K, quantiles]
    away = (values[:, :, None, :] - means[:, None, :, None]) / spreads[:, None, :, None]
    below = 0.5 * (1.0 + _erf(away / sqrt(2.0)))  # [n, one, other, quantiles]
    itself = np.eye(means.shape[1], dtype=bool)[None, :, :, None]
    best = np.where(itself, 1.0, below).prod(axis=2).mean(axis=2)
    found: Floats = best / best.sum(axis=1, keepdims=True)
    return found


_erf = np.vectorize(erf, otypes=[np.float64])
NORMAL: Floats = np.array([NormalDist().inv_cdf((place + 0.5) / QUANTILES) for place in range(QUANTILES)])


def _inverse(matrices: Floats) -> Floats:
    """Of positive definite [K, d, d]: Gauss and Jordan's elimination."""
    size = matrices.shape[1]
    rows = np.concatenate([matrices, np.broadcast_to(np.eye(size), matrices.shape)], axis=2)
    for pivot in range(size):
        rows[:, pivot] /= rows[:, pivot, pivot, None]
        factors = rows[:, :, pivot].copy()
        factors[:, pivot] = 0.0
        rows -= factors[..., None] * rows[:, None, pivot]
    return rows[..., size:]
