"""The effect of a nudge: a difference of two shares with an interval, or *not yet known*.

Two intervals for two questions.

:func:`fixed` is for a finished trial. It is Newcombe's hybrid score interval (method
10 in R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics
in Medicine 17, 1998), right in 95 of 100 trials **if looked at once**, at a number of outcomes fixed
beforehand. Looked at every day until it excludes zero, it excludes zero for nudges that do nothing.

:func:`anytime` is for a trial that is watched every day, with no end fixed: with probability .95 **all**
its intervals together contain the truth, so one may look whenever one likes and stop when one likes. It is
an asymptotic confidence sequence (I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas,
Time-uniform central limit theory and asymptotic confidence sequences, Annals of Statistics 52, 2024:
Theorem 2.2, for the influence function of a difference of means), from Robbins' normal mixture. The price
is width: about 1.6 times the fixed interval near ``TIGHTEST`` outcomes, more away from it.

Both need four counts only, so arms can be added up over partitions in any order.
"""

from dataclasses import dataclass
from math import log, sqrt
from statistics import NormalDist
from typing import Literal

LEVEL = 0.95

TIGHTEST = 5_000
"""Outcomes, of both arms together, at which the sequence is tightest: a term's worth of a large school.
It must be chosen before looking, and hardly matters within a factor of four."""

MIN_OUTCOMES = 100
"""Outcomes needed in each arm: both intervals rest on the central limit theorem."""

Verdict = Literal["more", "less", "not yet known"]


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm's outcomes of one kind: how many are known, and how many of these happened."""

    known: int = 0
    happened: int = 0

    def __post_init__(self) -> None:
        """Check the counts.

        Raises:
            ValueError: 0 <= happened <= known does not hold.
        """
        if not 0 <= self.happened <= self.known:
            raise ValueError(f"happened is {self.happened}; expected 0 to {self.known}, the number known")

    def __add__(self, other: "Arm") -> "Arm":
        return Arm(self.known + other.known, self.happened + other.happened)

    @property
    def share(self) -> float:
        """The share that happened; NaN for an empty arm."""
        return self.happened / self.known if self.known else float("nan")

    @property
    def variance(self) -> float:
        """The variance of one outcome; never 0, so that an arm without any event is not certain."""
        share = (self.happened + 0.5) / (self.known + 1)
        return share * (1 - share)


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``, both in [−1, 1]."""

    low: float
    high: float

    def __contains__(self, effect: float) -> bool:
        return self.low <= effect <= self.high


UNKNOWN = Interval(-1.0, 1.0)
"""The interval of too few outcomes: nothing is excluded."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The nudged arm against the holdout: the difference of shares, and its interval."""

    nudged: Arm
    holdout: Arm
    interval: Interval

    @property
    def difference(self) -> float:
        """Share of the nudged less share of the holdout; NaN while one of them is empty."""
        return self.nudged.share - self.holdout.share

    @property
    def verdict(self) -> Verdict:
        """Whether it happens more or less often in the nudged arm, or is not yet known."""
        if self.interval.low > 0.0:
            return "more"
        return "less" if self.interval.high < 0.0 else "not yet known"


def fixed(nudged: Arm, holdout: Arm, level: float = LEVEL) -> Effect:
    """The effect with an interval for one look, at a number of outcomes fixed beforehand."""
    if min(nudged.known, holdout.known) < MIN_OUTCOMES:
        return Effect(nudged, holdout, UNKNOWN)
    return Effect(nudged, holdout, newcombe(nudged, holdout, level))


def newcombe(nudged: Arm, holdout: Arm, level: float = LEVEL) -> Interval:
    """The hybrid score interval of a difference of shares.

    Raises:
        ZeroDivisionError: an arm is empty.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    difference = nudged.share - holdout.share
    (low_n, high_n), (low_h, high_h) = _wilson(nudged, z), _wilson(holdout, z)
    down = sqrt((nudged.share - low_n) ** 2 + (high_h - holdout.share) ** 2)
    up = sqrt((high_n - nudged.share) ** 2 + (holdout.share - low_h) ** 2)
    return Interval(difference - down, difference + up)


def anytime(nudged: Arm, holdout: Arm, level: float = LEVEL, tightest: int = TIGHTEST) -> Effect:
    """The effect with an interval that stays valid when looked at after every outcome, without end."""
    if min(nudged.known, holdout.known) < MIN_OUTCOMES:
        return Effect(nudged, holdout, UNKNOWN)
    outcomes = nudged.known + holdout.known
    # The variance of one outcome's influence on the difference, times the outcomes.
    spread = sqrt(outcomes * (nudged.variance / nudged.known + holdout.variance / holdout.known))
    half = spread * margin(outcomes, level, tightest)
    difference = nudged.share - holdout.share
    return Effect(nudged, holdout, Interval(max(difference - half, -1.0), min(difference + half, 1.0)))


def margin(outcomes: int, level: float = LEVEL, tightest: int = TIGHTEST) -> float:
    """Half the width of the confidence sequence of a mean of unit variance after so many outcomes."""
    alpha = 1 - level
    # The precision of the mixture that makes the sequence tightest there (the paper, section 2.3).
    rho2 = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / tightest
    mixed = outcomes * rho2 + 1
    return sqrt(2 * mixed / (outcomes**2 * rho2) * log(sqrt(mixed) / alpha))


def _wilson(arm: Arm, z: float) -> tuple[float, float]:
    """Wilson's score interval of one share."""
    n, share = arm.known, arm.share
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half
