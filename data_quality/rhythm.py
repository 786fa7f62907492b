"""A stream's own rhythm: how many events a day should bring, and how surprising fewer are.

The level is the lower of a quick and a slow exponentially weighted mean, so that a course that fades
out is not expected to go on, times a factor for the weekday. Around it counts are spread like a
negative binomial, variance μ + noise × μ²: the noise is learned from the stream's own low days, so
that a restless course has to fall further than a steady one before anybody is told.

Surprise is Chernoff's bound on the probability of so few events, in decimal places: 8 says "less
often than once in 10⁸ days". A bound in closed form: it errs to the side of no alarm, and needs no
special function.
"""

from dataclasses import dataclass, field
from math import exp, log, log1p

SLOW, QUICK = 0.10, 0.35
"""Weight of a new day: half of the past is gone after a week, or after a day and a half."""

WEEKDAY = 0.15
"""Weight of a new day for its weekday's factor; one day counts for at most double or half."""

NOISE = 0.05
"""Weight of a new day for the noise."""

FIRST_NOISE, LEAST_NOISE, MOST_NOISE = 0.10, 0.005, 1.0
LUCK = 0.5
"""A day far above its level says little about low ones: it adds no more than this to the noise."""

WARM = 14
"""Days of its own that a stream needs before it is judged: each weekday twice."""

LN10 = log(10.0)


@dataclass(slots=True)
class Level:
    """What a day should bring."""

    slow: float
    quick: float
    weekdays: list[float] = field(default_factory=lambda: [1.0] * 7)

    def expected(self, day: int) -> float:
        """Events of ``day``, above 0."""
        return max(min(self.slow, self.quick) * self.weekdays[day % 7], 1e-9)

    def lasting(self, day: int) -> float:
        """Events of ``day`` by the slow mean alone."""
        return self.slow * self.weekdays[day % 7]

    def learn(self, day: int, observed: float) -> None:
        """Move towards a day's events."""
        factor = self.weekdays[day % 7]
        ratio = (observed + 1) / (self.slow * factor + 1)
        self.slow += SLOW * (observed / factor - self.slow)
        self.quick += QUICK * (observed / factor - self.quick)
        self.weekdays[day % 7] *= float(min(max(ratio, 0.5), 2.0) ** WEEKDAY)
        mean = sum(self.weekdays) / 7
        self.weekdays = [each / mean for each in self.weekdays]


@dataclass(slots=True)
class Noise:
    """How far a stream strays from what is expected of it: the square of its coefficient of variation."""

    value: float = FIRST_NOISE
    days: int = 0

    def learn(self, observed: float, expected: float) -> None:
        """Take a day's distance from its expectation in."""
        self.days += 1
        if self.days <= WARM // 2:
            return  # the level itself is still being found
        apart = ((observed - expected) ** 2 - expected) / max(expected * expected, 1.0)
        if observed > expected:
            apart = min(apart, LUCK)
        self.value = min(max(self.value + NOISE * (apart - self.value), LEAST_NOISE), MOST_NOISE)

    @property
    def warm(self) -> bool:
        return self.days >= WARM

    def surprise(self, observed: float, expected: float) -> float:
        """Of ``observed`` events or fewer; 0 for as many as expected or more."""
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
    """Of ``count`` in ``total`` where ``usual`` is the share in [0, 1); 0 for that or less."""
    share = count / total if total else 0.0
    if share <= usual:
        return 0.0
    bound = share * log(share / usual)
    if share < 1:
        bound += (1 - share) * log((1 - share) / (1 - usual))
    return total * bound / LN10


LOST = log(1 - 0.3)
"""The least loss that a share is watched for: three in ten."""

SHARE, SHARE_NOISE = 0.10, 0.05
"""Weight of a new day for a usual share and for its variance."""

FIRST_VARIANCE, LEAST_VARIANCE = 0.05, 0.003
DOUBTED = 2.0
"""Evidence of a loss at which nothing is learned: else what is lost would soon be usual."""

MOST_A_DAY = 4.0
"""Evidence that one day can give: two are needed to open an alarm, since one freak day is no loss."""


def cumulated(evidence: float, ratio: float, most: float, *, told: bool) -> float:
    """Page's sum after a day: never below 0 nor above ``most``.

    ratio: the day's log-likelihood ratio, in decimal places. told: the loss is known; then one day that is
    nearer to none ends it.
    """
    before = 0.0 if told and ratio < 0 else evidence
    return min(max(before + min(ratio, MOST_A_DAY), 0.0), most)


@dataclass(slots=True)
class Share:
    """What a source brings for each event that the others bring, as a logarithm, and evidence that it fell.

    Evidence is Page's cumulated sum (*Continuous inspection schemes*, Biometrika 41, 1954) of the
    log-likelihood ratio of a loss of three in ten against none, in decimal places. Days add up: half of a
    source is told in a few days, however little one of them says.
    """

    mean: float = 0.0
    variance: float = FIRST_VARIANCE
    days: int = 0
    evidence: float = 0.0
    since: int = 0
    """The first day of the evidence."""
    weekdays: list[float] = field(default_factory=lambda: [0.0] * 7)

    @property
    def warm(self) -> bool:
        return self.days >= WARM

    @property
    def doubted(self) -> bool:
        return self.evidence >= DOUBTED

    def usual(self, day: int) -> float:
        """Events for each of the others'."""
        return exp(self.mean + self.weekdays[day % 7])

    def weigh(self, day: int, observed: float, others: float, own: float, most: float, *, told: bool) -> None:
        """Add a day to the evidence.

        own: how far below its own level the source is, as a logarithm; where only the others have grown,
        nothing was lost. most: what the evidence is held to. told: the loss is known.
        """
        fell = max(self._apart(day, observed, others), own)
        chance = self.variance + 1 / (observed + 1) + 1 / (others + 1)
        ratio = LOST * (fell - LOST / 2) / chance / LN10
        if self.evidence == 0.0:
            self.since = day
        self.evidence = cumulated(self.evidence, ratio, most, told=told)

    def learn(self, day: int, observed: float, others: float) -> None:
        """Take a day's share in, but not while it is in doubt."""
        if self.doubted:
            return
        self.days += 1
        apart = self._apart(day, observed, others)
        if self.warm:
            apart = min(max(apart, -1.0), 1.0)
        self.mean += max(SHARE, 1 / self.days) * apart
        if self.days > WARM // 2:
            chance = 1 / (observed + 1) + 1 / (others + 1)
            strange = min(apart * apart - chance, 4 * self.variance)  # a loss that begins is no noise
            self.variance += SHARE_NOISE * (strange - self.variance)
            self.variance = max(self.variance, LEAST_VARIANCE)
            self.weekdays[day % 7] += WEEKDAY * apart
            middle = sum(self.weekdays) / 7
            self.weekdays = [each - middle for each in self.weekdays]

    def _apart(self, day: int, observed: float, others: float) -> float:
        return log((observed + 1) / (others + 1)) - self.mean - self.weekdays[day % 7]
