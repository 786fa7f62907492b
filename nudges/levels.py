"""Risk levels of enrolments: turns a day's probabilities into the few changes that are worth reporting.

A probability moves every day; a level should move only when it means something. Two rules see to it:

*Hysteresis.* A level is entered at one bound and left at a lower one. A probability that wanders
between the two changes nothing.

*Confirmation.* A level changes only after ``confirm_days`` estimates in a row lie beyond the bound of
the new level. Estimates that agree on the direction but not on how far go as far as all of them went: from
low, .60 and then .90 make medium, .90 and .90 make high. From low to high is one step.

*Doubt.* Where some events were not observed, an estimate is a range. A level moves only as far as both ends
of the range agree to: :func:`least_moving` returns the estimate in it that moves the level least.

*Unsure.* An estimate that is beyond a bound by less than ``unsure_band`` may be so by chance: bounds are as
sharp as estimates are not. A change that only such estimates speak for waits for ``unsure_days`` of them in
a row; one clear estimate, with those before it, confirms it as above. Clearly medium and perhaps high is
medium first.

Everything is vectorised over enrolments, and each enrolment is independent of the others. This module does
not know where probabilities come from, and makes no messages of the changes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.risk import RISK_LEVELS, RiskLevel

LOW, MEDIUM, HIGH = range(len(RISK_LEVELS))
"""Levels as numbers: indices into ``schemas.risk.RISK_LEVELS``, in order of the risk."""

MAX_CONFIRM_DAYS = 28
"""Longer than the windows reach back, an estimate would confirm one that rests on other events."""


@dataclass(frozen=True, slots=True)
class LevelSettings:
    """The bounds, as probabilities of being lost, and how often an estimate must lie beyond them.

    A level is entered at ``p >= enter`` and left at ``p < leave``.

    Raises:
        ValueError: 0 < medium_leave < medium_enter <= high_leave < high_enter <= 1, 0 <= unsure_band or
            1 <= confirm_days <= unsure_days <= 28 does not hold.
    """

    medium_enter: float = 0.50
    medium_leave: float = 0.40
    high_enter: float = 0.76
    high_leave: float = 0.66
    confirm_days: int = 2
    unsure_band: float = 0.05
    unsure_days: int = 5

    def __post_init__(self) -> None:
        """Check each bound against its neighbours."""
        _ordered("medium_leave", self.medium_leave, "medium_enter", self.medium_enter, strict=True)
        _ordered("medium_enter", self.medium_enter, "high_leave", self.high_leave, strict=False)
        _ordered("high_leave", self.high_leave, "high_enter", self.high_enter, strict=True)
        if not self.medium_leave > 0.0:
            raise ValueError(f"medium_leave is {self.medium_leave}; expected more than 0")
        if not self.high_enter <= 1.0:
            raise ValueError(f"high_enter is {self.high_enter}; expected at most 1")
        if not 1 <= self.confirm_days <= MAX_CONFIRM_DAYS:
            raise ValueError(f"confirm_days is {self.confirm_days}; expected 1 to {MAX_CONFIRM_DAYS}")
        if not self.confirm_days <= self.unsure_days <= MAX_CONFIRM_DAYS:
            expected = f"{self.confirm_days}, which is confirm_days, to {MAX_CONFIRM_DAYS}"
            raise ValueError(f"unsure_days is {self.unsure_days}; expected {expected}")
        if not self.unsure_band >= 0.0:
            raise ValueError(f"unsure_band is {self.unsure_band}; expected 0 or more")


def _ordered(lower_name: str, lower: float, upper_name: str, upper: float, *, strict: bool) -> None:
    # Written so that a NaN fails it too.
    if not (lower < upper if strict else lower <= upper):
        relation = "less than" if strict else "at most"
        raise ValueError(f"{lower_name} is {lower}; expected {relation} {upper_name}, which is {upper}")


@dataclass(frozen=True, slots=True)
class Levels:
    """Columns of n enrolments, all uint8[n]; :func:`update_levels` writes into them.

    ``level`` is the one in force, ``candidate`` the one that the running streak would confirm (equal to
    ``level`` while there is none), ``streak`` the estimates in a row that speak for it.
    """

    level: NDArray[np.uint8]
    candidate: NDArray[np.uint8]
    streak: NDArray[np.uint8]

    @classmethod
    def low(cls, n: int) -> "Levels":
        """The initial columns of ``n`` enrolments: all at low, no streak."""
        return cls(*(np.zeros(n, np.uint8) for _ in range(3)))


def level_name(level: int) -> RiskLevel:
    """The name of a level's number."""
    names: tuple[RiskLevel, ...] = ("low", "medium", "high")
    return names[level]


def update_levels(
    levels: Levels,
    probability: NDArray[np.float64],
    settings: LevelSettings,
    rows: NDArray[np.intp] | None = None,
    *,
    rising: bool = True,
) -> NDArray[np.bool_]:
    """Apply one estimate per enrolment to the columns; returns whose level changed, bool[k].

    ``probability`` is float64[k], in [0, 1]; ``rows`` int[k] are the enrolments' indices, each at most once,
    and may be left out when all are estimated. Call it once per enrolment and day: ``confirm_days`` counts
    calls. An enrolment that is not estimated keeps its streak. Without ``rising`` no level goes up and no
    estimate begins or confirms a rise: the data is not to be trusted.

    Raises:
        ValueError: a probability is not in [0, 1]; the columns are unchanged then.
    """
    _check(probability)
    index = slice(None) if rows is None else rows
    level, candidate, streak = levels.level[index], levels.candidate[index], levels.streak[index]
    clear_target = _target(level, probability, settings, settings.unsure_band)
    target = np.where(clear_target != level, clear_target, _target(level, probability, settings, 0.0))
    if not rising:
        target = np.minimum(target, level)
    going_up, was_up = target > level, candidate > level
    going_down, was_down = target < level, candidate < level
    goes_on = (going_up & was_up) | (going_down & was_down)
    mildest = np.where(going_up, np.minimum(candidate, target), np.maximum(candidate, target))
    candidate = np.where(goes_on, mildest, target)
    streak = np.where(target == level, 0, np.where(goes_on, streak, 0) + 1)
    needed = np.where(clear_target != level, settings.confirm_days, settings.unsure_days)
    changed: NDArray[np.bool_] = streak >= needed
    levels.level[index] = np.where(changed, candidate, level)
    levels.candidate[index] = candidate
    levels.streak[index] = np.where(changed, 0, streak)
    return changed


def _target(
    level: NDArray[np.uint8], probability: NDArray[np.float64], settings: LevelSettings, band: float
) -> NDArray[np.uint8]:
    """The level that each probability indicates, given the one in force; ``band`` widens every bound."""
    medium_from = np.where(level >= MEDIUM, settings.medium_leave - band, settings.medium_enter + band)
    high_from = np.where(level == HIGH, settings.high_leave - band, settings.high_enter + band)
    return (probability >= medium_from).astype(np.uint8) + (probability >= high_from).astype(np.uint8)


def least_moving(
    level: NDArray[np.uint8],
    least: NDArray[np.float64],
    most: NDArray[np.float64],
    settings: LevelSettings,
) -> NDArray[np.float64]:
    """The estimate in [least, most] that moves each level least; all of shape [n]."""
    resting_points = np.array([0.0, (settings.medium_leave + settings.high_enter) / 2, 1.0])
    estimates: NDArray[np.float64] = np.clip(resting_points[level], least, most)
    return estimates


def speaks_for_change(
    level: NDArray[np.uint8], probability: NDArray[np.float64], settings: LevelSettings
) -> NDArray[np.bool_]:
    """Whose estimate indicates another level than the one in force, bool[n]."""
    changes: NDArray[np.bool_] = _target(level, probability, settings, 0.0) != level
    return changes


def _check(probability: NDArray[np.float64]) -> None:
    invalid = ~((probability >= 0.0) & (probability <= 1.0))
    if invalid.any():
        first = int(np.argmax(invalid))
        raise ValueError(f"probability[{first}] is {probability[first]}; expected a number in [0, 1]")
