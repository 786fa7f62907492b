"""Who was foretold to leave each course run on a day, and who left: counted until the day closes."""

from collections.abc import Mapping, Sequence

import numpy as np

from online_models.design import Floats
from online_models.intercepts import COUNT_NAMES, Counts, exit_millionths

_FORETOLD, _WITHDRAWN, _LEFT, _LEFT_BY_WITHDRAWAL = range(len(COUNT_NAMES))


class Leaving:
    """A partition's counts of the day that is open, by run."""

    def __init__(self, stored: Mapping[str, Sequence[int]] | None = None) -> None:
        self._counts: dict[str, Counts] = {run: np.array(of, np.int64) for run, of in (stored or {}).items()}

    def foretell(self, run: str, exits: Floats) -> None:
        """The day begins: P(exit) of each enrolment of a run, as the model says without any shift, [n]."""
        self._of(run)[_FORETOLD] += exit_millionths(exits)

    def withdrawn(self, run: str) -> None:
        """One of those has withdrawn. It counts for nothing where the model foretold nothing."""
        if run in self._counts and self._counts[run][_FORETOLD]:
            self._counts[run][_WITHDRAWN] += 1

    def ended(self, run: str, left: int, by_withdrawal: int) -> None:
        """Outcomes became certain: how many of these enrolments had left, and how many by withdrawing."""
        if left:
            self._of(run)[[_LEFT, _LEFT_BY_WITHDRAWAL]] += (left, by_withdrawal)

    def pop(self) -> dict[str, Counts]:
        """What was counted, by run; counting begins anew."""
        found, self._counts = dict(sorted(self._counts.items())), {}
        return found

    def _of(self, run: str) -> Counts:
        return self._counts.setdefault(run, np.zeros(len(COUNT_NAMES), np.int64))

    def stored(self) -> dict[str, list[int]]:
        """All counts, as JSON."""
        return {run: counts.tolist() for run, counts in sorted(self._counts.items())}
