"""The estimates of each expert alone in a pass, to compare the mixture with.

An expert's estimates have the run's intercept, and are smoothed, like those served, so that the mixture is
the only difference. Days on which the model is warming up have none.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.processor import PartitionProcessor
from online_models.design import FeatureBatch
from online_models.memory import NO_MEMORY, smooth
from online_models.mixture import EXPERTS
from online_models.scoring import MixedScorer, scorer_of
from schemas.learning import DayPackage

COLUMNS = ("code_module", "code_presentation", "id_student", "day", "risk")


@dataclass(slots=True)
class ExpertEstimates:
    """Collects the experts' estimates of one run: ``on_day`` is a callback of a backtest."""

    course_run: str
    _memory: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    _days: list[tuple[int, list[int], NDArray[np.float64]]] = field(default_factory=list)

    def on_day(self, day: int, processors: list[PartitionProcessor], package: DayPackage) -> None:
        """Record each expert's estimates of the run's enrolments on a scored day."""
        model = scorer_of(package.model)
        if not isinstance(model, MixedScorer):
            return
        scorer = model.with_intercept(package.intercepts.get(self.course_run, 0.0))
        for processor in processors:
            for scored in processor.scored:
                run = scored.cohort.run
                if run.name == self.course_run:
                    keys = (processor.state.keys[slot] for slot in scored.cohort.slots.tolist())
                    learners = [key[0] for key in keys if key is not None]
                    batch = FeatureBatch.of_run(scored.cohort.codes, scored.ranks, run.name, run.start)
                    probabilities = self._smooth(learners, scorer.expert_probabilities(batch).T)
                    students = [int(learner.rpartition("-")[2]) for learner in learners]
                    self._days.append((day - run.start, students, probabilities))

    def _smooth(self, learners: list[str], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        no_memory = np.full(len(EXPERTS), NO_MEMORY)
        memories, served = smooth(
            np.array([self._memory.get(learner, no_memory) for learner in learners]), probabilities
        )
        self._memory.update(zip(learners, memories, strict=True))
        return served

    def tables(self) -> dict[str, pa.Table]:
        """Expert → table of its estimates, as ``label_estimates`` reads it."""
        module, _, presentation = self.course_run.partition("/")
        tables = {}
        for index, name in enumerate(EXPERTS):
            days = [day for day, students, _ in self._days for _ in students]
            columns = (
                [module] * len(days),
                [presentation] * len(days),
                [student for _, students, _ in self._days for student in students],
                days,
                np.concatenate(
                    [probabilities[:, index] for *_, probabilities in self._days] or [np.empty(0)]
                ),
            )
            tables[name] = pa.table(dict(zip(COLUMNS, columns, strict=True)))
        return tables
