"""The days of each course run that were not fully observed, because a source was quiet or faulty."""

from collections.abc import Mapping, Sequence

import numpy as np

from features.compute import NO_GAPS, TrackingGaps
from schemas.learning import DayPackage
from schemas.quality import QualityVerdict


class UnobservedDays:
    """The tracking gaps of each run, from the quality verdicts of the day packages."""

    def __init__(self, stored: Mapping[str, Sequence[Sequence[int]]] | None = None) -> None:
        self._gaps = {
            run: TrackingGaps(*(np.array(days, np.int64) for days in both))
            for run, both in (stored or {}).items()
        }

    def update(self, package: DayPackage) -> None:
        """Add the days of a package's verdicts, each from its first day on.

        The day on which a source came back counts too: it was observed in part.
        """
        closed = [event.verdict for event in package.quality.events if event.alarm == "closed"]
        partial = [verdict for verdict in closed if verdict.observed < verdict.expected]
        for verdict in [*package.quality.verdicts, *partial]:
            days = np.arange(verdict.since, package.day + 1)
            for run in verdict.course_runs:
                before = self.of_run(run)
                work = np.union1d(before.work, days) if _hides_work(verdict) else before.work
                self._gaps[run] = TrackingGaps(np.union1d(before.days, days), work)

    def of_run(self, run: str) -> TrackingGaps:
        """The gaps of a run."""
        return self._gaps.get(run, NO_GAPS)

    def forget(self, run: str) -> None:
        """Remove a run that is over."""
        self._gaps.pop(run, None)

    def rename(self, old: str, new: str) -> None:
        """Give a run's gaps to its new name, if that has none."""
        if old in self._gaps:
            self._gaps.setdefault(new, self._gaps.pop(old))

    def as_json(self) -> dict[str, list[list[int]]]:
        """All gaps, as the constructor takes them."""
        return {run: [gaps.days.tolist(), gaps.work.tolist()] for run, gaps in sorted(self._gaps.items())}


def _hides_work(verdict: QualityVerdict) -> bool:
    """Whether hand-ins may be missing too: not if another kind alone is affected."""
    return verdict.kind in (None, "submission")
