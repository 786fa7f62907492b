"""Examples of runs without an end, held until there are enough of them to learn from together.

The outcomes of a run with an end come in bulk. Those of a run without one come every day, a few at a time,
and of a few the networks learn next to nothing: a day of less than ``FULL_RATE_EXAMPLES`` learns at a lower
rate, so that no single outcome moves all weights. So they wait for each other. The trainer's snapshot holds
them, for a restart; estimates are judged by them on the day on which they come.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue, TypeAdapter

from online_models.design import is_of_open_run
from online_models.network import FULL_RATE_EXAMPLES
from schemas.learning import TrainingExample

LONGEST_DAYS = 28
"""Days that an example waits at most: in a small course there may never be enough."""

_EXAMPLES: TypeAdapter[list[TrainingExample]] = TypeAdapter(list[TrainingExample])


@dataclass(slots=True)
class HeldExamples:
    """The examples that wait, oldest first. The trainer calls it once a day."""

    examples: list[TrainingExample] = field(default_factory=list)

    def due(self, day: int, examples: Sequence[TrainingExample]) -> list[TrainingExample]:
        """A day's examples to learn from: those of runs with an end, and what waited once it is enough."""
        arrived = [example for example in examples if is_of_open_run(example.codes)]
        others = [example for example in examples if not is_of_open_run(example.codes)]
        self.examples += arrived
        is_enough = len(self.examples) >= FULL_RATE_EXAMPLES
        if not self.examples or not (is_enough or self.examples[0].matured + LONGEST_DAYS <= day):
            return others
        released, self.examples = self.examples, []
        return others + released

    def state(self) -> list[JsonValue]:
        """What waits, for a snapshot."""
        return [example.model_dump(mode="json") for example in self.examples]

    @classmethod
    def from_state(cls, state: JsonValue) -> "HeldExamples":
        """What waited at a snapshot.

        Raises:
            ValueError: it is no list of examples.
        """
        return cls(_EXAMPLES.validate_python(state or []))
