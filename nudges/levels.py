"""Risk levels of enrolments: from a day's probabilities to the few changes worth telling anybody.

A probability moves every day; a level should move only when it means something. Two rules see to it:

*Hysteresis.* A level is entered at one bound and left at a lower one. A probability that wanders
between the two changes nothing.

*Confirmation.* A level changes only after ``confirm_days`` estimates in a row lie beyond the bound of
the level to be taken. Estimates that agree on the direction but not on how far go as far as all of
them went: from low, .60 and then .90 make medium, .90 and .90 make high. From low to high is one step.

*Doubt.* Where some of what happened was not seen, an estimate is a range. A level moves only as far as
both of its ends agree to: :func:`agreed` says the one of it that moves the level least.

*Unsure.* An estimate that is beyond a bound by less than ``unsure_band`` may be so by chance: bounds are as
sharp as estimates are not. A change that only such estimates speak for waits for ``unsure_days`` of them in
a row; one clear estimate, with those before it, confirms it as above. Clearly medium and perhaps high is
medium first.

Everything is vectorised over enrolments and each one stands for itself. This module does not know
where probabilities come from, and makes no messages of the changes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.risk import RISK_LEVELS, RiskLevel

LOW, MEDIUM, HIGH = range(len(RISK_LEVELS))
"""Levels as numbers, places in ``schemas.risk.RISK_LEVELS``; the order is that of the risk."""

MAX_CONFIRM_DAYS = 28
"""Longer than the windows reach back, an estimate would confirm one that rests on other events."""


@dataclass(frozen=True, slots=True)
class LevelSettings:
    """The bounds, as probabilities of being lost, and how often an estimate must lie beyond them.

    A level is entered at ``p >= enter`` and left at ``p < leave``. Raises ``ValueError`` where
    0 < medium_leave < medium_enter <= high_leave < high_enter <= 1, 0 <= unsure_band or
    1 <= confirm_days <= unsure_days <= 28 do not hold.
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
    """Columns of n enrolments, all uint8[n]; :func:`step` writes into them.

    ``level`` is the one in force, ``candidate`` the one that the running streak would confirm (equal to
    ``level`` while there is none), ``streak`` the estimates in a row that speak for it.
    """

    level: NDArray[np.uint8]
    candidate: NDArray[np.uint8]
    streak: NDArray[np.uint8]

    @classmethod
    def low(cls, n: int) -> "Levels":
        """Columns of ``n`` enrolments as they begin: at low, nothing under way."""
        return cls(*(np.zeros(n, np.uint8) for _ in range(3)))


def name(level: int) -> RiskLevel:
    """The name of a level's number."""
    names: tuple[RiskLevel, ...] = ("low", "medium", "high")
    return names[level]


def step(
    levels: Levels,
    probability: NDArray[np.float64],
    settings: LevelSettings,
    rows: NDArray[np.intp] | None = None,
    *,
    rising: bool = True,
) -> NDArray[np.bool_]:
    """Take one estimate for each enrolment, update the columns, and say whose level changed.

    ``probability`` is float64[k], in [0, 1]; ``rows`` int[k] are the enrolments' places, each at most
    once, and may be left out when all are estimated. Returns bool[k]. Call it once an enrolment and
    day: ``confirm_days`` counts calls. An enrolment that is not estimated keeps its streak. Without
    ``rising`` no level goes up and no estimate begins or confirms a rise: the data is not to be trusted.
    Raises ``ValueError`` for a probability that is none; no column has been touched then.
    """
    _check(probability)
    place = slice(None) if rows is None else rows
    level, candidate, streak = levels.level[place], levels.candidate[place], levels.streak[place]
    sure = _target(level, probability, settings, settings.unsure_band)
    target = np.where(sure != level, sure, _target(level, probability, settings, 0.0))
    if not rising:
        target = np.minimum(target, level)
    going_up, was_up = target > level, candidate > level
    going_down, was_down = target < level, candidate < level
    goes_on = (going_up & was_up) | (going_down & was_down)
    mildest = np.where(going_up, np.minimum(candidate, target), np.maximum(candidate, target))
    candidate = np.where(goes_on, mildest, target)
    streak = np.where(target == level, 0, np.where(goes_on, streak, 0) + 1)
    needed = np.where(sure != level, settings.confirm_days, settings.unsure_days)
    changed: NDArray[np.bool_] = streak >= needed
    levels.level[place] = np.where(changed, candidate, level)
    levels.candidate[place] = candidate
    levels.streak[place] = np.where(changed, 0, streak)
    return changed


def _target(
    level: NDArray[np.uint8], probability: NDArray[np.float64], settings: LevelSettings, beyond: float
) -> NDArray[np.uint8]:
    """The level that each probability speaks for, as far beyond its bounds; seen from the level in force."""
    medium_from = np.where(level >= MEDIUM, settings.medium_leave - beyond, settings.medium_enter + beyond)
    high_from = np.where(level == HIGH, settings.high_leave - beyond, settings.high_enter + beyond)
    return (probability >= medium_from).astype(np.uint8) + (probability >= high_from).astype(np.uint8)


def agreed(
    level: NDArray[np.uint8],
    least: NDArray[np.float64],
    most: NDArray[np.float64],
    settings: LevelSettings,
) -> NDArray[np.float64]:
    """Of everything between two estimates the one that moves a level least; all of shape [n]."""
    rests = np.array([0.0, (settings.medium_leave + settings.high_enter) / 2, 1.0])
    found: NDArray[np.float64] = np.clip(rests[level], least, most)
    return found


def moving(
    level: NDArray[np.uint8], probability: NDArray[np.float64], settings: LevelSettings
) -> NDArray[np.bool_]:
    """Whose estimate speaks for another level, bool[n]."""
    found: NDArray[np.bool_] = _target(level, probability, settings, 0.0) != level
    return found


def _check(probability: NDArray[np.float64]) -> None:
    wrong = ~((probability >= 0.0) & (probability <= 1.0))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise ValueError(f"probability[{first}] is {probability[first]}; expected a number in [0, 1]")
