"""How many learners a trial needs, and what it could see with those it has.

Small effects need many: two points on a base of 44 % take about 9,700 in each arm. A small holdout takes
more in all, because the smaller arm decides; watching all the time takes more than looking once. Better
to know before than to read a difference out of noise.
"""

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

from nudges.experiments.effects import LEVEL, margin

SMALLEST = 1e-6
"""Of every share and difference: one in a million. Smaller ones say nothing, and are beyond the formulas."""

POWER = 0.8
"""How often an effect of the asked size would be seen."""


@dataclass(frozen=True, slots=True)
class Size:
    """Learners needed in each arm."""

    nudged: int
    holdout: int

    @property
    def total(self) -> int:
        return self.nudged + self.holdout


def once(base: float, effect: float, share: float = 0.5, level: float = LEVEL, power: float = POWER) -> Size:
    """For one look at the end.

    ``base``: the share that does it without a nudge; ``effect``: the difference to be seen, such as .02;
    ``share``: of the learners held out. The usual formula: the test's variance is that of no effect, the
    power's that of the effect (J. L. Fleiss, B. Levin and M. C. Paik, Statistical Methods for Rates and
    Proportions, 2003, chapter 4). Raises ``ValueError`` naming what is out of its range.
    """
    other = _checked(base, effect, share, level, power)
    pooled = share * base + (1 - share) * other
    z_test, z_power = NormalDist().inv_cdf((1 + level) / 2), NormalDist().inv_cdf(power)
    none = sqrt(pooled * (1 - pooled) * (1 / share + 1 / (1 - share)))
    some = sqrt(base * (1 - base) / share + other * (1 - other) / (1 - share))
    return _arms(((z_test * none + z_power * some) / effect) ** 2, share)


def watched(
    base: float, effect: float, share: float = 0.5, level: float = LEVEL, power: float = POWER
) -> Size:
    """For looking as often as one likes: when the confidence sequence has come to exclude zero.

    At this size, with this power, it does so at the last look; mostly it will have done so earlier. The
    sequence is taken as tuned to that size.
    """
    other = _checked(base, effect, share, level, power)
    spread = sqrt(base * (1 - base) / share + other * (1 - other) / (1 - share))
    z_power = NormalDist().inv_cdf(power)

    def seen(outcomes: int) -> bool:
        half = spread * margin(outcomes, level, tightest=outcomes)
        return half + z_power * spread / sqrt(outcomes) <= abs(effect)

    high = 2
    while not seen(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return _arms(high, share)


def visible(base: float, nudged: int, holdout: int, level: float = LEVEL, power: float = POWER) -> float:
    """The least effect that a trial of these arms would see in one look, with this power; at most 1 − base.

    Raises ``ValueError`` where an arm is empty or ``base`` is no share.
    """
    if min(nudged, holdout) < 1:
        raise ValueError(f"arms are {nudged} and {holdout}; expected at least 1 in each")
    share = holdout / (nudged + holdout)
    low, high = 0.0, 1.0 - base
    for _ in range(60):
        middle = (low + high) / 2
        enough = once(base, middle, share, level, power).total <= nudged + holdout
        low, high = (low, middle) if enough else (middle, high)
    return high


def _arms(total: float, share: float) -> Size:
    return Size(nudged=ceil((1 - share) * total), holdout=ceil(share * total))


def _checked(base: float, effect: float, share: float, level: float, power: float) -> float:
    """The other arm's share, once all is in range."""
    shares = {"base": base, "base + effect": base + effect, "share": share, "level": level, "power": power}
    for name, value in shares.items():
        if not 0.0 < value < 1.0:
            raise ValueError(f"{name} is {value:g}; expected more than 0 and less than 1")
        if not SMALLEST <= value <= 1 - SMALLEST:
            raise ValueError(f"{name} is {value!r}; expected {SMALLEST:g} to 1 - {SMALLEST:g}")
    if effect == 0.0:
        raise ValueError("effect is 0; expected a difference to be seen")
    if abs(effect) < SMALLEST:
        raise ValueError(f"effect is {effect:g}; expected a difference of at least {SMALLEST:g}")
    return base + effect
