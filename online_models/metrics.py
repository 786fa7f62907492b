"""Progressive validation: how good were the estimates that were served, now that outcomes are known.

Test, then train: each example carries the probability that the serving model gave on the snapshot's
day, long before anything could be learned from it. Examples count with their weight, so that the
figures are those of all weekly estimates, not of the sample that waited.

The state is counts and sums over ``BUCKETS`` of probability: small, exact to go on from, and close
enough (AUC to .001) whatever the number of examples.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from pydantic import JsonValue, TypeAdapter

from schemas.learning import TrainingExample

BUCKETS = 300
CALIBRATION_BINS = 15
"""As tools for evaluation use; divides BUCKETS."""

FLOOR = 1e-6
"""Log loss takes no probability for more certain than this: estimates have six decimals."""

_lists: TypeAdapter[list[float]] = TypeAdapter(list[float])


def _zeros() -> list[float]:
    return [0.0] * BUCKETS


@dataclass(frozen=True, slots=True)
class Bin:
    """Examples whose estimates lie together: the mean of these, the share that was lost, and the weight."""

    bin: int
    estimated: float
    lost: float
    weight: float


@dataclass(slots=True)
class Progress:
    """Sums over the served examples so far."""

    kept: list[float] = field(default_factory=_zeros)
    """Weight of examples not lost, by bucket of the probability."""
    lost: list[float] = field(default_factory=_zeros)
    said: list[float] = field(default_factory=_zeros)
    """Weight × probability, by bucket."""
    log_loss: float = 0.0
    brier: float = 0.0
    served: int = 0

    def update(self, examples: Iterable[TrainingExample]) -> None:
        """Count those examples whose probability was a model's."""
        for example in examples:
            if example.served:
                self._add(example.label, example.probability, example.weight)

    def _add(self, label: bool, probability: float, weight: float) -> None:
        bucket = min(int(probability * BUCKETS), BUCKETS - 1)
        (self.lost if label else self.kept)[bucket] += weight
        self.said[bucket] += weight * probability
        likely = probability if label else 1.0 - probability
        self.log_loss -= weight * math.log(max(likely, FLOOR))
        self.brier += weight * (1.0 - likely) ** 2
        self.served += 1

    def figures(self) -> dict[str, float]:
        """Log loss, Brier score, expected calibration error, and AUC once both classes were seen."""
        found = {"served": float(self.served)}
        kept, lost, said = (np.array(sums) for sums in (self.kept, self.lost, self.said))
        total = float(kept.sum() + lost.sum())
        if total == 0:
            return found
        found["log_loss"] = self.log_loss / total
        found["brier"] = self.brier / total
        found["lost"] = float(lost.sum()) / total
        found["estimated"] = float(said.sum()) / total
        gaps = np.abs((lost - said).reshape(CALIBRATION_BINS, -1).sum(axis=1))
        found["ece"] = float(gaps.sum()) / total
        if lost.any() and kept.any():
            below = kept.cumsum() - kept / 2
            found["auc"] = float((lost * below).sum() / (lost.sum() * kept.sum()))
        return found

    def calibration(self) -> list[Bin]:
        """What was estimated and what came, bin by bin from the lowest; empty ones are left out."""
        kept, lost, said = (
            np.array(sums).reshape(CALIBRATION_BINS, -1).sum(axis=1)
            for sums in (self.kept, self.lost, self.said)
        )
        return [
            Bin(place, float(said[place] / weight), float(lost[place] / weight), float(weight))
            for place, weight in enumerate(kept + lost)
            if weight > 0
        ]

    def state(self) -> dict[str, JsonValue]:
        """All sums, as JSON."""
        return {
            "kept": list(self.kept),
            "lost": list(self.lost),
            "said": list(self.said),
            "log_loss": self.log_loss,
            "brier": self.brier,
            "served": self.served,
        }

    @classmethod
    def from_state(cls, state: JsonValue) -> "Progress":
        """Go on from ``state``. Raises ValueError where it is not one."""
        if not isinstance(state, dict):
            raise ValueError(f"progress: expected an object, got {type(state).__name__}")
        sums = {name: _lists.validate_python(state.get(name)) for name in ("kept", "lost", "said")}
        for name, values in sums.items():
            if len(values) != BUCKETS:
                raise ValueError(f"progress: {name} has {len(values)} buckets, expected {BUCKETS}")
        log_loss, brier, served = _lists.validate_python(
            [state.get(name) for name in ("log_loss", "brier", "served")]
        )
        return cls(**sums, log_loss=log_loss, brier=brier, served=int(served))
