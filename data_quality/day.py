"""One day under evaluation: its counts, and their expectations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_quality.counts import HOURS, KINDS, WITH_RHYTHM, Counts, Scope
from schemas.quality import Fault

MIN_MOVEMENT = 0.25
"""A common fall of the peers explains a scope's fall down to this share of its expectation, no further."""

LAST_PHASE = 0.9
"""Elapsed share of a run after which its kinds are not watched: they end one by one, with their deadlines."""


@dataclass(frozen=True, slots=True)
class ShareComparison:
    """Events of a scope, events of the other sources of its runs, and the scope's slow level."""

    events: float
    others: float
    lasting_level: float

    @property
    def level_drop(self) -> float:
        """Logarithm of the events relative to the slow level: below 0 if there are fewer."""
        return log((self.events + 1) / (self.lasting_level + 1))


class LossEvidence(NamedTuple):
    """Events of a scope, its usual events, and the log-likelihood ratio of a loss on the day."""

    events: float
    usual: float
    ratio: float


@dataclass(slots=True)
class Day:
    """A day under evaluation. day: epoch day; counts: by source and run; phases: elapsed share by run."""

    day: int
    counts: dict[tuple[str, str], Counts]
    phases: Mapping[str, float]
    together: Mapping[str, NDArray[np.int64]]
    observed: dict[Scope, float] = field(default_factory=dict)
    expected: dict[Scope, float] = field(default_factory=dict)
    movement: dict[Scope, float] = field(default_factory=dict)
    stretches: dict[Scope, float] = field(default_factory=dict)
    shares: dict[Scope, ShareComparison] = field(default_factory=dict)
    """Of whole sources and their parts of runs, where other sources were active."""

    main_sources: dict[str, list[Scope]] = field(default_factory=dict)
    """Run → scopes in it of the sources that matter."""

    losses: dict[Scope, LossEvidence] = field(default_factory=dict)
    """Of whole sources and their parts of runs, where co-occurrence is known."""

    totals: dict[Scope, Counts] = field(default_factory=dict)
    """Counts of each source, and of its part of each run."""

    def __post_init__(self) -> None:
        for key, counts in self.counts.items():
            self.totals[Scope(*key)] = counts
            total = self.totals.setdefault(Scope(key[0]), Counts.none())
            total.hours[...] += counts.hours
            for fault, count in counts.faults.items():
                total.faults[fault] += count

    def hours(self, scope: Scope) -> NDArray[np.int64]:
        """Events of a source or its part of a run, [kinds, hours]."""
        total = self.totals.get(scope)
        return np.zeros((KINDS, HOURS), np.int64) if total is None else total.hours

    def by_hour(self, scope: Scope) -> NDArray[np.int64]:
        """Events of the kinds with a rhythm, [hours]."""
        events: NDArray[np.int64] = self.hours(scope)[WITH_RHYTHM].sum(axis=0)
        return events

    def records(self, scope: Scope) -> int:
        """Number of records: events, duplicates and refused records."""
        total = self.totals[scope]
        rejected: tuple[Fault, ...] = ("duplicates", "unknown_kind", "invalid", "future")
        return int(total.hours.sum()) + sum(total.faults.get(fault, 0) for fault in rejected)

    def is_ending(self, scope: Scope) -> bool:
        """Whether the scope's run is in its last phase."""
        return bool(scope.run) and self.phases.get(scope.run, 0.0) >= LAST_PHASE

    def is_silent(self, scope: Scope) -> bool:
        """Whether some run of the scope has no events at all, from any source."""
        runs = [scope.run] if scope.run else self.runs_of(scope)
        return not all(
            any(counts.hours.any() for key, counts in self.counts.items() if key[1] == run) for run in runs
        )

    def runs_of(self, scope: Scope) -> list[str]:
        """Runs of the scope's source with events or an expectation, sorted."""
        scopes = self.observed.keys() | {Scope(*key) for key in self.counts}
        return sorted({part.run for part in scopes if part.run and part.source == scope.source})


def affected_runs(today: Day, scope: Scope) -> list[str]:
    """Course runs of which a problem in a scope loses events."""
    return [scope.run] if scope.run else today.runs_of(scope)


def movement_of(today: Day, peers: Iterable[Scope]) -> float:
    """Events of the peers relative to their expectation, in [MIN_MOVEMENT, 1]."""
    judged = [peer for peer in peers if peer in today.expected]
    expected = sum(today.expected[peer] for peer in judged)
    observed = sum(today.observed[peer] for peer in judged)
    return min(max(observed / expected, MIN_MOVEMENT), 1.0) if expected > 0 else 1.0
