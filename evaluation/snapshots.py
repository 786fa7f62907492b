"""The weekly feature snapshots of a pass, on which baselines are trained."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.processor import PartitionProcessor
from evaluation.outcomes import Ints, Strings
from online_models.design import RANKED
from schemas.learning import DayPackage

SNAPSHOT_INTERVAL_DAYS = 7
"""Days between snapshots, from the start of a run."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Snapshots of enrolments in force on the weekly days of their runs; columns [n], in the order of
    days."""

    module: Strings
    presentation: Strings
    student: Ints
    day: Ints
    """Day of the run."""
    event_day: Ints
    """Days since the epoch."""
    end_day: Ints
    """Event day on which the run ends."""
    inputs: NDArray[np.uint8]
    """[n, features + ranked features]: the bins of all features, then the cohort ranks of the ranked."""

    def __len__(self) -> int:
        return len(self.student)

    def with_codes(self, codes: Sequence[str]) -> "Snapshots":
        """The snapshots of presentations with one of the codes."""
        chosen = np.isin(self.presentation, list(codes))
        return Snapshots(
            self.module[chosen],
            self.presentation[chosen],
            self.student[chosen],
            self.day[chosen],
            self.event_day[chosen],
            self.end_day[chosen],
            self.inputs[chosen],
        )


@dataclass(slots=True)
class SnapshotCollector:
    """Collects snapshots, as a callback of a backtest: about 110 bytes for each enrolment and week."""

    _blocks: list[Snapshots] = field(default_factory=list)

    def on_day(self, day: int, processors: list[PartitionProcessor], _package: DayPackage) -> None:
        """Record the runs that have a weekly day."""
        for processor in processors:
            for scored in processor.scored:
                run = scored.cohort.run
                if run.is_known and (day - run.start) % SNAPSHOT_INTERVAL_DAYS == 0:
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
        """All snapshots recorded.

        Raises:
            ValueError: if there are none.
        """
        blocks = self._blocks
        if not blocks:
            raise ValueError("no run had a weekly day")
        return Snapshots(
            np.concatenate([block.module for block in blocks]),
            np.concatenate([block.presentation for block in blocks]),
            np.concatenate([block.student for block in blocks]),
            np.concatenate([block.day for block in blocks]),
            np.concatenate([block.event_day for block in blocks]),
            np.concatenate([block.end_day for block in blocks]),
            np.concatenate([block.inputs for block in blocks]),
        )
