"""The online calibrator: a calibration slope, learned from outcomes.

An overfitted model is overconfident: its log-odds should be shrunk towards zero by a factor, Cox's
calibration slope (Biometrika 45, 1958). The slope is learned by test, then train: from estimates that were
made before the model learned from the outcomes. An intercept for each run is fitted beside it and
discarded, so that a bias of a whole run does not move the slope.

One fit by Newton's method a day, over that day's examples, with the current slope as its prior (Laplace's
approximation; Spiegelhalter and Lauritzen, Networks 20, 1990).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, TypeAdapter
from scipy.special import expit

from online_models.design import Floats

INITIAL_SLOPE, INITIAL_PRECISION = 0.9, 400.0
"""Fitted on 2013J of the Open University data for models that had learned one term; some thousand own
examples outweigh it."""
MAX_PRECISION = 5000.0
"""Upper bound of the prior's precision, about ten thousand examples: models change."""
MIN_SLOPE, MAX_SLOPE = 0.5, 1.5
RUN_PRECISION = 0.01
"""Prior precision of a run's intercept about zero: weak."""
NEWTON_STEPS = 20
_FLOATS: TypeAdapter[list[float]] = TypeAdapter(list[float])


@dataclass(slots=True)
class CalibrationSlope:
    """The factor that log-odds are multiplied by, and its precision."""

    value: float = INITIAL_SLOPE
    precision: float = INITIAL_PRECISION

    def learn(
        self, log_odds: Floats, labels: NDArray[np.bool_], sample_weights: Floats, runs: Sequence[str]
    ) -> None:
        """Learn from a day's examples: estimated log-odds, labels, weights and course runs, [n] each."""
        _, run = np.unique(np.array(runs), return_inverse=True)
        weights = sample_weights / sample_weights.mean()
        intercepts, slope = np.zeros(int(run.max()) + 1), self.value
        prior = min(self.precision, MAX_PRECISION)
        for _ in range(NEWTON_STEPS):
            predicted = expit(np.clip(intercepts[run] + slope * log_odds, -30, 30))
            residuals, curvature = weights * (labels - predicted), weights * predicted * (1 - predicted)
            intercept_gradient = np.bincount(run, residuals) - RUN_PRECISION * intercepts
            intercept_curvature = np.bincount(run, curvature) + RUN_PRECISION
            cross_curvature = np.bincount(run, curvature * log_odds)
            # The intercepts are independent of one another given the slope: their part is eliminated first.
            precision = prior + float(
                (curvature * log_odds**2).sum() - (cross_curvature**2 / intercept_curvature).sum()
            )
            gradient = float(
                (residuals * log_odds).sum()
                - (cross_curvature * intercept_gradient / intercept_curvature).sum()
            )
            step = (gradient - prior * (slope - self.value)) / precision
            slope = min(max(slope + step, MIN_SLOPE), MAX_SLOPE)
            intercepts += (intercept_gradient - cross_curvature * step) / intercept_curvature
        self.value, self.precision = slope, precision

    def state(self) -> list[JsonValue]:
        """Value and precision, for a snapshot."""
        return [self.value, self.precision]

    @classmethod
    def from_state(cls, state: JsonValue) -> "CalibrationSlope":
        """The slope of a snapshot.

        Raises:
            ValueError: if it is no pair of a slope within its bounds and a positive precision.
        """
        numbers = _FLOATS.validate_python(state)
        if len(numbers) != 2 or not (MIN_SLOPE <= numbers[0] <= MAX_SLOPE and 0 < numbers[1] < np.inf):
            raise ValueError(
                f"slope: {numbers}, expected a value of {MIN_SLOPE} to {MAX_SLOPE} and a positive precision"
            )
        return cls(*numbers)
