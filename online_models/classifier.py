"""The classifier: two experts and their mixture, which learn one outcome after the other.

**The additive expert** is River's logistic regression with AdaGrad over the inputs of ``design``.
AdaGrad (Duchi, Hazan and Singer, JMLR 12, 2011) takes large steps on inputs it has seen seldom,
which is what steps of rare bins need; FTRL learned the same at twice the time. There is no
intercept and no scaler: every example has one step of each term at work, and positions lie in
[−1, 1] by construction. Half the learning rate learns too slowly from few examples, twice of it
costs calibration with many.

**The networks** are in ``network``, averaged by ``committee``; they see what features mean together, and
alone say who leaves soon.

**The mixture** is in ``mixture``: it learns how far to believe each, on every example before they do; and
``calibration`` likewise how far to believe what they say together.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue, TypeAdapter
from river import linear_model, optim

from features.catalogue import FINGERPRINT
from online_models import committee, network
from online_models.calibration import Slope
from online_models.design import SIZE, Floats, check_example, inputs, tables
from online_models.mixture import Mixture
from schemas.learning import ModelSnapshot, TrainingExample

NAME = "risk/mixed-3"
"""Names what the numbers of a snapshot mean; change it when they change."""

LEARNING_RATE = 0.01
STEADINESS = 1.0
"""Added to AdaGrad's sum of squares, so that the first example of a rare bin does not move it a full step."""

ENOUGH = 200
"""Examples of either class before the model is believed more than the recency prior."""

_numbers: TypeAdapter[list[float]] = TypeAdapter(list[float])


class RiskClassifier:
    """Learns P(lost) and P(exit) a day's examples at a time. Their order is the caller's."""

    def __init__(self) -> None:
        self.examples = 0
        self.positives = 0
        self._optimizer = optim.AdaGrad(LEARNING_RATE, eps=STEADINESS)
        self.regression = linear_model.LogisticRegression(self._optimizer, intercept_lr=0.0)
        self._set_weights(np.zeros(SIZE))
        self.networks = committee.beginning()
        self.mixture = Mixture()
        self.slope = Slope()
        self._state: dict[str, JsonValue] | None = None
        """The numbers of the last snapshot, for as long as nothing is learned."""

    @property
    def warming_up(self) -> bool:
        """Whether too few of either class were seen for its scores to be served."""
        return min(self.positives, self.examples - self.positives) < ENOUGH

    def learn(self, examples: Sequence[TrainingExample]) -> None:
        """Learn a day's, in the given order. Raises ValueError for an example of another shape."""
        for example in examples:
            check_example(example.codes, example.ranks)
        self._state = None
        if examples and not self.warming_up:
            self._weigh(examples)
        self.networks = committee.learn(self.networks, examples)
        for example in examples:
            self.regression.learn_one(_inputs(example), example.label, w=example.weight)
            self.examples += 1
            self.positives += example.label

    def forget(self, kept: float) -> None:
        """Keep that share of what AdaGrad has summed up: the next steps are larger by it."""
        self._state = None
        for number in self._optimizer.g2:
            self._optimizer.g2[number] *= kept

    def _weigh(self, examples: Sequence[TrainingExample]) -> None:
        """Let mixture and slope see what the experts say of examples that they have not learned from yet."""
        seen = network.seen_in(examples)
        additive = tables(np.array(self.weights())).log_odds(seen)
        together = committee.log_odds(committee.joined(self.networks), seen)[network.LOST]
        said = np.stack([additive, together])
        labels = np.array([example.label for example in examples])
        counts = np.array([example.weight for example in examples])
        mixed: Floats = np.array(self.mixture.weights) @ said
        self.slope.learn(mixed, labels, counts, [example.course_run for example in examples])
        self.mixture.learn(said, labels, counts)

    def snapshot(self, model_version: str) -> ModelSnapshot:
        """Everything that was learned, as numbers."""
        if self._state is None:
            self._state = self._numbers()
        return ModelSnapshot.model_construct(  # checking thousands of our own numbers takes milliseconds
            model=NAME,
            model_version=model_version,
            features=FINGERPRINT,
            examples=self.examples,
            positives=self.positives,
            warming_up=self.warming_up,
            state=self._state,
        )

    def _numbers(self) -> dict[str, JsonValue]:
        squares = self._optimizer.g2
        return {
            "weights": list(self.weights()),
            "mixture": list(self.mixture.weights),
            "slope": self.slope.state(),
            "networks": committee.state(self.networks),
            "squares": [float(squares[number]) if number in squares else 0.0 for number in range(SIZE)],
        }

    @classmethod
    def from_snapshot(cls, snapshot: ModelSnapshot) -> "RiskClassifier":
        """The classifier that goes on where the snapshot was taken, bit for bit.

        Raises ValueError for the snapshot of another model or other features.
        """
        check(snapshot)
        found = cls()
        found.examples, found.positives = snapshot.examples, snapshot.positives
        found._set_weights(numbers(snapshot, "weights"))
        squares = numbers(snapshot, "squares")
        found._optimizer.g2.update((int(i), float(squares[i])) for i in np.flatnonzero(squares))
        found._optimizer.n_iterations = snapshot.examples
        found.networks = committee.from_state(snapshot.state.get("networks"))
        found.mixture = Mixture.from_state(snapshot.state.get("mixture"))
        found.slope = Slope.from_state(snapshot.state.get("slope"))
        return found

    def weights(self) -> list[float]:
        """The weight of every input, in their order."""
        weights = self.regression.weights
        return [float(weights[number]) for number in range(SIZE)]

    def _set_weights(self, weights: Floats) -> None:
        # All inputs are there from the start and in their order: River adds up a product of two
        # vectors in the order of the shorter one, and that is always the example's.
        self.regression._weights.update(dict(enumerate(weights.tolist())))


def _inputs(example: TrainingExample) -> dict[int, float]:
    return inputs(example.codes, example.ranks, example.course_run, example.season)


def check(snapshot: ModelSnapshot) -> None:
    """Raises ValueError where a snapshot's numbers do not mean what ours do."""
    if snapshot.model != NAME:
        raise ValueError(
            f"model snapshot {snapshot.model_version}: model {snapshot.model!r}, expected {NAME!r}"
        )
    if snapshot.features != FINGERPRINT:
        raise ValueError(
            f"model snapshot {snapshot.model_version}: made with features {snapshot.features}, "
            f"ours are {FINGERPRINT}; replay the events to learn anew"
        )


def numbers(snapshot: ModelSnapshot, key: str) -> Floats:
    """A list of a snapshot's state as float64 [SIZE]. Raises ValueError where it is something else."""
    found = np.array(_numbers.validate_python(snapshot.state.get(key)), dtype=np.float64)
    if found.shape != (SIZE,) or not np.isfinite(found).all():
        raise ValueError(
            f"model snapshot {snapshot.model_version}: state {key!r} must be {SIZE} finite numbers, "
            f"got {len(found)} with {int((~np.isfinite(found)).sum())} not finite"
        )
    return found
