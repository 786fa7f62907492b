"""The rhythm of a scope: how many events a day should have, and how surprising fewer are.

The level is the lower of a quick and a slow exponentially weighted mean, so that a course that fades
out is not expected to go on, times a factor for the weekday. Around it counts are spread like a
negative binomial, variance μ + noise × μ²: the noise is learned from the scope's own low days, so
that a variable course has to fall further than a steady one before an alarm opens.

Surprise is Chernoff's bound on the probability of so few events, in decimal places: 8 says "less
often than once in 10⁸ days". The bound has a closed form and errs on the side of no alarm.
"""

from dataclasses import dataclass, field
from math import exp, log, log1p

SLOW, QUICK = 0.10, 0.35
"""Weight of a new day: half-lives of a week, and of a day and a half."""

WEEKDAY = 0.15
"""Weight of a new day for its weekday's factor; its ratio is clipped to [0.5, 2]."""

NOISE = 0.05
"""Weight of a new day for the noise."""

FIRST_NOISE, MIN_NOISE, MAX_NOISE = 0.10, 0.005, 1.0
MAX_HIGH_DAY_NOISE = 0.5
"""Most noise of a day above its level: high days say little about low ones."""

WARM = 14
"""Days of history before a scope is evaluated: each weekday twice."""

LN10 = log(10.0)


@dataclass(slots=True)
class Level:
    """The expected number of events by day."""

    slow: float
    quick: float
    weekdays: list[float] = field(default_factory=lambda: [1.0] * 7)

    def expected(self, day: int) -> float:
        """Expected events of ``day``, above 0."""
        return max(min(self.slow, self.quick) * self.weekdays[day % 7], 1e-9)

    def expected_slow(self, day: int) -> float:
        """Expected events of ``day`` by the slow mean alone."""
        return self.slow * self.weekdays[day % 7]

    def learn(self, day: int, observed: float) -> None:
        """Update with a day's events."""
        factor = self.weekdays[day % 7]
        ratio = (observed + 1) / (self.slow * factor + 1)
        self.slow += SLOW * (observed / factor - self.slow)
        self.quick += QUICK * (observed / factor - self.quick)
        self.weekdays[day % 7] *= float(min(max(ratio, 0.5), 2.0) ** WEEKDAY)
        mean = sum(self.weekdays) / 7
        self.weekdays = [each / mean for each in self.weekdays]


@dataclass(slots=True)
class Noise:
    """The variability of a scope: the square of its coefficient of variation."""

    value: float = FIRST_NOISE
    days: int = 0

    def learn(self, observed: float, expected: float) -> None:
        """Update with a day's deviation from its expectation."""
        self.days += 1
        if self.days <= WARM // 2:
            return  # the level is not reliable yet
        deviation = ((observed - expected) ** 2 - expected) / max(expected * expected, 1.0)
        if observed > expected:
            deviation = min(deviation, MAX_HIGH_DAY_NOISE)
        self.value = min(max(self.value + NOISE * (deviation - self.value), MIN_NOISE), MAX_NOISE)

    @property
    def is_warm(self) -> bool:
        return self.days >= WARM

    def surprise(self, observed: float, expected: float) -> float:
        """Surprise of ``observed`` events or fewer; 0 for as many as expected or more."""
        if observed >= expected:
            return 0.0
        size = 1 / self.value
        least = size * log1p(expected / size)
        if observed <= 0:
            return least / LN10
        bound = observed * log(observed / expected)
        bound -= (observed + size) * log((observed + size) / (expected + size))
        return max(bound, 0.0) / LN10


def share_surprise(count: int, total: int, usual: float) -> float:
    """Surprise of ``count`` or more in ``total``; 0 up to the usual share, which is in [0, 1)."""
    share = count / total if total else 0.0
    if share <= usual:
        return 0.0
    bound = share * log(share / usual)
    if share < 1:
        bound += (1 - share) * log((1 - share) / (1 - usual))
    return total * bound / LN10


MIN_LOSS = log(1 - 0.3)
"""Logarithm of the share left by the smallest loss that is detected: three in ten."""

SHARE, SHARE_NOISE = 0.10, 0.05
"""Weight of a new day for a usual share and for its variance."""

FIRST_VARIANCE, MIN_VARIANCE = 0.05, 0.003
SUSPECTED_AT = 2.0
"""Evidence of a loss at which learning stops: the loss would otherwise become usual."""

MAX_DAILY_EVIDENCE = 4.0
"""Most evidence of one day: an alarm needs two, since one unusual day is no loss."""


def page_sum(evidence: float, ratio: float, maximum: float, *, reported: bool) -> float:
    """Page's cumulative sum (CUSUM) after a day, in [0, maximum].

    ratio: the day's log-likelihood ratio, in decimal places. reported: an alarm is open; then a single day
    that speaks against the loss ends it.
    """
    before = 0.0 if reported and ratio < 0 else evidence
    return min(max(before + min(ratio, MAX_DAILY_EVIDENCE), 0.0), maximum)


@dataclass(slots=True)
class Share:
    """Events of a source per event of the other sources, as a logarithm, and evidence that it fell.

    Evidence is Page's cumulated sum (*Continuous inspection schemes*, Biometrika 41, 1954) of the
    log-likelihood ratio of a loss of three in ten against none, in decimal places. It adds up over days: a
    loss of half is detected in a few days, however weak the evidence of each.
    """

    mean: float = 0.0
    variance: float = FIRST_VARIANCE
    days: int = 0
    evidence: float = 0.0
    since: int = 0
    """The first day of the evidence."""
    weekdays: list[float] = field(default_factory=lambda: [0.0] * 7)

    @property
    def is_warm(self) -> bool:
        return self.days >= WARM

    @property
    def is_suspected(self) -> bool:
        return self.evidence >= SUSPECTED_AT

    def usual(self, day: int) -> float:
        """Usual events per event of the other sources, on ``day``."""
        return exp(self.mean + self.weekdays[day % 7])

    def add_evidence(
        self, day: int, observed: float, others: float, level_drop: float, maximum: float, *, reported: bool
    ) -> None:
        """Add a day to the evidence.

        level_drop: how far the source is below its own level, as a logarithm; if only the others have grown,
        nothing was lost. maximum: of the evidence. reported: an alarm is open.
        """
        drop = max(self._deviation(day, observed, others), level_drop)
        variance = self.variance + 1 / (observed + 1) + 1 / (others + 1)
        ratio = MIN_LOSS * (drop - MIN_LOSS / 2) / variance / LN10
        if self.evidence == 0.0:
            self.since = day
        self.evidence = page_sum(self.evidence, ratio, maximum, reported=reported)

    def learn(self, day: int, observed: float, others: float) -> None:
        """Update with a day's share, but not while a loss is suspected."""
        if self.is_suspected:
            return
        self.days += 1
        deviation = self._deviation(day, observed, others)
        if self.is_warm:
            deviation = min(max(deviation, -1.0), 1.0)
        self.mean += max(SHARE, 1 / self.days) * deviation
        if self.days > WARM // 2:
            chance = 1 / (observed + 1) + 1 / (others + 1)
            excess = min(
                deviation * deviation - chance, 4 * self.variance
            )  # the beginning of a loss is no noise
            self.variance += SHARE_NOISE * (excess - self.variance)
            self.variance = max(self.variance, MIN_VARIANCE)
            self.weekdays[day % 7] += WEEKDAY * deviation
            mean = sum(self.weekdays) / 7
            self.weekdays = [factor - mean for factor in self.weekdays]

    def _deviation(self, day: int, observed: float, others: float) -> float:
        return log((observed + 1) / (others + 1)) - self.mean - self.weekdays[day % 7]
