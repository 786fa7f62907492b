"""Progressive validation: metrics of the estimates that were served, once their labels are final.

Test, then train: each example carries the probability that was served on the snapshot's day, long before
anything could be learned from it. Examples count with their weight, so that the metrics are those of all
weekly estimates, not of the sample in the reservoir.

The state consists of counts and sums by bucket of probability: small, exact to resume from, and accurate
(AUC to .001) for any number of examples.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from pydantic import JsonValue, TypeAdapter

from online_models.auc import auc_of_counts
from schemas.learning import TrainingExample

BUCKETS = 300
CALIBRATION_BINS = 15
"""The usual number of bins of reliability diagrams; divides BUCKETS."""

MIN_PROBABILITY = 1e-6
"""Probabilities are clipped to this for the log loss: estimates have six decimals."""

_FLOATS: TypeAdapter[list[float]] = TypeAdapter(list[float])


def _zeros() -> list[float]:
    return [0.0] * BUCKETS


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """The examples of a range of estimates: mean estimate, share lost, and weight."""

    bin: int
    estimated: float
    lost: float
    weight: float


@dataclass(slots=True)
class ProgressiveValidation:
    """Sums over all examples whose estimates were served by a model."""

    retained: list[float] = field(default_factory=_zeros)
    """Weight of examples not lost, by bucket of the probability."""
    lost: list[float] = field(default_factory=_zeros)
    estimated: list[float] = field(default_factory=_zeros)
    """Weight × probability, by bucket."""
    log_loss: float = 0.0
    brier: float = 0.0
    served: int = 0

    def update(self, examples: Iterable[TrainingExample]) -> None:
        """Add the examples that a model served, not the recency prior."""
        for example in examples:
            if example.served:
                self._add(example.label, example.probability, example.weight)

    def _add(self, label: bool, probability: float, weight: float) -> None:
        bucket = min(int(probability * BUCKETS), BUCKETS - 1)
        (self.lost if label else self.retained)[bucket] += weight
        self.estimated[bucket] += weight * probability
        likely = probability if label else 1.0 - probability
        self.log_loss -= weight * math.log(max(likely, MIN_PROBABILITY))
        self.brier += weight * (1.0 - likely) ** 2
        self.served += 1

    def metrics(self) -> dict[str, float]:
        """Log loss, Brier score, expected calibration error, and AUC once there are both classes."""
        metrics = {"served": float(self.served)}
        retained, lost, estimated = (np.array(sums) for sums in (self.retained, self.lost, self.estimated))
        total = float(retained.sum() + lost.sum())
        if total == 0:
            return metrics
        metrics["log_loss"] = self.log_loss / total
        metrics["brier"] = self.brier / total
        metrics["lost"] = float(lost.sum()) / total
        metrics["estimated"] = float(estimated.sum()) / total
        gaps = np.abs((lost - estimated).reshape(CALIBRATION_BINS, -1).sum(axis=1))
        metrics["ece"] = float(gaps.sum()) / total
        if lost.any() and retained.any():
            metrics["auc"] = float(auc_of_counts(lost, retained))
        return metrics

    def calibration(self) -> list[CalibrationBin]:
        """The reliability diagram: bins in ascending order, without the empty ones."""
        retained, lost, estimated = (
            np.array(sums).reshape(CALIBRATION_BINS, -1).sum(axis=1)
            for sums in (self.retained, self.lost, self.estimated)
        )
        return [
            CalibrationBin(
                index, float(estimated[index] / weight), float(lost[index] / weight), float(weight)
            )
            for index, weight in enumerate(retained + lost)
            if weight > 0
        ]

    def state(self) -> dict[str, JsonValue]:
        """All sums as JSON, for the model snapshot; the keys are part of its format."""
        return {
            "kept": list(self.retained),
            "lost": list(self.lost),
            "said": list(self.estimated),
            "log_loss": self.log_loss,
            "brier": self.brier,
            "served": self.served,
        }

    @classmethod
    def from_state(cls, state: JsonValue) -> "ProgressiveValidation":
        """Continue from ``state``.

        Raises:
            ValueError: if a sum is missing or has another number of buckets.
        """
        if not isinstance(state, dict):
            raise ValueError(f"progress: expected an object, got {type(state).__name__}")
        sums = {name: _FLOATS.validate_python(state.get(name)) for name in ("kept", "lost", "said")}
        for name, values in sums.items():
            if len(values) != BUCKETS:
                raise ValueError(f"progress: {name} has {len(values)} buckets, expected {BUCKETS}")
        log_loss, brier, served = _FLOATS.validate_python(
            [state.get(name) for name in ("log_loss", "brier", "served")]
        )
        return cls(
            retained=sums["kept"],
            lost=sums["lost"],
            estimated=sums["said"],
            log_loss=log_loss,
            brier=brier,
            served=int(served),
        )
