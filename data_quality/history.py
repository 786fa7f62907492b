"""The watch's history of one scope, and its serialisation in a day package."""

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from data_quality.companions import Companions, dump_companions, load_companions
from data_quality.rhythm import Level, Noise, Share

SHARE_WEIGHT = 0.05

USUAL_FROM = 0.02
"""Smallest share of faults that is used as usual; less is never alarming."""

PROFILE_WEIGHT = 0.1


@dataclass(slots=True)
class FaultShare:
    """Mean and variance of the share of a fault."""

    mean: float = 0.0
    variance: float = 0.0
    days: int = 0

    @property
    def usual(self) -> float:
        """Upper limit of the usual share: mean and three standard deviations."""
        usual: float = self.mean + 3 * self.variance**0.5
        return min(max(usual, USUAL_FROM), 0.999)

    def learn(self, share: float) -> None:
        """Update with a day's share."""
        weight = max(SHARE_WEIGHT, 1 / (self.days + 1))
        deviation = share - self.mean
        self.mean += weight * deviation
        self.variance = (1 - weight) * (self.variance + weight * deviation * deviation)
        self.days += 1


@dataclass(slots=True)
class History:
    """The history of a scope. level: None if the expectation is the sum of narrower scopes'."""

    level: Level | None = None
    noise: Noise = field(default_factory=Noise)
    silence: float = 0.0
    """Sum of surprise over the current days without any event."""
    silent_since: int = 0
    stretch: float = 0.0
    """Surprise of the emptiest stretch of hours on ordinary days."""
    shares: dict[str, FaultShare] = field(default_factory=dict)
    profile: list[float] = field(default_factory=list)
    """Share of a day's events by hour; of whole sources."""
    share: Share = field(default_factory=Share)
    """Against the other sources; of whole sources and their parts of runs."""
    companions: Companions = field(default_factory=Companions)
    """Of a source's parts of runs; of whole sources the evidence only."""

    @property
    def is_suspected(self) -> bool:
        """Whether a partial loss is suspected."""
        return self.share.is_suspected or self.companions.is_suspected


def learn_profile(history: History, by_hour: NDArray[np.int64]) -> None:
    """Update the profile of a whole source. by_hour: events, [hours]."""
    total = int(by_hour.sum())
    if total:
        shares = (by_hour / total).tolist()
        before = history.profile or shares
        history.profile = [
            old + PROFILE_WEIGHT * (new - old) for old, new in zip(before, shares, strict=True)
        ]


def dump(history: History) -> list[JsonValue]:
    """The history as JSON."""
    level = history.level
    return [
        None if level is None else [level.slow, level.quick, *level.weekdays],
        [history.noise.value, history.noise.days],
        [history.silence, history.silent_since, history.stretch],
        {fault: [share.mean, share.variance, share.days] for fault, share in sorted(history.shares.items())},
        list(history.profile),
        [*(getattr(history.share, name) for name in Share.__slots__[:-1]), *history.share.weekdays],
        cast(JsonValue, dump_companions(history.companions)),
    ]


def load(parts: list[Any]) -> History:
    """Restore the result of ``dump``."""
    level, noise, memory, shares, profile, share, companions = parts
    mean, variance, days, evidence, since, *weekdays = share
    values: list[Any] = [
        None if level is None else Level(level[0], level[1], level[2:]),
        Noise(*noise),
        *memory,
        {fault: FaultShare(*values) for fault, values in shares.items()},
        profile,
        Share(mean, variance, days, evidence, since, weekdays),
        load_companions(companions),
    ]
    return History(*values)
