"""How far to believe estimates: the calibration slope, learned from outcomes.

A model that fits its past too well is too sure of itself: its log-odds ought to be nearer to nought by a
factor, Cox's calibration slope (Biometrika 45, 1958). It is learned as everything is, from estimates made
before the model has learned from the outcomes that judge them. How far a whole run was off is no
business of the slope's: an intercept for each run is fitted beside it, and forgotten.

One fit by Newton's method a day, over that day's examples, with the slope so far as its prior (Laplace's
approximation; Spiegelhalter and Lauritzen, Networks 20, 1990).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, TypeAdapter

from online_models.design import Floats

FIRST, FIRST_PRECISION = 0.9, 400.0
"""What 2013J of the Open University data says of models that have learned one term; some thousand examples
of one's own say more."""
MOST_PRECISION = 5000.0
"""The past counts for no more than this, about ten thousand examples: models change."""
LEAST, MOST = 0.5, 1.5
RUN_PRECISION = 0.01
"""Of a run's intercept about nought: next to nothing is known of it."""
ROUNDS = 20
_numbers: TypeAdapter[list[float]] = TypeAdapter(list[float])


@dataclass(slots=True)
class Slope:
    """What log-odds are multiplied by, and how sure that is."""

    value: float = FIRST
    precision: float = FIRST_PRECISION

    def learn(self, log_odds: Floats, labels: NDArray[np.bool_], counts: Floats, runs: Sequence[str]) -> None:
        """A day's examples, [n] each: what was said, what came, what each stands for, and its course run."""
        _, run = np.unique(np.array(runs), return_inverse=True)
        weights = counts / counts.mean()
        intercepts, slope = np.zeros(int(run.max()) + 1), self.value
        prior = min(self.precision, MOST_PRECISION)
        for _ in range(ROUNDS):
            said = 1 / (1 + np.exp(-np.clip(intercepts[run] + slope * log_odds, -30, 30)))
            wrong, bend = weights * (labels - said), weights * said * (1 - said)
            pull = np.bincount(run, wrong) - RUN_PRECISION * intercepts
            own = np.bincount(run, bend) + RUN_PRECISION
            shared = np.bincount(run, bend * log_odds)
            # The intercepts are independent of one another given the slope: their part is eliminated first.
            precision = prior + float((bend * log_odds**2).sum() - (shared**2 / own).sum())
            gradient = float((wrong * log_odds).sum() - (shared * pull / own).sum())
            step = (gradient - prior * (slope - self.value)) / precision
            slope = min(max(slope + step, LEAST), MOST)
            intercepts += (pull - shared * step) / own
        self.value, self.precision = slope, precision

    def state(self) -> list[JsonValue]:
        """As data."""
        return [self.value, self.precision]

    @classmethod
    def from_state(cls, state: JsonValue) -> "Slope":
        """Raises ValueError where it is no pair of a slope within its bounds and a positive precision."""
        found = _numbers.validate_python(state)
        if len(found) != 2 or not (LEAST <= found[0] <= MOST and 0 < found[1] < np.inf):
            raise ValueError(
                f"slope: {found}, expected a value of {LEAST} to {MOST} and a positive precision"
            )
        return cls(*found)
