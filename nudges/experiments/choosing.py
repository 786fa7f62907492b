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

Contexts are zeros and ones, the first always one; what they mean is the caller's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True)
class Learned:
    """Sums over the outcomes seen, for each of K variants and d inputs; whole numbers.

    ``products``: int64 [K, d, d], Σ x xᵀ; ``rewards``: int64 [K, d], Σ reward × x.
    """

    products: Ints
    rewards: Ints

    @classmethod
    def nothing(cls, variants: int, inputs: int) -> Self:
        """Before the first outcome."""
        return cls(np.zeros((variants, inputs, inputs), np.int64), np.zeros((variants, inputs), np.int64))

    def __add__(self, other: "Learned") -> "Learned":
        """What both have seen: another partition's outcomes, or a later day's."""
        return Learned(self.products + other.products, self.rewards + other.rewards)

    @property
    def outcomes(self) -> int:
        """How many were learned from: the first input is always one."""
        return int(self.products[:, 0, 0].sum())

    @classmethod
    def of(cls, contexts: Ints, variants: Ints, rewards: Ints, known: int) -> Self:
        """The sums over n outcomes: contexts int64 [n, d], variants and rewards int64 [n]; K is ``known``."""
        found = cls.nothing(known, contexts.shape[1])
        for variant in range(known):
            x = contexts[variants == variant]
            found.products[variant] = x.T @ x
            found.rewards[variant] = rewards[variants == variant] @ x
        return found

    def as_data(self) -> dict[str, Any]:
        """As nested lists, for JSON."""
        return {"products": self.products.tolist(), "rewards": self.rewards.tolist()}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """What :meth:`as_data` gave. Raises ``ValueError`` where the shapes do not belong together."""
        products, rewards = np.array(data["products"], np.int64), np.array(data["rewards"], np.int64)
        if rewards.ndim != 2 or products.shape != (*rewards.shape, rewards.shape[-1]):
            raise ValueError(
                f"products have shape {products.shape} and rewards {rewards.shape}; expected "
                "[variants, inputs, inputs] and [variants, inputs]"
            )
        return cls(products, rewards)


@dataclass(frozen=True, slots=True)
class Chooser:
    """The policy as of some outcomes; everything it answers follows from ``learned`` and the context."""

    weights: Floats
    """[K, d]: a variant's estimated reward is its row times the context."""
    gamma: float

    @classmethod
    def of(cls, learned: Learned, greed: float = GREED) -> Self:
        """Solve the regressions."""
        inputs = learned.rewards.shape[1]
        weights = _solved(learned.products + RIDGE * np.eye(inputs), learned.rewards.astype(np.float64))
        return cls(weights, greed * sqrt(learned.outcomes))

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


def probabilities(chooser: Chooser, context: Sequence[int]) -> list[float]:
    """Of one decision, as plain numbers: what :func:`nudges.assignment.pick` takes."""
    found: list[float] = chooser.probabilities(np.array([context], np.int64))[0].tolist()
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
