"""Predicted and actual withdrawals of each course run on the open day, for the intercepts."""

from collections.abc import Mapping, Sequence

import numpy as np

from online_models.design import Floats
from online_models.intercepts import COUNT_NAMES, Counts, exit_millionths

_FORECAST, _WITHDRAWN, _LEFT, _LEFT_BY_WITHDRAWAL = range(len(COUNT_NAMES))


class WithdrawalCounts:
    """A partition's counts of the open day, by run (:data:`online_models.intercepts.COUNTED`)."""

    def __init__(self, stored: Mapping[str, Sequence[int]] | None = None) -> None:
        self._counts: dict[str, Counts] = {
            run: np.array(counts, np.int64) for run, counts in (stored or {}).items()
        }

    def add_forecast(self, run: str, exits: Floats) -> None:
        """Add the forecast of a run at the start of the day: P(exit) by the unshifted model, [enrolments]."""
        self._row(run)[_FORECAST] += exit_millionths(exits)

    def count_withdrawal(self, run: str) -> None:
        """Count a withdrawal; ignored where the run has no forecast that day."""
        if run in self._counts and self._counts[run][_FORECAST]:
            self._counts[run][_WITHDRAWN] += 1

    def count_exits(self, run: str, left: int, by_withdrawal: int) -> None:
        """Count enrolments of matured labels that had left, and how many of them by withdrawal."""
        if left:
            self._row(run)[[_LEFT, _LEFT_BY_WITHDRAWAL]] += (left, by_withdrawal)

    def pop(self) -> dict[str, Counts]:
        """The counts by run; they are reset."""
        counts, self._counts = dict(sorted(self._counts.items())), {}
        return counts

    def rename(self, old: str, new: str) -> None:
        """Give a run's counts to its new name."""
        if old in self._counts:
            self._row(new)[:] += self._counts.pop(old)

    def _row(self, run: str) -> Counts:
        return self._counts.setdefault(run, np.zeros(len(COUNT_NAMES), np.int64))

    def as_json(self) -> dict[str, list[int]]:
        """All counts, as the constructor takes them."""
        return {run: counts.tolist() for run, counts in sorted(self._counts.items())}
