"""``homeroom causality``: cut the data off at a day; what was said up to it must not change by a bit.

A pass over the whole folder, and for each day one over the folder as it looked on it (``cutting``). Every
estimate of every run and every alert up to the day is compared, bit by bit.
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
from evaluation.cutting import cut
from evaluation.errors import CausalityError
from evaluation.one_pass import stream
from schemas.learning import DayPackage
from sources.oulad import OuladFolder, start_day
from sources.stream import CLOSING_DAYS


@dataclass(slots=True)
class Said:
    """What was said up to a day: estimates by run and day, and risk changes."""

    until: int
    estimates: dict[tuple[str, int], bytes] = field(default_factory=dict)
    """(run, event day) → learners and the bits of their estimates, as one digest."""
    count: int = 0
    """Estimates."""
    changes: set[tuple[str, int, float]] = field(default_factory=set)
    """Id, event day and probability of every risk change."""

    def hear(self, outputs: Outputs) -> None:
        """Note risk changes."""
        for change in outputs.risk_changes:
            if change.day <= self.until:
                self.changes.add((change.risk_change_id, change.day, change.probability))

    def watch(self, day: int, processors: list[PartitionProcessor], _package: DayPackage) -> None:
        """Note the estimates of a day."""
        if day > self.until:
            return
        for processor in processors:
            for scored in processor.scored:
                keys = [processor.state.keys[slot] for slot in scored.cohort.slots.tolist()]
                learners = [key[0] for key in keys if key is not None]
                said = sorted(zip(learners, _bits(scored).tolist(), strict=True))
                digest = blake2b(repr(said).encode(), digest_size=16).digest()
                self.estimates[scored.cohort.run.name, day] = digest
                self.count += len(said)


def _bits(scored: ScoredCohort) -> NDArray[np.uint64]:
    """Every kind of estimate there is and what it rests on, of the run or of each, [enrolments, kinds]."""
    kinds = [one.name for one in fields(scored) if one.name not in ("cohort", "ranks")]
    found = [np.asarray(getattr(scored, name), dtype=np.float64) for name in kinds]
    columns = [np.full(len(scored.probability), one) if one.ndim == 0 else one for one in found]
    return np.column_stack(columns).view(np.uint64)


@dataclass(frozen=True, slots=True)
class Difference:
    """What the two passes said differently."""

    presentation: str
    day: int
    """Of that presentation: at its start the data were cut."""
    estimates: int
    """Compared."""
    changes: int
    """Risk changes compared."""
    differing: tuple[tuple[str, int], ...]
    """Runs and event days whose estimates differ, or are there in one pass only."""
    differing_changes: int

    def __bool__(self) -> bool:
        return bool(self.differing or self.differing_changes)


def compare(whole: Said, short: Said, test: str, day: int) -> Difference:
    """Where two passes differ, in order of day; ``test`` and ``day`` say where the data were cut."""
    places = whole.estimates.keys() | short.estimates.keys()
    differing = [place for place in places if whole.estimates.get(place) != short.estimates.get(place)]
    differing.sort(key=lambda place: (place[1], place[0]))
    changes = len(whole.changes ^ short.changes)
    return Difference(test, day, whole.count, len(whole.changes), tuple(differing), changes)


def check(oulad: Path, test: str, days: Sequence[int], rules: Rules, console: Console) -> list[Difference]:
    """Compare for each day of the presentations with code ``test``; all other runs are cut on the same date.

    Raises ``CausalityError`` for a code or a day that the folder lacks, and where anything differs.
    """
    folder = OuladFolder(oulad)
    codes = sorted({one.code for one in folder.presentations})
    if test not in codes:
        raise CausalityError(f"test: {test!r} is not in the folder; expected one of {', '.join(codes)}")
    if min(days) < 1:
        raise CausalityError(f"day: found {min(days)}; expected 1 or more")
    ats = {day: start_day(test) + day for day in days}
    wholes = _whole(folder, sorted({*ats.values()}), rules, console)
    found = []
    for day, at in ats.items():
        difference = compare(wholes[at], _short(oulad, at, rules, console), test, day)
        console.print(
            f"cut at the start of day {day} of {test}: {difference.estimates:,} estimates and "
            f"{difference.changes:,} risk changes up to it, "
            f"{len(difference.differing):,} days of runs and {difference.differing_changes:,} changes differ"
        )
        if difference:
            first = f", first in {difference.differing[0][0]}" if difference.differing else ""
            raise CausalityError(f"day {day}: what was said before the cut changed{first}")
        found.append(difference)
    return found


def _whole(folder: OuladFolder, ats: Sequence[int], rules: Rules, console: Console) -> dict[int, Said]:
    """What is said up to each of the event days, in one pass."""
    found = {at: Said(at) for at in ats}

    def hear(outputs: Outputs) -> None:
        for said in found.values():
            said.hear(outputs)

    def watch(day: int, processors: list[PartitionProcessor], package: DayPackage) -> None:
        for said in found.values():
            said.watch(day, processors, package)

    stream(folder, rules, console, hear=hear, watch=watch, until=max(ats) + CLOSING_DAYS)
    return found


def _short(oulad: Path, at: int, rules: Rules, console: Console) -> Said:
    said = Said(at)
    with TemporaryDirectory(prefix="homeroom-cut-") as short:
        cut(oulad, at, Path(short))
        stream(OuladFolder(short), rules, console, hear=said.hear, watch=said.watch)
    return said
