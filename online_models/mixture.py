"""How far to believe each expert: one River logistic regression over the experts' log-odds.

Experts are combined by weights on their log-odds (stacking; Wolpert, Neural Networks 5, 1992), which
are learned as everything is: on each example, what the experts say before they have learned from it is
judged first. There is no intercept: it would only repeat the last run's error in the next one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, TypeAdapter
from river import linear_model, optim

from online_models.design import Floats

EXPERTS = ("additive", "networks")

FIRST = (0.2, 0.8)
"""On 2013J, with one term learned before: AUC .8796 by networks alone, .8795 with a fifth of the additive
expert (the better of the two on 2014B, by .0003), .8787 with half of it."""

RATE = 1e-4
_numbers: TypeAdapter[list[float]] = TypeAdapter(list[float])


class Mixture:
    """The experts' weights; at first as another term taught them."""

    def __init__(self, weights: Sequence[float] = FIRST) -> None:
        self._regression = linear_model.LogisticRegression(optim.SGD(RATE), intercept_lr=0.0)
        self._regression._weights.update(dict(enumerate(weights)))

    @property
    def weights(self) -> tuple[float, ...]:
        """Of each expert, in their order."""
        learned = self._regression.weights
        return tuple(float(learned[number]) for number in range(len(EXPERTS)))

    def learn(self, log_odds: Floats, labels: NDArray[np.bool_], counts: Floats) -> None:
        """One example after the other: what each expert said of it, [experts, n]; [n]; [n]."""
        said = log_odds.T.tolist()
        for one, label, count in zip(said, labels.tolist(), counts.tolist(), strict=True):
            self._regression.learn_one(dict(enumerate(one)), label, w=count)

    @classmethod
    def from_state(cls, state: JsonValue) -> "Mixture":
        """Raises ValueError where it is no list of one finite number an expert."""
        return cls(mixture_weights(state))


def mixture_weights(state: JsonValue) -> list[float]:
    """The weights of a snapshot. Raises ValueError where it is no list of one finite number an expert."""
    found = _numbers.validate_python(state)
    if len(found) != len(EXPERTS) or not np.isfinite(found).all():
        raise ValueError(f"mixture: {len(found)} weights, expected {len(EXPERTS)} finite ones")
    return found
