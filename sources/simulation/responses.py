"""What a nudge does to whom: each simulated learner's true response, hidden from everybody else.

Most learners do not care (zero), some come back for it (positive), and some are put off (negative). A
response has a size for each variant of the message, in log-odds to be active on the day after; it fades
over the days, and each further nudge to the same learner has a fraction of the effect of the one before.
Which variant fits depends on the learner's *situation*, which the stream shows; how much it moves the one
learner, only this module knows. A strong enough response also changes the fate: who was going to stop
stays, or, where it is negative, who was going to stay leaves.
"""

from dataclasses import dataclass

import numpy as np

from sources.simulation.cohort import Floats, Ints

SITUATIONS = 2
"""0: faded out; 1: a deadline has been missed."""


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    """How the learners of a world respond.

    ``positive``, ``negative``: shares of the learners, the rest is zero; ``size``: mean log-odds of a
    response to a variant that fits; ``fit``: [situation][variant], the part of it that a variant has there;
    ``decay``: what a further nudge keeps of the effect of the one before; ``half_life``: days in which an
    effect halves; ``rescue``: probability that a response of log-odds 1 changes the fate.
    """

    positive: float = 0.3
    negative: float = 0.05
    size: float = 1.0
    fit: tuple[tuple[float, ...], ...] = ((1.0, 0.4, 0.7), (0.3, 1.0, 0.7))
    decay: float = 0.6
    half_life: float = 3.0
    rescue: float = 0.1

    def __post_init__(self) -> None:
        """Raises ``ValueError`` naming what is out of its range."""
        if not (self.positive >= 0 and self.negative >= 0 and self.positive + self.negative <= 1):
            raise ValueError(
                f"positive and negative are {self.positive} and {self.negative}; expected shares of a whole"
            )
        for name in ("decay", "rescue"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; expected 0 to 1")
        if not (self.size >= 0 and self.half_life > 0):
            raise ValueError(f"size, half_life: {self.size}, {self.half_life}; expected 0 or more, and more")
        if len(self.fit) != SITUATIONS or len({len(row) for row in self.fit}) != 1 or not self.fit[0]:
            raise ValueError(
                f"fit is {self.fit}; expected {SITUATIONS} rows of one length, a column a variant"
            )

    @property
    def variants(self) -> int:
        return len(self.fit[0])


NO_RESPONSE = ResponsePlan(positive=0.0, negative=0.0)
"""A world in which nudges do nothing at all."""


@dataclass(frozen=True, slots=True)
class Responses:
    """The truth, columns over n learners.

    ``sign``: int64 [n], −1, 0 or 1; ``size``: float64 [n], log-odds of the first nudge that fits wholly;
    ``threshold``: float64 [n], uniform: how much it takes to change the learner's fate.
    """

    sign: Ints
    size: Floats
    threshold: Floats


def draw(plan: ResponsePlan, n: int, rng: np.random.Generator) -> Responses:
    """The learners' responses. Uses the same random numbers for every plan."""
    place, size, threshold = rng.random(n), rng.gamma(4.0, 0.25, n), rng.random(n)
    sign = np.where(place < plan.positive, 1, np.where(place >= 1 - plan.negative, -1, 0))
    return Responses(sign, plan.size * size, threshold)


def first_effect(
    plan: ResponsePlan, truth: Responses, situation: Ints, variant: Ints, before: Ints
) -> Floats:
    """Log-odds that a nudge adds on its first day, float64 [k]; ``before``: nudges the learner had, [k].

    ``truth`` has the k learners' rows; ``situation`` and ``variant`` are int64 [k].
    """
    fit = np.array(plan.fit)[situation, variant]
    found: Floats = truth.sign * truth.size * fit * plan.decay**before
    return found
