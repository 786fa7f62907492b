"""The days of a course run that were not seen in full, because a source of it was quiet or mad."""

from collections.abc import Mapping, Sequence

import numpy as np

from features.ring import Ints
from schemas.learning import DayPackage

_NONE: Ints = np.empty(0, np.int64)


class Unseen:
    """Known from the verdicts of the day packages."""

    def __init__(self, stored: Mapping[str, Sequence[int]] | None = None) -> None:
        self._days = {run: np.array(days, np.int64) for run, days in (stored or {}).items()}

    def note(self, package: DayPackage) -> None:
        """Take the verdicts of a package in, from the day since when each is in force.

        The day on which a source came back was seen in part.
        """
        closed = [event.verdict for event in package.quality.events if event.alarm == "closed"]
        for verdict in [*package.quality.verdicts, *(one for one in closed if one.observed < one.expected)]:
            days = np.arange(verdict.since, package.day + 1)
            for run in verdict.course_runs:
                self._days[run] = np.union1d(self.of(run), days)

    def of(self, run: str) -> Ints:
        """Event days of a run, ascending."""
        return self._days.get(run, _NONE)

    def forget(self, run: str) -> None:
        """A run is over."""
        self._days.pop(run, None)

    def stored(self) -> dict[str, list[int]]:
        """All days, as JSON."""
        return {run: days.tolist() for run, days in sorted(self._days.items())}
