"""Inputs of the additive expert: a slope and steps for each feature's bin and cohort rank.

The estimate is additive. Every feature contributes to the log-odds through its bin, and once more
through its rank in the cohort; a bin contributes ``slope × position + step``. The slope learns from
few examples, the steps correct it where there are many. So the whole model is one number for each
(feature, bin) and (feature, rank): it is scored by table look-up, and its explanation is read from
the same tables. (Trevor Hastie and Robert Tibshirani, Generalized Additive Models, Statistical
Science 1986.)

Why this form: one pass in time order over the Open University data, weekly estimates on 2014B, with
all examples known by then and, in brackets, with those of one learner in fifty, gave an AUC of .871
(.862) for standardised lines alone, .873 (.845) for steps alone, .873 (.857) for both. Products
with the phase of the course added nothing to steps; lines without ranks lost .019.

**Context.** The course, and the season in which its run began, are inputs too. They move the intercept and
nothing else: courses differ in how many learners they lose, and so do the runs of spring and autumn, year
after year. A new course contributes nothing. Without them a term is estimated at the level of the last
term learned: on 2014B, with all outcomes of both terms before, the network alone had a calibration error
of .029 without, .006 with the season, .018 with both, and .8826, .8817 and .8831 of AUC.

Inputs are numbered: slopes first, one for each feature and then one for each ranked feature; then
``STEPS`` steps for each of these in the same order; then the context inputs, ``COURSES`` and ``SEASONS``.
"""

from dataclasses import dataclass
from datetime import date
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from features.catalogue import BINS, FEATURES, INDEX
from schemas.fields import course_of

RANKS = 256
STEPS = 16
"""Steps of a term. 8 cost nothing of note, 32 cost .003 of AUC: too few examples for each."""

RANKED: tuple[int, ...] = tuple(index for index, feature in enumerate(FEATURES) if feature.ranked)
TERMS = len(FEATURES) + len(RANKED)
"""Bins of all features and ranks of the ranked ones: an example has one slope and one step of each."""

COURSES = 256
"""Buckets for courses, by feature hashing (Weinberger et al., ICML 2009); collisions are rare."""

SEASONS = 4
"""Quarters of the year."""

CONTEXT = COURSES + SEASONS

CONTEXT_WEIGHT = 4.0
"""Value of an active context input. A larger one learns faster, and leaves less of the intercept to
others."""

_PHASE = INDEX["phase"]

SIZE = TERMS * (1 + STEPS) + CONTEXT

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """The inputs of n enrolments to a scorer: bins and cohort ranks, uint8 [features, n] each."""

    codes: Bytes
    ranks: Bytes
    context: NDArray[np.intp]
    """Indexes of course and season among the context inputs, [2, n]; [1, n] where the season is unknown."""

    @classmethod
    def of_run(cls, codes: Bytes, ranks: Bytes, course_run: str, start: int | None) -> "FeatureBatch":
        """Enrolments of one run. start: the epoch day on which it begins, None without a calendar."""
        season = [] if start is None else [COURSES + season_of(start)]
        context_inputs = np.array([course_bucket(course_run), *season])
        return cls(
            codes, ranks, np.broadcast_to(context_inputs[:, None], (len(context_inputs), codes.shape[1]))
        )


def course_bucket(course_run: str) -> int:
    """The index of a run's course among the context inputs."""
    return crc32(course_of(course_run).encode()) % COURSES


def season_of(start: int) -> int:
    """The quarter of the year in which an epoch day lies, from 0."""
    return (date.fromordinal(date(1970, 1, 1).toordinal() + start).month - 1) // 3


@dataclass(frozen=True, slots=True)
class Estimate:
    """Two probabilities with six decimals, [n] each."""

    lost: Floats
    exits: Floats
    """P(the learner leaves within the exit horizon)"""


def position(index: int, size: int) -> float:
    """The position of a bin on a line from −1 (the first) to 1 (the last)."""
    return 2.0 * index / (size - 1) - 1.0


_BIN_POSITIONS = tuple(position(index, BINS) for index in range(BINS))
_RANK_POSITIONS = tuple(position(index, RANKS) for index in range(RANKS))


def inputs(codes: bytes, ranks: bytes, course_run: str, season: int) -> dict[int, float]:
    """One example as River's ``x``: input number → value, in ascending order of slopes, steps and context.

    codes, ranks: one byte a feature, in the catalogue's order.

    Raises:
        ValueError: for another length, or a bin that does not exist.
    """
    check_example(codes, ranks)
    ranked = [ranks[index] for index in RANKED]
    slopes = [*(_BIN_POSITIONS[code] for code in codes), *(_RANK_POSITIONS[rank] for rank in ranked)]
    steps = [*(code * STEPS // BINS for code in codes), *(rank * STEPS // RANKS for rank in ranked)]
    values = dict(enumerate(slopes))
    values.update((TERMS + term * STEPS + step, 1.0) for term, step in enumerate(steps))
    context_start = TERMS * (1 + STEPS)
    values[context_start + course_bucket(course_run)] = CONTEXT_WEIGHT
    values[context_start + COURSES + season] = CONTEXT_WEIGHT
    return values


def is_of_open_run(codes: bytes) -> bool:
    """Whether an example is of a run without an end: the lowest bin of the phase says so."""
    return codes[_PHASE] == 0


def check_example(codes: bytes, ranks: bytes) -> None:
    """Check the bins and ranks of an example.

    Raises:
        ValueError: for another length than one byte a feature, or a bin that does not exist.
    """
    if len(codes) != len(FEATURES) or len(ranks) != len(FEATURES):
        raise ValueError(f"example: {len(codes)} codes and {len(ranks)} ranks, expected {len(FEATURES)} each")
    if max(codes) >= BINS:
        raise ValueError(f"example: code {max(codes)}, expected less than {BINS}")


@dataclass(frozen=True, slots=True)
class LookupTables:
    """The contribution of every bin, rank and context input to the log-odds."""

    bins: Floats
    """[features, BINS]"""
    ranks: Floats
    """[features, RANKS]; zero for features that are not ranked"""
    context: Floats
    """[CONTEXT]"""

    def log_odds(self, batch: FeatureBatch) -> Floats:
        """The log-odds by the additive expert, [n]. Contributions are added in a fixed order."""
        total = np.zeros(batch.codes.shape[1])
        for index in range(len(FEATURES)):
            total += self.bins[index].take(batch.codes[index])
        for index in RANKED:
            total += self.ranks[index].take(batch.ranks[index])
        for context_inputs in batch.context:
            total += self.context.take(context_inputs)
        return total

    def contributions(self, batch: FeatureBatch) -> Floats:
        """The contribution of each feature to the log-odds, [features, n]."""
        parts = np.empty(batch.codes.shape)
        for index in range(len(FEATURES)):
            parts[index] = self.bins[index].take(batch.codes[index])
        for index in RANKED:
            parts[index] += self.ranks[index].take(batch.ranks[index])
        return parts


def lookup_tables(weights: Floats) -> LookupTables:
    """Look-up tables from the weights of all inputs, float64 [SIZE].

    Raises:
        ValueError: for another shape.
    """
    if weights.shape != (SIZE,):
        raise ValueError(f"weights: shape {weights.shape}, expected ({SIZE},)")
    slopes, steps, context = np.split(weights, [TERMS, TERMS * (1 + STEPS)])
    slopes, steps = slopes[:, None], steps.reshape(TERMS, STEPS)
    features = len(FEATURES)
    ranks = np.zeros((features, RANKS))
    ranks[list(RANKED)] = _effect(slopes[features:], steps[features:], _RANK_POSITIONS)
    bins = _effect(slopes[:features], steps[:features], _BIN_POSITIONS)
    return LookupTables(bins, ranks, CONTEXT_WEIGHT * context)


def _effect(slopes: Floats, steps: Floats, positions: tuple[float, ...]) -> Floats:
    """[terms, positions]: slope × position + step."""
    step = np.arange(len(positions)) * STEPS // len(positions)
    effect: Floats = slopes * np.array(positions) + steps[:, step]
    return effect
