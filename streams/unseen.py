"""The days of a course run that were not seen in full, because a source of it was quiet or mad."""

from collections.abc import Mapping, Sequence

import numpy as np

from features.ring import Ints
from schemas.learning import DayPackage

FRESH = 7
"""Days. After a breakdown rises wait for as many days that were seen as there were unseen, but for no more
than these: who was active unseen shows within a week."""

_NONE: Ints = np.empty(0, np.int64)


class Unseen:
    """Known from the verdicts of the day packages."""

    def __init__(self, stored: Mapping[str, Sequence[int]] | None = None) -> None:
        self._days = {run: np.array(days, np.int64) for run, days in (stored or {}).items()}

    def note(self, package: DayPackage) -> None:
        """Take the verdicts of a package in, from the day since when each is in force."""
        for verdict in package.quality.verdicts:
            days = np.arange(verdict.since, package.day + 1)
            for run in verdict.course_runs:
                self._days[run] = np.union1d(self.of(run), days)

    def of(self, run: str) -> Ints:
        """Event days of a run, ascending."""
        return self._days.get(run, _NONE)

    def is_fresh(self, run: str, day: int) -> bool:
        """Whether enough was seen since the last breakdown for a level to rise at the start of ``day``."""
        days = self.of(run)
        if not len(days):
            return True
        ends = np.flatnonzero(np.diff(days) > 1)
        lasted = int(len(days) - (ends[-1] + 1 if len(ends) else 0))
        return day - 1 - int(days[-1]) >= min(lasted, FRESH)

    def forget(self, run: str) -> None:
        """A run is over."""
        self._days.pop(run, None)

    def stored(self) -> dict[str, list[int]]:
        """All days, as JSON."""
        return {run: days.tolist() for run, days in sorted(self._days.items())}
