"""How many learners a trial needs, and which effect it can detect with those it has.

Small effects need many: two points on a base of 44 % take about 9,700 in each arm. A small holdout takes
more in all, because the smaller arm decides; watching all the time takes more than looking once. Better
to know before than to read a difference out of noise.
"""

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

from nudges.experiments.effects import LEVEL, margin

SMALLEST = 1e-6
"""The smallest share or difference: one in a million. The formulas do not hold for smaller ones."""

POWER = 0.8
"""The probability of detecting an effect of the given size."""


@dataclass(frozen=True, slots=True)
class Size:
    """Learners needed in each arm."""

    nudged: int
    holdout: int

    @property
    def total(self) -> int:
        return self.nudged + self.holdout


def size_for_one_look(
    base: float, effect: float, share: float = 0.5, level: float = LEVEL, power: float = POWER
) -> Size:
    """The size of a trial that is looked at once, at its end.

    ``base``: the share that does it without a nudge; ``effect``: the difference to be detected, such as .02;
    ``share``: of the learners held out. The usual formula: the test's variance is that of no effect, the
    power's that of the effect (J. L. Fleiss, B. Levin and M. C. Paik, Statistical Methods for Rates and
    Proportions, 2003, chapter 4).

    Raises:
        ValueError: an argument is out of its range.
    """
    nudged_share = _checked(base, effect, share, level, power)
    pooled = share * base + (1 - share) * nudged_share
    z_test, z_power = NormalDist().inv_cdf((1 + level) / 2), NormalDist().inv_cdf(power)
    null_spread = sqrt(pooled * (1 - pooled) * (1 / share + 1 / (1 - share)))
    effect_spread = sqrt(base * (1 - base) / share + nudged_share * (1 - nudged_share) / (1 - share))
    return _arms(((z_test * null_spread + z_power * effect_spread) / effect) ** 2, share)


def size_for_many_looks(
    base: float, effect: float, share: float = 0.5, level: float = LEVEL, power: float = POWER
) -> Size:
    """The size of a trial that is watched until its confidence sequence excludes zero.

    At this size, with this power, it does so at the last look; mostly it will have done so earlier. The
    sequence is tightest at that size.
    """
    nudged_share = _checked(base, effect, share, level, power)
    spread = sqrt(base * (1 - base) / share + nudged_share * (1 - nudged_share) / (1 - share))
    z_power = NormalDist().inv_cdf(power)

    def is_detected(outcomes: int) -> bool:
        half = spread * margin(outcomes, level, tightest=outcomes)
        return half + z_power * spread / sqrt(outcomes) <= abs(effect)

    high = 2
    while not is_detected(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_detected(middle) else (middle, high)
    return _arms(high, share)


def detectable_effect(
    base: float, nudged: int, holdout: int, level: float = LEVEL, power: float = POWER
) -> float:
    """The smallest effect that such arms detect in one look with this power; at most 1 − base.

    Raises:
        ValueError: an arm is empty, or ``base`` is not a share.
    """
    if min(nudged, holdout) < 1:
        raise ValueError(f"arms are {nudged} and {holdout}; expected at least 1 in each")
    share = holdout / (nudged + holdout)
    low, high = 0.0, 1.0 - base
    for _ in range(60):
        middle = (low + high) / 2
        enough = size_for_one_look(base, middle, share, level, power).total <= nudged + holdout
        low, high = (low, middle) if enough else (middle, high)
    return high


def _arms(total: float, share: float) -> Size:
    return Size(nudged=ceil((1 - share) * total), holdout=ceil(share * total))


def _checked(base: float, effect: float, share: float, level: float, power: float) -> float:
    """The share of the nudged arm.

    Raises:
        ValueError: an argument is out of its range.
    """
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
