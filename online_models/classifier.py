"""The classifier: an ensemble of two experts, their mixture and a calibrator, learned online.

**The additive expert** is River's logistic regression with AdaGrad over the inputs of ``design``.
AdaGrad (Duchi, Hazan and Singer, JMLR 12, 2011) makes large updates on rare inputs, which is what
the steps of rare bins need; FTRL learned the same in twice the time. There is no intercept and no
scaler: every example has exactly one active step of each term, and positions lie in [−1, 1] by
construction. Half the learning rate learns too slowly from few examples, twice of it costs
calibration with many.

**The networks** are in ``network``, averaged by ``committee``; they model interactions of features, and
they alone estimate P(exit).

**The mixture** (``mixture``) learns a weight for each expert, on every example before the experts learn
from it; the calibrator (``calibration``) learns a slope for the weighted sum in the same way.
"""

from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue, TypeAdapter
from river import linear_model, optim

from features.catalogue import FINGERPRINT
from online_models import committee, network
from online_models.calibration import CalibrationSlope
from online_models.design import SIZE, Floats, check_example, inputs, lookup_tables
from online_models.mixture import Mixture
from online_models.river_internals import set_weights
from schemas.learning import ModelSnapshot, TrainingExample

MODEL_NAME = "risk/mixed-3"
"""The format of a snapshot's numbers; change it when their meaning changes."""

LEARNING_RATE = 0.01
ADAGRAD_EPS = 1.0
"""Added to AdaGrad's sum of squares, so that the first example of a rare bin does not move it a full step."""

MIN_EXAMPLES_PER_CLASS = 200
"""Examples of either class before the model is served instead of the recency prior."""

_FLOATS: TypeAdapter[list[float]] = TypeAdapter(list[float])


class RiskClassifier:
    """Learns P(lost) and P(exit) from one day's examples at a time, in the order in which they are passed."""

    def __init__(self) -> None:
        self.examples = 0
        self.positives = 0
        self._optimizer = optim.AdaGrad(LEARNING_RATE, eps=ADAGRAD_EPS)
        self.regression = linear_model.LogisticRegression(self._optimizer, intercept_lr=0.0)
        self._set_weights(np.zeros(SIZE))
        self.networks = committee.initial_members()
        self.mixture = Mixture()
        self.slope = CalibrationSlope()
        self._state: dict[str, JsonValue] | None = None
        """The numbers of the last snapshot, cached until something is learned."""

    @property
    def warming_up(self) -> bool:
        """Whether there were too few examples of either class for its estimates to be served."""
        return min(self.positives, self.examples - self.positives) < MIN_EXAMPLES_PER_CLASS

    def learn(self, examples: Sequence[TrainingExample]) -> None:
        """Learn a day's examples in their order: mixture and calibrator first, then the experts.

        Raises:
            ValueError: for an example of another shape; nothing has been learned then.
        """
        for example in examples:
            check_example(example.codes, example.ranks)
        self._state = None
        if examples and not self.warming_up:
            self._learn_mixture(examples)
        self.networks = committee.learn(self.networks, examples)
        for example in examples:
            self.regression.learn_one(_inputs(example), example.label, w=example.weight)
            self.examples += 1
            self.positives += example.label

    def forget(self, retained: float) -> None:
        """Multiply AdaGrad's sums of squares by ``retained``, below 1: the next updates are larger."""
        self._state = None
        for number in self._optimizer.g2:
            self._optimizer.g2[number] *= retained

    def _learn_mixture(self, examples: Sequence[TrainingExample]) -> None:
        """Update mixture and calibrator with the experts' estimates of examples not yet learned from."""
        batch = network.example_batch(examples)
        by_additive = lookup_tables(np.array(self.weights())).log_odds(batch)
        by_networks = committee.log_odds(committee.as_one_network(self.networks), batch)[network.LOST]
        expert_log_odds = np.stack([by_additive, by_networks])
        labels = np.array([example.label for example in examples])
        sample_weights = np.array([example.weight for example in examples])
        mixed: Floats = np.array(self.mixture.weights) @ expert_log_odds
        self.slope.learn(mixed, labels, sample_weights, [example.course_run for example in examples])
        self.mixture.learn(expert_log_odds, labels, sample_weights)

    def snapshot(self, model_version: str) -> ModelSnapshot:
        """Everything that was learned, as numbers that :meth:`from_snapshot` continues from."""
        if self._state is None:
            self._state = self._learned_state()
        return ModelSnapshot.model_construct(  # checking thousands of our own numbers takes milliseconds
            model=MODEL_NAME,
            model_version=model_version,
            features=FINGERPRINT,
            examples=self.examples,
            positives=self.positives,
            warming_up=self.warming_up,
            state=self._state,
        )

    def _learned_state(self) -> dict[str, JsonValue]:
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
        """The classifier as it was when the snapshot was made, bit for bit.

        Raises:
            ValueError: for the snapshot of another model or other features.
        """
        check_snapshot(snapshot)
        classifier = cls()
        classifier.examples, classifier.positives = snapshot.examples, snapshot.positives
        classifier._set_weights(state_vector(snapshot, "weights"))
        squares = state_vector(snapshot, "squares")
        classifier._optimizer.g2.update((int(i), float(squares[i])) for i in np.flatnonzero(squares))
        classifier._optimizer.n_iterations = snapshot.examples
        classifier.networks = committee.from_state(snapshot.state.get("networks"))
        classifier.mixture = Mixture.from_state(snapshot.state.get("mixture"))
        classifier.slope = CalibrationSlope.from_state(snapshot.state.get("slope"))
        return classifier

    def weights(self) -> list[float]:
        """The weight of every input, in their order."""
        weights = self.regression.weights
        return [float(weights[number]) for number in range(SIZE)]

    def _set_weights(self, weights: Floats) -> None:
        set_weights(self.regression, weights.tolist())


def _inputs(example: TrainingExample) -> dict[int, float]:
    return inputs(example.codes, example.ranks, example.course_run, example.season)


def check_snapshot(snapshot: ModelSnapshot) -> None:
    """Check that a snapshot has this model's format and features.

    Raises:
        ValueError: for the snapshot of another model or other features.
    """
    if snapshot.model != MODEL_NAME:
        raise ValueError(
            f"model snapshot {snapshot.model_version}: model {snapshot.model!r}, expected {MODEL_NAME!r}"
        )
    if snapshot.features != FINGERPRINT:
        raise ValueError(
            f"model snapshot {snapshot.model_version}: made with features {snapshot.features}, "
            f"ours are {FINGERPRINT}; replay the events to learn anew"
        )


def state_vector(snapshot: ModelSnapshot, key: str) -> Floats:
    """A list in a snapshot's state as float64 [SIZE].

    Raises:
        ValueError: if it is not ``SIZE`` finite numbers.
    """
    vector = np.array(_FLOATS.validate_python(snapshot.state.get(key)), dtype=np.float64)
    if vector.shape != (SIZE,) or not np.isfinite(vector).all():
        raise ValueError(
            f"model snapshot {snapshot.model_version}: state {key!r} must be {SIZE} finite numbers, "
            f"got {len(vector)} with {int((~np.isfinite(vector)).sum())} not finite"
        )
    return vector
