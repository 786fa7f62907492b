"""The effect of nudges: each simulated learner's true response, hidden from the pipeline.

Most learners do not respond (zero), some become more active (positive), some less (negative). A response
has a size for each variant of the message, in log-odds to be active on the next day; it decays over the
days, and each further nudge to the same learner has a fraction of the previous one's effect. Which variant
fits depends on the learner's *situation*, which the stream shows; the size of a learner's response is
hidden. A strong enough response also changes the outcome: a learner who was going to stop stays, or, where
it is negative, a learner who was going to stay leaves.
"""

from dataclasses import dataclass

import numpy as np

from sources.simulation.cohort import Floats, Ints

SITUATIONS = 2
"""0: no missed deadline; 1: the newest deadline was missed."""


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    """Distribution of the learners' responses in a world.

    ``positive``, ``negative``: shares of the learners with such a response; ``size``: mean log-odds of a
    response to a variant that fits; ``fit``: [situation][variant], the share of it that a variant has there;
    ``decay``: effect of a further nudge relative to the previous one; ``half_life``: days in which an
    effect halves; ``rescue``: probability that a response of log-odds 1 changes the outcome.
    """

    positive: float = 0.3
    negative: float = 0.05
    size: float = 1.0
    fit: tuple[tuple[float, ...], ...] = ((1.0, 0.4, 0.7), (0.3, 1.0, 0.7))
    decay: float = 0.6
    half_life: float = 3.0
    rescue: float = 0.1

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: a field is out of its range; the message names it.
        """
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
"""A world in which nudges have no effect."""


@dataclass(frozen=True, slots=True)
class Responses:
    """The learners' true responses, columns over n learners.

    ``sign``: int64 [n], −1, 0 or 1; ``size``: float64 [n], log-odds of a first nudge with a fit of 1;
    ``threshold``: float64 [n], uniform in [0, 1): the effect above which the learner's outcome changes.
    """

    sign: Ints
    size: Floats
    threshold: Floats


def draw(plan: ResponsePlan, n: int, rng: np.random.Generator) -> Responses:
    """Draw the responses of n learners. Uses the same random numbers for every plan."""
    position, size, threshold = rng.random(n), rng.gamma(4.0, 0.25, n), rng.random(n)
    sign = np.where(position < plan.positive, 1, np.where(position >= 1 - plan.negative, -1, 0))
    return Responses(sign, plan.size * size, threshold)


def first_effect(
    plan: ResponsePlan, truth: Responses, situation: Ints, variant: Ints, before: Ints
) -> Floats:
    """Log-odds that a nudge adds on its first day, float64 [k]; ``before``: earlier nudges, int64 [k].

    ``truth`` has the k learners' rows; ``situation`` and ``variant`` are int64 [k].
    """
    fit = np.array(plan.fit)[situation, variant]
    effect: Floats = truth.sign * truth.size * fit * plan.decay**before
    return effect
