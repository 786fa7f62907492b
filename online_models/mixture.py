"""The mixture of the experts: one River logistic regression over their log-odds.

Experts are combined by weights on their log-odds (stacking; Wolpert, Neural Networks 5, 1992). The weights
are learned by test, then train: from the experts' estimates of each example before they learn from it.
There is no intercept: it would only carry the last run's bias into the next one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue, TypeAdapter
from river import linear_model, optim

from online_models.design import Floats
from online_models.river_internals import set_weights

EXPERTS = ("additive", "networks")

INITIAL_WEIGHTS = (0.2, 0.8)
"""On 2013J, with one term learned before: AUC .8796 by networks alone, .8795 with a fifth of the additive
expert (the better of the two on 2014B, by .0003), .8787 with half of it."""

LEARNING_RATE = 1e-4
_FLOATS: TypeAdapter[list[float]] = TypeAdapter(list[float])


class Mixture:
    """The experts' weights, which start from those learned on another term."""

    def __init__(self, weights: Sequence[float] = INITIAL_WEIGHTS) -> None:
        self._regression = linear_model.LogisticRegression(optim.SGD(LEARNING_RATE), intercept_lr=0.0)
        set_weights(self._regression, weights)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each expert, in the order of ``EXPERTS``."""
        learned = self._regression.weights
        return tuple(float(learned[number]) for number in range(len(EXPERTS)))

    def learn(self, log_odds: Floats, labels: NDArray[np.bool_], sample_weights: Floats) -> None:
        """Learn from examples in their order: the experts' log-odds [experts, n], labels [n], weights [n]."""
        examples = log_odds.T.tolist()
        for by_expert, label, weight in zip(examples, labels.tolist(), sample_weights.tolist(), strict=True):
            self._regression.learn_one(dict(enumerate(by_expert)), label, w=weight)

    @classmethod
    def from_state(cls, state: JsonValue) -> "Mixture":
        """The mixture of a snapshot.

        Raises:
            ValueError: if it is no list of one finite number an expert.
        """
        return cls(parse_weights(state))


def parse_weights(state: JsonValue) -> list[float]:
    """The weights of a snapshot.

    Raises:
        ValueError: if it is no list of one finite number an expert.
    """
    weights = _FLOATS.validate_python(state)
    if len(weights) != len(EXPERTS) or not np.isfinite(weights).all():
        raise ValueError(f"mixture: {len(weights)} weights, expected {len(EXPERTS)} finite ones")
    return weights
