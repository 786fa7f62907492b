"""The days of a course run that were not seen in full, because a source of it was quiet or mad."""

from collections.abc import Mapping, Sequence

import numpy as np

from features.compute import ALL_SEEN, Gaps
from features.ring import Ints, Rows, last_active
from schemas.learning import DayPackage
from schemas.quality import QualityVerdict


class Unseen:
    """Known from the verdicts of the day packages."""

    def __init__(self, stored: Mapping[str, Sequence[Sequence[int]]] | None = None) -> None:
        self._gaps = {
            run: Gaps(*(np.array(days, np.int64) for days in both)) for run, both in (stored or {}).items()
        }

    def note(self, package: DayPackage) -> None:
        """Take the verdicts of a package in, from the day since when each is in force.

        The day on which a source came back was seen in part.
        """
        closed = [event.verdict for event in package.quality.events if event.alarm == "closed"]
        for verdict in [*package.quality.verdicts, *(one for one in closed if one.observed < one.expected)]:
            days = np.arange(verdict.since, package.day + 1)
            for run in verdict.course_runs:
                before = self.of(run)
                work = np.union1d(before.work, days) if _hides_work(verdict) else before.work
                self._gaps[run] = Gaps(np.union1d(before.days, days), work)

    def of(self, run: str) -> Gaps:
        """Event days of a run."""
        return self._gaps.get(run, ALL_SEEN)

    def forget(self, run: str) -> None:
        """A run is over."""
        self._gaps.pop(run, None)

    def stored(self) -> dict[str, list[list[int]]]:
        """All days, as JSON."""
        return {run: [gaps.days.tolist(), gaps.work.tolist()] for run, gaps in sorted(self._gaps.items())}


def last_known(rows: Rows, slots: Ints, gaps: Gaps, end: int, today: int) -> Ints:
    """The last day by the end of ``today`` with any activity, moved on by the unseen days between it and the
    run's end, [slots]: silence is what was seen of it. Far below zero for who was never active.
    """
    last = last_active(rows, slots, today + 1)
    days = gaps.days[gaps.days < end]
    return last + len(days) - np.searchsorted(days, last + 1)


def _hides_work(verdict: QualityVerdict) -> bool:
    """Whether hand-ins may be among what went unseen: not where another kind alone did."""
    return verdict.kind in (None, "submission")
