"""``homeroom causality``: estimates up to a day must not depend on later data.

A pass over the whole folder is compared with a pass over the folder truncated at the day (``truncation``),
for each day. Every estimate of every run and every alert up to the day must be equal, bit by bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.rules import Rules
from engine.scoring.scoring_day import ScoredCohort
from evaluation.errors import CausalityError
from evaluation.one_pass import stream
from evaluation.truncation import write_truncated
from schemas.learning import DayPackage
from sources.oulad import OuladFolder, start_day
from sources.stream import CLOSING_DAYS


@dataclass(slots=True)
class PassRecord:
    """The estimates by run and day, and the risk changes, of a pass up to a day."""

    until: int
    estimates: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """(run, event day) → digest of learners and the bits of their estimates."""
    count: int = 0
    """Number of estimates."""
    changes: set[tuple[str, int, float]] = field(default_factory=set)
    """Id, event day and probability of every risk change."""

    def on_outputs(self, outputs: Outputs) -> None:
        """Record risk changes."""
        for change in outputs.risk_changes:
            if change.day <= self.until:
                self.changes.add((change.risk_change_id, change.day, change.probability))

    def on_day(self, day: int, processors: list[PartitionProcessor], _package: DayPackage) -> None:
        """Record the estimates of a day."""
        if day > self.until:
            return
        for processor in processors:
            for scored in processor.scored:
                keys = [processor.state.keys[slot] for slot in scored.cohort.slots.tolist()]
                learners = [key[0] for key in keys if key is not None]
                estimates = sorted(zip(learners, _bits(scored).tolist(), strict=True))
                digest = blake2b(repr(estimates).encode(), digest_size=16).digest()
                self.estimates[scored.cohort.run.name, day] = digest
                self.count += len(estimates)


def _bits(scored: ScoredCohort) -> NDArray[np.uint64]:
    """The bits of every field of the scores, by enrolment or by run, [enrolments, kinds]."""
    kinds = [kind.name for kind in fields(scored) if kind.name not in ("cohort", "ranks")]
    arrays = [np.asarray(getattr(scored, name), dtype=np.float64) for name in kinds]
    columns = [np.full(len(scored.probability), kind) if kind.ndim == 0 else kind for kind in arrays]
    return np.column_stack(columns).view(np.uint64)


@dataclass(frozen=True, slots=True)
class Difference:
    """The differences between two passes."""

    presentation: str
    day: int
    """Day of that presentation at whose start the data were truncated."""
    estimates: int
    """Estimates compared."""
    changes: int
    """Risk changes compared."""
    differing: tuple[tuple[str, int], ...]
    """Runs and event days whose estimates differ, or exist in one pass only."""
    differing_changes: int

    def __bool__(self) -> bool:
        return bool(self.differing or self.differing_changes)


def compare(full: PassRecord, truncated: PassRecord, test: str, day: int) -> Difference:
    """The differences of two passes, in order of day. test, day: where the data were truncated."""
    run_days = full.estimates.keys() | truncated.estimates.keys()
    differing = [
        run_day for run_day in run_days if full.estimates.get(run_day) != truncated.estimates.get(run_day)
    ]
    differing.sort(key=lambda run_day: (run_day[1], run_day[0]))
    changes = len(full.changes ^ truncated.changes)
    return Difference(test, day, full.count, len(full.changes), tuple(differing), changes)


def check(oulad: Path, test: str, days: Sequence[int], rules: Rules, console: Console) -> list[Difference]:
    """Compare passes for each day of the presentation ``test``; all other runs are truncated on the same
    date.

    Raises:
        CausalityError: for a code that the folder lacks, a day below 1, or a difference.
    """
    folder = OuladFolder(oulad)
    codes = sorted({presentation.code for presentation in folder.presentations})
    if test not in codes:
        raise CausalityError(f"test: {test!r} is not in the folder; expected one of {', '.join(codes)}")
    if min(days) < 1:
        raise CausalityError(f"day: found {min(days)}; expected 1 or more")
    cut_days = {day: start_day(test) + day for day in days}
    full_passes = _full_pass(folder, sorted({*cut_days.values()}), rules, console)
    differences = []
    for day, cut_day in cut_days.items():
        difference = compare(full_passes[cut_day], _truncated_pass(oulad, cut_day, rules, console), test, day)
        console.print(
            f"cut at the start of day {day} of {test}: {difference.estimates:,} estimates and "
            f"{difference.changes:,} risk changes up to it, "
            f"{len(difference.differing):,} days of runs and {difference.differing_changes:,} changes differ"
        )
        if difference:
            first = f", first in {difference.differing[0][0]}" if difference.differing else ""
            raise CausalityError(f"day {day}: what was said before the cut changed{first}")
        differences.append(difference)
    return differences


def _full_pass(
    folder: OuladFolder, cut_days: Sequence[int], rules: Rules, console: Console
) -> dict[int, PassRecord]:
    """The records up to each of the event days, from one pass."""
    records = {cut_day: PassRecord(cut_day) for cut_day in cut_days}

    def on_outputs(outputs: Outputs) -> None:
        for record in records.values():
            record.on_outputs(outputs)

    def on_day(day: int, processors: list[PartitionProcessor], package: DayPackage) -> None:
        for record in records.values():
            record.on_day(day, processors, package)

    stream(folder, rules, console, on_outputs=on_outputs, on_day=on_day, until=max(cut_days) + CLOSING_DAYS)
    return records


def _truncated_pass(oulad: Path, cut_day: int, rules: Rules, console: Console) -> PassRecord:
    record = PassRecord(cut_day)
    with TemporaryDirectory(prefix="homeroom-cut-") as folder:
        write_truncated(oulad, cut_day, Path(folder))
        stream(OuladFolder(folder), rules, console, on_outputs=record.on_outputs, on_day=record.on_day)
    return record
