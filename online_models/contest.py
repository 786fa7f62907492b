"""Champion and challenger: when is the challenger better, however often one looks?

Both estimate every example before either learns from it. The difference of their log losses, averaged over
an enrolment's examples and held to [−1, 1], is one round of a bet against "the challenger is no better":
wealth is multiplied by 1 + λ × difference. λ rests on earlier rounds only, so while the challenger is no
better wealth is a supermartingale, and by Ville's inequality it ever reaches 1 / α with a probability of at
most α, whenever and however often it is looked at (Waudby-Smith and Ramdas, *Estimating means of bounded
random variables by betting*, JRSS B 86, 2024). λ is their aGRAPA, mean / (variance + mean²), at most a half.

At 1 / α the challenger is promoted: the two change places and the bet begins anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, log10

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

ALPHA = 0.01
MOST_STAKED = 0.5
FLOOR = 1e-3
"""Log loss takes no probability for more certain than this: one bold mistake should not decide a contest."""

FIRST_MEAN, FIRST_VARIANCE = 0.0, 0.25
"""What is believed of the differences before the first, as if it had been one."""

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Contest:
    """The bet so far. ``evidence`` is the wealth, as a power of ten; ``mean`` is in nats."""

    rounds: int = 0
    evidence: float = 0.0
    mean: float = FIRST_MEAN
    squares: float = FIRST_VARIANCE
    """Sum of squared distances from the mean."""
    promotions: int = 0

    def judge(self, differences: Sequence[float]) -> bool:
        """Play rounds; whether the challenger has won. Then it is a new contest.

        differences: what the champion lost more than the challenger, in nats, an enrolment each.
        """
        for difference in differences:
            held = min(max(difference, -1.0), 1.0)
            variance = self.squares / (self.rounds + 1)
            staked = min(max(self.mean / (variance + self.mean**2), 0.0), MOST_STAKED)
            self.evidence += log10(1 + staked * held)
            self.rounds += 1
            apart = held - self.mean
            self.mean += apart / (self.rounds + 1)
            self.squares += apart * (held - self.mean)
            if self.evidence >= -log10(ALPHA):
                promotions = self.promotions + 1
                self.rounds, self.evidence, self.promotions = 0, 0.0, promotions
                self.mean, self.squares = FIRST_MEAN, FIRST_VARIANCE
                return True
        return False

    def figures(self) -> dict[str, float]:
        """What boards are told."""
        return {
            "challenger_evidence": round(self.evidence, 6),
            "challenger_gain": round(self.mean, 6),
            "challenger_rounds": float(self.rounds),
            "promotions": float(self.promotions),
        }

    def state(self) -> dict[str, JsonValue]:
        """As data."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_state(cls, state: Mapping[str, JsonValue]) -> "Contest":
        """Go on from ``state``. Raises ValueError where it is not one."""
        if not state:
            return cls()
        values = [state.get(name) for name in cls.__slots__]
        if not all(isinstance(value, int | float) for value in values):
            raise ValueError(f"contest: {values}, expected a number for each of {', '.join(cls.__slots__)}")
        rounds, evidence, mean, squares, promotions = (float(str(value)) for value in values)
        return cls(int(rounds), evidence, mean, squares, int(promotions))


def differences(
    enrolments: Sequence[object], labels: Sequence[bool], champion: Floats, challenger: Floats
) -> list[float]:
    """By enrolment, in the order of its first example: how much more the champion lost, in nats."""
    sums: dict[object, list[float]] = {}
    for enrolment, label, ours, theirs in zip(
        enrolments, labels, champion.tolist(), challenger.tolist(), strict=True
    ):
        sums.setdefault(enrolment, []).append(_loss(label, ours) - _loss(label, theirs))
    return [sum(each) / len(each) for each in sums.values()]


def _loss(label: bool, probability: float) -> float:
    return -log(max(probability if label else 1 - probability, FLOOR))
