"""What each expert alone would have said in a pass: what their mixture is compared with.

An expert's estimates have the run's intercept, and are steadied, as those served are, day by day, so that the
mixture alone makes the difference. Days on which no model serves yet have none.
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

NAMES = ("code_module", "code_presentation", "id_student", "day", "risk")


@dataclass(slots=True)
class Alone:
    """Watches a backtest for one run: give ``watch`` to it, then ask for the ``tables``."""

    course_run: str
    _memory: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    _days: list[tuple[int, list[int], NDArray[np.float64]]] = field(default_factory=list)

    def watch(self, day: int, processors: list[PartitionProcessor], package: DayPackage) -> None:
        """Ask each expert about the enrolments of the run that were scored."""
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
                    seen = FeatureBatch.of_run(scored.cohort.codes, scored.ranks, run.name, run.start)
                    said = self._steady(learners, scorer.expert_probabilities(seen).T)
                    students = [int(learner.rpartition("-")[2]) for learner in learners]
                    self._days.append((day - run.start, students, said))

    def _steady(self, learners: list[str], own: NDArray[np.float64]) -> NDArray[np.float64]:
        none = np.full(len(EXPERTS), NO_MEMORY)
        after, served = smooth(np.array([self._memory.get(one, none) for one in learners]), own)
        self._memory.update(zip(learners, after, strict=True))
        return served

    def tables(self) -> dict[str, pa.Table]:
        """Each expert's estimates, as ``judge`` reads them."""
        module, _, presentation = self.course_run.partition("/")
        found = {}
        for place, name in enumerate(EXPERTS):
            days = [day for day, students, _ in self._days for _ in students]
            columns = (
                [module] * len(days),
                [presentation] * len(days),
                [student for _, students, _ in self._days for student in students],
                days,
                np.concatenate([said[:, place] for *_, said in self._days] or [np.empty(0)]),
            )
            found[name] = pa.table(dict(zip(NAMES, columns, strict=True)))
        return found
