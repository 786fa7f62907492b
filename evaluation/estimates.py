"""A table of the estimates of a backtest: one row an enrolment and day, with the alerts really raised.

The columns are those that ``tools/score_risk.py`` of the project's evaluation reads: code_module,
code_presentation, id_student, day, risk, exit_risk, alert. ``day`` counts from the run's start, and both
estimates rest on events of days before it. ``alert`` is 1 on the day of a risk change to *high*.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from output.files import written
from schemas.learning import DayPackage

NAMES = ("code_module", "code_presentation", "id_student", "day", "risk", "exit_risk", "alert")


@dataclass(frozen=True, slots=True)
class _Block:
    """A run's estimates of one day."""

    course_run: str
    learners: list[str]
    day: int
    risk: NDArray[np.float64]
    exit_risk: NDArray[np.float64]


@dataclass(slots=True)
class Estimates:
    """Collects the estimates of runs whose presentation code is among ``codes``."""

    codes: frozenset[str]
    _blocks: list[_Block] = field(default_factory=list)
    _alerts: set[tuple[str, str, int]] = field(default_factory=set)

    def hear(self, outputs: Outputs) -> None:
        """Note the alerts."""
        for change in outputs.risk_changes:
            if change.level == "high":
                self._alerts.add((change.course_run, change.learner, change.day))

    def watch(self, day: int, processors: list[PartitionProcessor], _package: DayPackage) -> None:
        """Note the estimates of a day."""
        for processor in processors:
            for scored in processor.scored:
                run = scored.cohort.run
                if run.is_known and run.name.partition("/")[2] in self.codes:
                    keys = (processor.state.keys[slot] for slot in scored.cohort.slots.tolist())
                    learners = [key[0] for key in keys if key is not None]
                    self._blocks.append(
                        _Block(run.name, learners, day, scored.probability, scored.exit_probability)
                    )

    def table(self, starts: dict[str, int]) -> pa.Table:
        """The table, in order of run, learner and day. ``starts``: the event day on which a run begins."""
        columns: dict[str, list[Any]] = {name: [] for name in NAMES}
        for block in self._blocks:
            module, _, presentation = block.course_run.partition("/")
            count = len(block.learners)
            columns["code_module"] += [module] * count
            columns["code_presentation"] += [presentation] * count
            columns["id_student"] += [int(learner.rpartition("-")[2]) for learner in block.learners]
            columns["day"] += [block.day - starts[block.course_run]] * count
            columns["risk"] += block.risk.tolist()
            columns["exit_risk"] += block.exit_risk.tolist()
            columns["alert"] += self._alerted(block)
        return pa.table(columns).sort_by([(name, "ascending") for name in NAMES[:4]])

    def _alerted(self, block: _Block) -> Iterator[int]:
        return (int((block.course_run, learner, block.day) in self._alerts) for learner in block.learners)


_WRITERS: dict[str, Callable[[pa.Table, IO[bytes]], None]] = {
    ".parquet": pa.parquet.write_table,
    ".csv": pa.csv.write_csv,
}


def check_name(path: Path) -> None:
    """Raises ``ValueError`` for a file that ``write`` could not write; ask before the work, not after it."""
    if path.suffix not in _WRITERS:
        raise ValueError(f"out: found {path.name!r}; expected a name ending in .parquet or .csv")


def write(table: pa.Table, path: Path, *, force: bool = False) -> None:
    """As parquet or CSV, by the file's ending.

    Raises ``ValueError`` for another one, ``OutputError`` for a file that must not be written.
    """
    check_name(path)
    with written(path, force=force) as file:
        _WRITERS[path.suffix](table, file)
