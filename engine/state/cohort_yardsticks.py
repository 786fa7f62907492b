"""How each run's cohort met its deadlines, over all partitions, as of the newest day package."""

from collections.abc import Mapping, Sequence

import numpy as np

from features.coursework import Run
from features.packed_arrays import unpack
from features.yardsticks import Counts, Yardstick, make_yardstick
from schemas.learning import DayPackage


class CohortYardsticks:
    """The cohort sums of each run that has not ended (:mod:`features.yardsticks`)."""

    def __init__(self, stored: Mapping[str, Sequence[Sequence[int]]] | None = None) -> None:
        self._counts: dict[str, Counts] = {
            run: np.array(counts, np.int64) for run, counts in (stored or {}).items()
        }

    def update(self, package: DayPackage) -> None:
        """Replace the sums of the runs in a package."""
        for run, counts in package.deadlines.items():
            self._counts[run] = unpack(counts)

    def of_run(self, run: Run) -> Yardstick:
        """The yardstick of a run; that of a typical course where its cohort has no sums yet."""
        return make_yardstick(run, self._counts.get(run.name))

    def forget(self, run: str) -> None:
        """Remove a run that is over."""
        self._counts.pop(run, None)

    def rename(self, old: str, new: str) -> None:
        """Give a run's sums to its new name, if that has none."""
        if old in self._counts:
            self._counts.setdefault(new, self._counts.pop(old))

    def as_json(self) -> dict[str, list[list[int]]]:
        """All sums, by run, as the constructor takes them."""
        return {run: counts.tolist() for run, counts in sorted(self._counts.items())}
