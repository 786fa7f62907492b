"""What the classifier sees: a line and steps for each bin and each cohort rank.

An estimate is additive. Every feature adds to the log-odds through its bin, and once more through
its rank in the cohort; what a bin adds is ``slope × position + step``. The line learns from few
examples, the steps bend it where many have shown how. So the whole model is one number for each
(feature, bin) and (feature, rank): it is scored by looking up, and explained by reading. (Trevor
Hastie and Robert Tibshirani, Generalized Additive Models, Statistical Science 1986.)

Why this form: one pass in time order over the Open University data, weekly estimates on 2014B, with
all examples known by then and, in brackets, with those of one learner in fifty, gave an AUC of .871
(.862) for standardised lines alone, .873 (.845) for steps alone, .873 (.857) for both. Products
with the phase of the course added nothing to steps; lines without ranks lost .019.

Inputs have numbers: slopes first, one for each feature and then one for each ranked feature; then
``STEPS`` steps for each of these in the same order.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.catalogue import BINS, FEATURES

RANKS = 256
STEPS = 16
"""Steps of a term. 8 cost nothing of note, 32 cost .003 of AUC: too few examples for each."""

RANKED: tuple[int, ...] = tuple(place for place, feature in enumerate(FEATURES) if feature.ranked)
TERMS = len(FEATURES) + len(RANKED)
"""Bins of all features and ranks of the ranked ones: each has one slope and one step at work."""

SIZE = TERMS * (1 + STEPS)

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scorer looks at in n enrolments: bins and cohort ranks, uint8 [features, n] each."""

    codes: Bytes
    ranks: Bytes


@dataclass(frozen=True, slots=True)
class Estimate:
    """Two probabilities, six decimals, [n] each."""

    lost: Floats
    exits: Floats
    """P(the learner leaves within the exit horizon)"""


def position(index: int, size: int) -> float:
    """Where a bin lies between the first at −1 and the last at 1."""
    return 2.0 * index / (size - 1) - 1.0


_BIN_POSITIONS = tuple(position(index, BINS) for index in range(BINS))
_RANK_POSITIONS = tuple(position(index, RANKS) for index in range(RANKS))


def inputs(codes: bytes, ranks: bytes) -> dict[int, float]:
    """One example for River: input number → value, in ascending order of the slopes and then the steps.

    codes, ranks: one byte a feature, as the catalogue orders them.

    Raises ValueError for another length, or a bin that does not exist.
    """
    check_example(codes, ranks)
    ranked = [ranks[place] for place in RANKED]
    slopes = [*(_BIN_POSITIONS[code] for code in codes), *(_RANK_POSITIONS[rank] for rank in ranked)]
    steps = [*(code * STEPS // BINS for code in codes), *(rank * STEPS // RANKS for rank in ranked)]
    found = dict(enumerate(slopes))
    found.update((TERMS + term * STEPS + step, 1.0) for term, step in enumerate(steps))
    return found


def check_example(codes: bytes, ranks: bytes) -> None:
    """Raises ValueError for another length than one byte a feature, or a bin that does not exist."""
    if len(codes) != len(FEATURES) or len(ranks) != len(FEATURES):
        raise ValueError(f"example: {len(codes)} codes and {len(ranks)} ranks, expected {len(FEATURES)} each")
    if max(codes) >= BINS:
        raise ValueError(f"example: code {max(codes)}, expected less than {BINS}")


@dataclass(frozen=True, slots=True)
class Tables:
    """What every bin and every rank adds to the log-odds."""

    bins: Floats
    """[features, BINS]"""
    ranks: Floats
    """[features, RANKS]; zero for features that are not ranked"""

    def log_odds(self, seen: Seen) -> Floats:
        """What the additive expert says: the features' parts, added up in their order, [n]."""
        total = np.zeros(seen.codes.shape[1])
        for place in range(len(FEATURES)):
            total += self.bins[place].take(seen.codes[place])
        for place in RANKED:
            total += self.ranks[place].take(seen.ranks[place])
        return total

    def parts(self, seen: Seen) -> Floats:
        """What each feature adds to the log-odds, [features, n]."""
        found = np.empty(seen.codes.shape)
        for place in range(len(FEATURES)):
            found[place] = self.bins[place].take(seen.codes[place])
        for place in RANKED:
            found[place] += self.ranks[place].take(seen.ranks[place])
        return found


def tables(weights: Floats) -> Tables:
    """Weights of all inputs, float64 [SIZE], as look-up tables. Raises ValueError for another shape."""
    if weights.shape != (SIZE,):
        raise ValueError(f"weights: shape {weights.shape}, expected ({SIZE},)")
    slopes, steps = weights[:TERMS, None], weights[TERMS:].reshape(TERMS, STEPS)
    features = len(FEATURES)
    ranks = np.zeros((features, RANKS))
    ranks[list(RANKED)] = _effect(slopes[features:], steps[features:], _RANK_POSITIONS)
    return Tables(_effect(slopes[:features], steps[:features], _BIN_POSITIONS), ranks)


def _effect(slopes: Floats, steps: Floats, positions: tuple[float, ...]) -> Floats:
    """[terms, positions]: slope × position + step."""
    step = np.arange(len(positions)) * STEPS // len(positions)
    effect: Floats = slopes * np.array(positions) + steps[:, step]
    return effect
