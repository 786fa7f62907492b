"""Which variant for whom: a contextual bandit whose propensities are exact.

A linear estimate of the reward for each variant, by ridge regression, and *inverse gap weighting* over the
estimates: a variant that looks worse by a gap is chosen with probability 1 / (variants + γ × gap), the
best-looking one takes the rest (D. Foster and A. Rakhlin, Beyond UCB: optimal and efficient contextual
bandits with regression oracles, ICML 2020; also the exploration of Vowpal Wabbit's ``--squarecb``). γ grows
with the square root of the outcomes, and no variant falls below ``FLOOR``, so that what another policy would
have done can always be estimated (:mod:`nudges.experiments.off_policy`).

Why not river.bandit: its policies answer with a choice and not with its probability. LinUCB's choice has
none; Thompson sampling's needs numerical integration; and both keep what they learned in an order-dependent
object with a random generator inside. Here the probabilities are a formula of numbers and of the context.
What was learned is sums of products of whole numbers, so the outcomes of all partitions add up to the same
bytes in any order; they are solved without BLAS, and probabilities are rounded, so a replay on another
machine chooses what the live run chose.

Contexts are zeros and ones, the first always one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np
from numpy.typing import NDArray

from schemas.risk import RiskLevel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FLOOR = 0.05
"""The least probability of a variant. An estimate of another policy weighs a row by 1 / 0.05 at most."""

GREED = 10.0
"""γ is this times the root of the outcomes: Vowpal Wabbit's own default."""

RIDGE = 1.0
"""Added to the diagonal: as good as one outcome of 0 in each direction."""

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
    """The policy as of some outcomes; everything it answers follows from these and the context."""

    weights: Floats
    """[K, d]: a variant's estimated reward is its row times the context."""
    gamma: float

    @classmethod
    def of(cls, learned: Ints, greed: float = GREED) -> Self:
        """From each variant's sums, int64 [K, d, d + 1]; zeros before the first outcome.

        Raises ``ValueError`` for another shape.
        """
        if learned.ndim != 3 or learned.shape[2] != learned.shape[1] + 1:
            raise ValueError(f"learned has shape {learned.shape}; expected [variants, inputs, inputs + 1]")
        products, rewards = learned[..., :-1], learned[..., -1]
        weights = _solved(products + RIDGE * np.eye(products.shape[1]), rewards.astype(np.float64))
        outcomes = int(products[:, 0, 0].sum())  # the first input is always one
        return cls(weights, greed * sqrt(outcomes))

    def estimates(self, contexts: Ints) -> Floats:
        """The reward to be expected of each variant: contexts int64 [n, d] → float64 [n, K]."""
        found: Floats = (contexts[:, None, :] * self.weights).sum(axis=2)
        return found

    def probabilities(self, contexts: Ints) -> Floats:
        """With what probability each variant is to be chosen, float64 [n, K]; rows add up to 1."""
        estimates = self.estimates(contexts)
        rows, variants = np.arange(len(contexts)), estimates.shape[1]
        best = estimates.argmax(axis=1)
        gaps = estimates[rows, best][:, None] - estimates
        shares: Floats = 1.0 / (variants + self.gamma * gaps)
        shares = np.maximum(shares, min(FLOOR, 1.0 / variants)).round(DIGITS)
        shares[rows, best] = 0.0
        shares[rows, best] = (1.0 - shares.sum(axis=1)).round(DIGITS)
        return shares


def probabilities(bandit: Bandit, context: Sequence[int]) -> list[float]:
    """Of one decision, as plain numbers: what :func:`nudges.assignment.pick` takes."""
    found: list[float] = bandit.probabilities(np.array([context], np.int64))[0].tolist()
    return found


def _solved(matrices: Floats, values: Floats) -> Floats:
    """x of matrix · x = value, for positive definite [K, d, d] and [K, d]: Gauss and Jordan's elimination."""
    rows = np.concatenate([matrices, values[..., None]], axis=2)
    for pivot in range(matrices.shape[1]):
        rows[:, pivot] /= rows[:, pivot, pivot, None]
        factors = rows[:, :, pivot].copy()
        factors[:, pivot] = 0.0
        rows -= factors[..., None] * rows[:, None, pivot]
    return rows[..., -1]
