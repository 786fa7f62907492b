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

**Context.** Which course it is, and in which season its run began, are inputs too. They move the level and
nothing else: courses differ in how many they lose, and so do the spring's runs and the autumn's, year
after year. A course that is new adds nothing. Without them a term is estimated at the level of the last
one learned: on 2014B, with all outcomes of both terms before, the network alone had a calibration error
of .029 without, .006 with the season, .018 with both, and .8826, .8817 and .8831 of AUC.

Inputs have numbers: slopes first, one for each feature and then one for each ranked feature; then
``STEPS`` steps for each of these in the same order; then the context's, ``COURSES`` and ``SEASONS``.
"""

from dataclasses import dataclass
from datetime import date
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from features.catalogue import BINS, FEATURES

RANKS = 256
STEPS = 16
"""Steps of a term. 8 cost nothing of note, 32 cost .003 of AUC: too few examples for each."""

RANKED: tuple[int, ...] = tuple(place for place, feature in enumerate(FEATURES) if feature.ranked)
TERMS = len(FEATURES) + len(RANKED)
"""Bins of all features and ranks of the ranked ones: each has one slope and one step at work."""

COURSES = 256
"""Courses share that many places by hash (Weinberger et al., ICML 2009); nearly always each has its own."""

SEASONS = 4
"""Quarters of the year."""

CONTEXT = COURSES + SEASONS

CONTEXT_WEIGHT = 4.0
"""What a context input holds: the more, the faster it learns, and the less of the level others take over."""

SIZE = TERMS * (1 + STEPS) + CONTEXT

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a scorer looks at in n enrolments: bins and cohort ranks, uint8 [features, n] each."""

    codes: Bytes
    ranks: Bytes
    context: NDArray[np.intp]
    """Places of course and season among the context inputs, [2, n]; [1, n] where the season is not known."""

    @classmethod
    def of_run(cls, codes: Bytes, ranks: Bytes, course_run: str, start: int | None) -> "Seen":
        """Enrolments of one run that begins on an epoch day, None where no calendar says when."""
        season = [] if start is None else [COURSES + season_of(start)]
        places = np.array([course_place(course_run), *season])
        return cls(codes, ranks, np.broadcast_to(places[:, None], (len(places), codes.shape[1])))


def course_place(course_run: str) -> int:
    """The place of a run's course among the context inputs."""
    return crc32(course_run.partition("/")[0].encode()) % COURSES


def season_of(start: int) -> int:
    """The quarter of the year in which an epoch day lies, from 0."""
    return (date.fromordinal(date(1970, 1, 1).toordinal() + start).month - 1) // 3


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


def inputs(codes: bytes, ranks: bytes, course_run: str, season: int) -> dict[int, float]:
    """One example for River: input number → value, in ascending order of slopes, steps and context.

    codes, ranks: one byte a feature, as the catalogue orders them.

    Raises ValueError for another length, or a bin that does not exist.
    """
    check_example(codes, ranks)
    ranked = [ranks[place] for place in RANKED]
    slopes = [*(_BIN_POSITIONS[code] for code in codes), *(_RANK_POSITIONS[rank] for rank in ranked)]
    steps = [*(code * STEPS // BINS for code in codes), *(rank * STEPS // RANKS for rank in ranked)]
    found = dict(enumerate(slopes))
    found.update((TERMS + term * STEPS + step, 1.0) for term, step in enumerate(steps))
    first = TERMS * (1 + STEPS)
    found[first + course_place(course_run)] = CONTEXT_WEIGHT
    found[first + COURSES + season] = CONTEXT_WEIGHT
    return found


def check_example(codes: bytes, ranks: bytes) -> None:
    """Raises ValueError for another length than one byte a feature, or a bin that does not exist."""
    if len(codes) != len(FEATURES) or len(ranks) != len(FEATURES):
        raise ValueError(f"example: {len(codes)} codes and {len(ranks)} ranks, expected {len(FEATURES)} each")
    if max(codes) >= BINS:
        raise ValueError(f"example: code {max(codes)}, expected less than {BINS}")


@dataclass(frozen=True, slots=True)
class Tables:
    """What every bin, every rank and every context adds to the log-odds."""

    bins: Floats
    """[features, BINS]"""
    ranks: Floats
    """[features, RANKS]; zero for features that are not ranked"""
    context: Floats
    """[CONTEXT]"""

    def log_odds(self, seen: Seen) -> Floats:
        """What the additive expert says: all parts, added up in their order, [n]."""
        total = np.zeros(seen.codes.shape[1])
        for place in range(len(FEATURES)):
            total += self.bins[place].take(seen.codes[place])
        for place in RANKED:
            total += self.ranks[place].take(seen.ranks[place])
        for places in seen.context:
            total += self.context.take(places)
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
    slopes, steps, context = np.split(weights, [TERMS, TERMS * (1 + STEPS)])
    slopes, steps = slopes[:, None], steps.reshape(TERMS, STEPS)
    features = len(FEATURES)
    ranks = np.zeros((features, RANKS))
    ranks[list(RANKED)] = _effect(slopes[features:], steps[features:], _RANK_POSITIONS)
    bins = _effect(slopes[:features], steps[:features], _BIN_POSITIONS)
    return Tables(bins, ranks, CONTEXT_WEIGHT * context)


def _effect(slopes: Floats, steps: Floats, positions: tuple[float, ...]) -> Floats:
    """[terms, positions]: slope × position + step."""
    step = np.arange(len(positions)) * STEPS // len(positions)
    effect: Floats = slopes * np.array(positions) + steps[:, step]
    return effect
