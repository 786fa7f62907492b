"""What each run's cohort did with its deadlines, all partitions together, as of the newest day package."""

from collections.abc import Mapping, Sequence

import numpy as np

from features.coursework import Run
from features.packed_arrays import unpack
from features.yardsticks import Counts, Yardstick, yardstick
from schemas.learning import DayPackage


class Measures:
    """The sums that yardsticks are made of, for as long as a run is on."""

    def __init__(self, stored: Mapping[str, Sequence[Sequence[int]]] | None = None) -> None:
        self._counts: dict[str, Counts] = {run: np.array(of, np.int64) for run, of in (stored or {}).items()}

    def note(self, package: DayPackage) -> None:
        """Take the sums of a package."""
        for run, counts in package.deadlines.items():
            self._counts[run] = unpack(counts)

    def of(self, run: Run) -> Yardstick:
        """How to measure in a run; as in most courses where none of its cohort has been counted."""
        return yardstick(run, self._counts.get(run.name))

    def forget(self, run: str) -> None:
        """A run is over."""
        self._counts.pop(run, None)

    def stored(self) -> dict[str, list[list[int]]]:
        """All sums, as JSON."""
        return {run: counts.tolist() for run, counts in sorted(self._counts.items())}
