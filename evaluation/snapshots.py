"""The features of a pass, week by week, for those who train or look at other models than ours."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.processor import PartitionProcessor
from evaluation.outcomes import Ints, Words
from online_models.design import RANKED
from schemas.learning import DayPackage

EVERY = 7
"""Days, from the start of a run."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Enrolments in force on the weekly days of their runs; columns [n], in the order of the days."""

    module: Words
    presentation: Words
    student: Ints
    day: Ints
    """Of the run."""
    at: Ints
    """Event day."""
    over: Ints
    """Event day on which the run ends."""
    inputs: NDArray[np.uint8]
    """[n, features + ranked features]: the bins of all features, then the cohort ranks of the ranked."""

    def __len__(self) -> int:
        return len(self.student)

    def of(self, codes: Sequence[str]) -> "Snapshots":
        """Those of presentations with one of the codes."""
        kept = np.isin(self.presentation, list(codes))
        return Snapshots(
            self.module[kept],
            self.presentation[kept],
            self.student[kept],
            self.day[kept],
            self.at[kept],
            self.over[kept],
            self.inputs[kept],
        )


@dataclass(slots=True)
class Collector:
    """Watches a backtest and keeps what ``Snapshots`` holds: about 110 bytes an enrolment and week."""

    _blocks: list[Snapshots] = field(default_factory=list)

    def watch(self, day: int, processors: list[PartitionProcessor], _package: DayPackage) -> None:
        """Note the runs whose weekly day it is."""
        for processor in processors:
            for scored in processor.scored:
                run = scored.cohort.run
                if run.is_known and (day - run.start) % EVERY == 0:
                    keys = (processor.state.keys[slot] for slot in scored.cohort.slots.tolist())
                    students = [int(key[0].rpartition("-")[2]) for key in keys if key is not None]
                    module, _, code = run.name.partition("/")
                    count = len(students)
                    block = Snapshots(
                        np.full(count, module),
                        np.full(count, code),
                        np.array(students, np.int64),
                        np.full(count, day - run.start),
                        np.full(count, day),
                        np.full(count, run.end),
                        np.concatenate([scored.cohort.codes, scored.ranks[list(RANKED)]]).T.copy(),
                    )
                    self._blocks.append(block)

    def snapshots(self) -> Snapshots:
        """Everything noted. Raises ``ValueError`` where that is nothing."""
        blocks = self._blocks
        if not blocks:
            raise ValueError("no run had a weekly day")
        return Snapshots(
            np.concatenate([one.module for one in blocks]),
            np.concatenate([one.presentation for one in blocks]),
            np.concatenate([one.student for one in blocks]),
            np.concatenate([one.day for one in blocks]),
            np.concatenate([one.at for one in blocks]),
            np.concatenate([one.over for one in blocks]),
            np.concatenate([one.inputs for one in blocks]),
        )
