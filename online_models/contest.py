"""Champion against challenger: an anytime-valid sequential test of whether the challenger is better.

Both estimate every example before either learns from it. The difference of their log losses, averaged over
an enrolment's examples and clipped to [−1, 1], is one round of a bet against the null hypothesis that the
challenger is no better: wealth is multiplied by 1 + λ × difference. λ depends on earlier rounds only, so
under the null wealth is a supermartingale, and by Ville's inequality it ever reaches 1 / α with a probability
of at most α, however often it is tested (Waudby-Smith and Ramdas, *Estimating means of bounded random
variables by betting*, JRSS B 86, 2024). λ is their aGRAPA, mean / (variance + mean²), at most a half.

At 1 / α the challenger is promoted: the two swap roles and the test starts anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, log10

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

ALPHA = 0.01
MAX_STAKE = 0.5
MIN_PROBABILITY = 1e-3
"""Probabilities are clipped to this for the log loss: a single confident mistake should not decide a test."""

INITIAL_MEAN, INITIAL_VARIANCE = 0.0, 0.25
"""Prior of the differences, which counts as one observation."""

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Contest:
    """The state of the test. ``evidence`` is log10 of the wealth; ``mean`` is in nats."""

    rounds: int = 0
    evidence: float = 0.0
    mean: float = INITIAL_MEAN
    squares: float = INITIAL_VARIANCE
    """Sum of squared deviations from the mean."""
    promotions: int = 0

    def update(self, differences: Sequence[float]) -> bool:
        """Add one round for each difference; True where the challenger has won, and the test has been reset.

        differences: the champion's log loss less the challenger's, in nats, one for each enrolment.
        """
        for difference in differences:
            clipped = min(max(difference, -1.0), 1.0)
            variance = self.squares / (self.rounds + 1)
            stake = min(max(self.mean / (variance + self.mean**2), 0.0), MAX_STAKE)
            self.evidence += log10(1 + stake * clipped)
            self.rounds += 1
            deviation = clipped - self.mean
            self.mean += deviation / (self.rounds + 1)
            self.squares += deviation * (clipped - self.mean)
            if self.evidence >= -log10(ALPHA):
                promotions = self.promotions + 1
                self.rounds, self.evidence, self.promotions = 0, 0.0, promotions
                self.mean, self.squares = INITIAL_MEAN, INITIAL_VARIANCE
                return True
        return False

    def metrics(self) -> dict[str, float]:
        """The metrics that a day package publishes."""
        return {
            "challenger_evidence": round(self.evidence, 6),
            "challenger_gain": round(self.mean, 6),
            "challenger_rounds": float(self.rounds),
            "promotions": float(self.promotions),
        }

    def state(self) -> dict[str, JsonValue]:
        """The state for a day package."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_state(cls, state: Mapping[str, JsonValue]) -> "Contest":
        """The test as it was at ``state``; a new one where that is empty.

        Raises:
            ValueError: if a number is missing.
        """
        if not state:
            return cls()
        values = [state.get(name) for name in cls.__slots__]
        if not all(isinstance(value, int | float) for value in values):
            raise ValueError(f"contest: {values}, expected a number for each of {', '.join(cls.__slots__)}")
        rounds, evidence, mean, squares, promotions = (float(str(value)) for value in values)
        return cls(int(rounds), evidence, mean, squares, int(promotions))


def loss_differences(
    enrolments: Sequence[object], labels: Sequence[bool], champion: Floats, challenger: Floats
) -> list[float]:
    """The mean difference of the log losses by enrolment, champion less challenger, in nats.

    enrolments, labels, champion, challenger: of each example, [n], the last two as P(lost). The result is in
    the order of each enrolment's first example.
    """
    sums: dict[object, list[float]] = {}
    for enrolment, label, by_champion, by_challenger in zip(
        enrolments, labels, champion.tolist(), challenger.tolist(), strict=True
    ):
        sums.setdefault(enrolment, []).append(_loss(label, by_champion) - _loss(label, by_challenger))
    return [sum(differences) / len(differences) for differences in sums.values()]


def _loss(label: bool, probability: float) -> float:
    return -log(max(probability if label else 1 - probability, MIN_PROBABILITY))
