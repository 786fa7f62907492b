"""What the watch remembers of one scope from the days before, and how it travels in a day package."""

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from data_quality.companions import Companions, restored, stored
from data_quality.rhythm import Level, Noise, Share

SHARE_WEIGHT = 0.05

USUAL_FROM = 0.02
"""A share of faults below this is nobody's concern."""

PROFILE_WEIGHT = 0.1


@dataclass(slots=True)
class FaultShare:
    """The usual share of a fault."""

    mean: float = 0.0
    variance: float = 0.0
    days: int = 0

    @property
    def usual(self) -> float:
        usual: float = self.mean + 3 * self.variance**0.5
        return min(max(usual, USUAL_FROM), 0.999)

    def learn(self, share: float) -> None:
        weight = max(SHARE_WEIGHT, 1 / (self.days + 1))
        apart = share - self.mean
        self.mean += weight * apart
        self.variance = (1 - weight) * (self.variance + weight * apart * apart)
        self.days += 1


@dataclass(slots=True)
class History:
    """The memory of a scope. ``level`` is None where the expectation is the sum of narrower scopes'."""

    level: Level | None = None
    noise: Noise = field(default_factory=Noise)
    silence: float = 0.0
    """Surprise of the days without any event, up to now."""
    silent_since: int = 0
    stretch: float = 0.0
    """The emptiest stretch of hours on ordinary days, as surprise."""
    shares: dict[str, FaultShare] = field(default_factory=dict)
    profile: list[float] = field(default_factory=list)
    """Share of a day's events by hour; of whole sources."""
    share: Share = field(default_factory=Share)
    """Against the other sources; of whole sources and their parts of runs."""
    companions: Companions = field(default_factory=Companions)
    """Of a source's parts of runs; of a whole source their evidence together."""

    @property
    def doubted(self) -> bool:
        return self.share.doubted or self.companions.doubted


def learn_profile(history: History, by_hour: NDArray[np.int64]) -> None:
    total = int(by_hour.sum())
    if total:
        shares = (by_hour / total).tolist()
        before = history.profile or shares
        history.profile = [
            old + PROFILE_WEIGHT * (new - old) for old, new in zip(before, shares, strict=True)
        ]


def dump(history: History) -> list[JsonValue]:
    level = history.level
    return [
        None if level is None else [level.slow, level.quick, *level.weekdays],
        [history.noise.value, history.noise.days],
        [history.silence, history.silent_since, history.stretch],
        {fault: [one.mean, one.variance, one.days] for fault, one in sorted(history.shares.items())},
        list(history.profile),
        [*(getattr(history.share, name) for name in Share.__slots__[:-1]), *history.share.weekdays],
        cast(JsonValue, stored(history.companions)),
    ]


def load(parts: list[Any]) -> History:
    level, noise, memory, shares, profile, share, companions = parts
    mean, variance, days, evidence, since, *weekdays = share
    values: list[Any] = [
        None if level is None else Level(level[0], level[1], level[2:]),
        Noise(*noise),
        *memory,
        {fault: FaultShare(*one) for fault, one in shares.items()},
        profile,
        Share(mean, variance, days, evidence, since, weekdays),
        restored(companions),
    ]
    return History(*values)
