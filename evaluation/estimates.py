"""The table of a backtest's estimates: one row for each enrolment and day, with the alerts raised.

The columns are those that ``tools/score_risk.py`` of the project's evaluation reads: code_module,
code_presentation, id_student, day, risk, exit_risk, alert. ``day`` counts from the run's start, and both
estimates use events of earlier days only. ``alert`` is 1 on the day of a risk change to *high*.
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
from output.files import open_output
from schemas.learning import DayPackage

COLUMNS = ("code_module", "code_presentation", "id_student", "day", "risk", "exit_risk", "alert")


@dataclass(frozen=True, slots=True)
class _Block:
    """A run's estimates of one day."""

    course_run: str
    learners: list[str]
    day: int
    risk: NDArray[np.float64]
    exit_risk: NDArray[np.float64]


@dataclass(slots=True)
class EstimateCollector:
    """Collects the estimates of runs whose presentation code is among ``codes``, as callbacks of a
    backtest."""

    codes: frozenset[str]
    _blocks: list[_Block] = field(default_factory=list)
    _alerts: set[tuple[str, str, int]] = field(default_factory=set)

    def on_outputs(self, outputs: Outputs) -> None:
        """Record the alerts."""
        for change in outputs.risk_changes:
            if change.level == "high":
                self._alerts.add((change.course_run, change.learner, change.day))

    def on_day(self, day: int, processors: list[PartitionProcessor], _package: DayPackage) -> None:
        """Record the estimates of a day."""
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
        """The table, sorted by run, learner and day. starts: course run → the event day on which it
        begins."""
        columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
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
        return pa.table(columns).sort_by([(name, "ascending") for name in COLUMNS[:4]])

    def _alerted(self, block: _Block) -> Iterator[int]:
        return (int((block.course_run, learner, block.day) in self._alerts) for learner in block.learners)


_WRITERS: dict[str, Callable[[pa.Table, IO[bytes]], None]] = {
    ".parquet": pa.parquet.write_table,
    ".csv": pa.csv.write_csv,
}


def check_name(path: Path) -> None:
    """Check a file's name before the work that :func:`write` follows.

    Raises:
        ValueError: if it ends neither in .parquet nor in .csv.
    """
    if path.suffix not in _WRITERS:
        raise ValueError(f"out: found {path.name!r}; expected a name ending in .parquet or .csv")


def write(table: pa.Table, path: Path, *, force: bool = False) -> None:
    """Write the table as parquet or CSV, by the file's ending.

    Raises:
        ValueError: for another ending.
        OutputError: for a file that must not be written.
    """
    check_name(path)
    with open_output(path, force=force) as file:
        _WRITERS[path.suffix](table, file)
