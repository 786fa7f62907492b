"""One day while it is judged: its counts, and what was expected of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_quality.counts import HOURS, KINDS, WITH_RHYTHM, Counts, Scope
from schemas.quality import Fault

LEAST_MOVEMENT = 0.25
"""What moves the others explains no greater fall than to this share."""

LAST_PHASE = 0.9
"""Share of a run after which its kinds end one by one, as their deadlines pass: they are not watched."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What a scope brought, what the other sources of its runs did, and its own level that lasts."""

    brought: float
    others: float
    slow: float

    @property
    def own(self) -> float:
        """How far it is below its own level, as a logarithm."""
        return log((self.brought + 1) / (self.slow + 1))


class Torn(NamedTuple):
    """What a scope brought, what it would have, and how a day speaks for a loss."""

    brought: float
    usual: float
    ratio: float


@dataclass(slots=True)
class Day:
    """A day while it is judged: its counts, and what became of them."""

    day: int
    counts: dict[tuple[str, str], Counts]
    phases: Mapping[str, float]
    together: Mapping[str, NDArray[np.int64]]
    observed: dict[Scope, float] = field(default_factory=dict)
    expected: dict[Scope, float] = field(default_factory=dict)
    movement: dict[Scope, float] = field(default_factory=dict)
    stretches: dict[Scope, float] = field(default_factory=dict)
    shares: dict[Scope, Beside] = field(default_factory=dict)
    """Of whole sources and their parts of runs, where others were active."""

    rests_on: dict[str, list[Scope]] = field(default_factory=dict)
    """By run: its part of the sources that bring its events."""

    torn: dict[Scope, Torn] = field(default_factory=dict)
    """Of whole sources and their parts of runs, where what goes together is known."""

    totals: dict[Scope, Counts] = field(default_factory=dict)
    """Of each source and of its part of each run."""

    def __post_init__(self) -> None:
        for key, one in self.counts.items():
            self.totals[Scope(*key)] = one
            total = self.totals.setdefault(Scope(key[0]), Counts.none())
            total.hours[...] += one.hours
            for fault, count in one.faults.items():
                total.faults[fault] += count

    def hours(self, scope: Scope) -> NDArray[np.int64]:
        """[kinds, hours]"""
        found = self.totals.get(scope)
        return np.zeros((KINDS, HOURS), np.int64) if found is None else found.hours

    def by_hour(self, scope: Scope) -> NDArray[np.int64]:
        """Of the kinds that have a rhythm, [hours]."""
        found: NDArray[np.int64] = self.hours(scope)[WITH_RHYTHM].sum(axis=0)
        return found

    def records(self, scope: Scope) -> int:
        """Events, and records that became none."""
        found = self.totals[scope]
        lost: tuple[Fault, ...] = ("duplicates", "unknown_kind", "invalid", "future")
        return int(found.hours.sum()) + sum(found.faults.get(fault, 0) for fault in lost)

    def is_ending(self, scope: Scope) -> bool:
        return bool(scope.run) and self.phases.get(scope.run, 0.0) >= LAST_PHASE

    def is_silent(self, scope: Scope) -> bool:
        """Whether some run of the scope has no events at all, from no source."""
        runs = [scope.run] if scope.run else self.runs_of(scope)
        return not all(
            any(one.hours.any() for key, one in self.counts.items() if key[1] == run) for run in runs
        )

    def runs_of(self, scope: Scope) -> list[str]:
        """Runs that something is expected for, or came from."""
        known = self.observed.keys() | {Scope(*key) for key in self.counts}
        return sorted({one.run for one in known if one.run and one.source == scope.source})


def affected(today: Day, scope: Scope) -> list[str]:
    return [scope.run] if scope.run else today.runs_of(scope)


def movement_of(today: Day, peers: Iterable[Scope]) -> float:
    """How far below their expectation the peers are together."""
    judged = [peer for peer in peers if peer in today.expected]
    expected = sum(today.expected[peer] for peer in judged)
    observed = sum(today.observed[peer] for peer in judged)
    return min(max(observed / expected, LEAST_MOVEMENT), 1.0) if expected > 0 else 1.0
