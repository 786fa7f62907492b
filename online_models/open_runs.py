"""The model of runs without an end, beside that of runs with one.

The two are asked different questions: who completes, and who will be active again. One model that learned
both would estimate each at the level of what came last: outcomes of the one kind come in bulk when a run
ends, those of the other every day. In a simulated term beside a self-paced run, that put the mean estimate at
.28 where .36 were lost.

Examples of runs without an end are held until there are enough of them to learn from together: of a few the
networks learn next to nothing, as a day of less than ``FULL_RATE_EXAMPLES`` learns at a lower rate. The
snapshot holds them, for a restart; estimates are judged by them on the day on which they come.
"""

from collections.abc import Sequence

from pydantic import JsonValue, TypeAdapter

from online_models.classifier import MODEL_NAME, RiskClassifier
from online_models.network import FULL_RATE_EXAMPLES
from schemas.learning import ModelSnapshot, TrainingExample

LONGEST_DAYS = 28
"""Days that an example is held at most: in a small course there may never be enough."""

_EXAMPLES: TypeAdapter[list[TrainingExample]] = TypeAdapter(list[TrainingExample])


class OpenRunModel:
    """Learns from the examples of runs without an end. The trainer calls it once a day."""

    def __init__(self) -> None:
        self.held: list[TrainingExample] = []
        """The examples that wait, oldest first."""
        self._classifier = RiskClassifier()
        self._version = f"{MODEL_NAME}-open"

    def due(self, day: int, examples: Sequence[TrainingExample]) -> list[TrainingExample]:
        """Hold a day's examples; returns all that were held once they are enough, to be learned from."""
        self.held += examples
        is_enough = len(self.held) >= FULL_RATE_EXAMPLES
        if not self.held or not (is_enough or self.held[0].matured + LONGEST_DAYS <= day):
            return []
        due, self.held = self.held, []
        return due

    def learn(self, day: int, examples: Sequence[TrainingExample]) -> None:
        """Learn from examples in their order."""
        if examples:
            self._classifier.learn(examples)
            self._version = f"{MODEL_NAME}-open-{day}-{self._classifier.examples}"

    def snapshot(self) -> ModelSnapshot | None:
        """All that :meth:`from_snapshot` continues from; None while there has been no example."""
        if not self.held and not self._classifier.examples:
            return None
        snapshot = self._classifier.snapshot(self._version)
        held: list[JsonValue] = [example.model_dump(mode="json") for example in self.held]
        return snapshot.model_copy(update={"state": {**snapshot.state, "held": held}})

    @classmethod
    def from_snapshot(cls, snapshot: ModelSnapshot | None) -> "OpenRunModel":
        """The model as it was when the snapshot was made.

        Raises:
            ValueError: for the snapshot of another model or other features.
        """
        model = cls()
        if snapshot is not None:
            model._classifier = RiskClassifier.from_snapshot(snapshot)
            model._version = snapshot.model_version
            model.held = _EXAMPLES.validate_python(snapshot.state.get("held"))
        return model
