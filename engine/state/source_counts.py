"""What a partition counts of each source for the quality watch: a day's events by kind and hour, and faults.

A source is what an event's ``source`` names. Counts are by the day on which an event occurred, those of
refused records by the day of the clock when they came. They are cut when the day closes: what comes later
is in no report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, get_args

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.batch.admission import HOUR_S
from features.packed_arrays import pack
from features.ring import Ints
from schemas.activity import ACTIVITY_KINDS
from schemas.dead_letter import DeadLetter, DeadLetterReason
from schemas.fields import DAY_S
from schemas.quality import UNNAMED, Fault, SourceCounts

FAULTS: tuple[Fault, ...] = get_args(Fault)
HOURS = 24
CELLS = len(ACTIVITY_KINDS) * HOURS
_FAULT: dict[Fault, int] = {fault: CELLS + place for place, fault in enumerate(FAULTS)}
WIDTH = CELLS + len(FAULTS)

LONGEST_NAME = 128
REFUSED: Mapping[DeadLetterReason, Fault] = {
    "unknown_kind": "unknown_kind",
    "invalid": "invalid",
    "future": "future",
}

MOST = 4_096
"""Sources × runs × open days that are told apart: a platform that names clients as sources costs no more."""

OTHERS = "others"

Key = tuple[str, str, int]
"""Source, course run, day."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Activities, column by column, all of one length.

    runs: indices of their course runs. clock: 1 ahead of it, −1 behind it, else 0. bare: without an
    object; untimed: without a duration.
    """

    sources: Sequence[str]
    runs: NDArray[np.int32]
    times: Ints
    kinds: Ints
    clock: Ints
    bare: NDArray[np.bool_]
    untimed: NDArray[np.bool_]


class Tallies:
    """The counts of the days that are still open."""

    def __init__(self, stored: Sequence[Sequence[Any]] = ()) -> None:
        self._counts: dict[Key, Ints] = {}
        for source, run, day, cells, amounts in stored:
            self._of((source, run, day))[cells] = amounts

    def _of(self, key: Key) -> Ints:
        found = self._counts.get(key)
        if found is None:
            key = key if len(self._counts) < MOST else (OTHERS, OTHERS, key[2])
            found = self._counts.setdefault(key, np.zeros(WIDTH, np.int64))
        return found

    def add(self, hits: Hits, runs: Sequence[str]) -> None:
        """Count activities. runs: the names of the course runs, by their index."""
        sources = list(dict.fromkeys(hits.sources))
        of = hits.runs.astype(np.int64)
        if len(sources) > 1:
            places = {source: place * len(runs) for place, source in enumerate(sources)}
            of += np.array([places[source] for source in hits.sources])
        days = hits.times // DAY_S
        first, span = int(days.min()), int(np.ptp(days)) + 1
        rows = (of * span + days - first) * WIDTH
        cells = [rows + hits.kinds * HOURS + hits.times % DAY_S // HOUR_S]
        cells.append(rows[hits.clock > 0] + _FAULT["ahead"])
        cells.append(rows[hits.clock < 0] + _FAULT["behind"])
        cells.append(rows[hits.bare] + _FAULT["without_object"])
        cells.append(rows[hits.untimed] + _FAULT["without_duration"])
        found, counts = np.unique(np.concatenate(cells), return_counts=True)
        starts = np.flatnonzero(np.diff(found // WIDTH, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(found)], strict=True):
            name, day = divmod(int(found[start]) // WIDTH, span)
            source, run = divmod(name, len(runs))
            key = (sources[source], runs[run], first + day)
            self._of(key)[found[start:end] % WIDTH] += counts[start:end]

    def repeat(self, source: str, course_run: str, time: int) -> None:
        """Count an activity that was a repeat."""
        self._fault(source, course_run, time // DAY_S, "duplicates")

    def refuse(self, letter: DeadLetter, day: int) -> None:
        """Count a record that was refused, where it says what it belongs to."""
        fault = REFUSED.get(letter.reason)
        if fault is None:
            return
        try:
            body = orjson.loads(letter.payload)
        except orjson.JSONDecodeError:
            return
        if not isinstance(body, dict):
            return
        source, run = body.get("source", UNNAMED), body.get("course_run")
        if _is_name(source) and _is_name(run):
            self._fault(source, run, day, fault)

    def _fault(self, source: str, run: str, day: int, fault: Fault) -> None:
        self._of((source, run, day))[_FAULT[fault]] += 1

    def pop(self, day: int) -> list[SourceCounts]:
        """The counts of ``day``; nothing up to it is kept."""
        counts = [_counts(key, self._counts[key]) for key in sorted(self._counts) if key[2] == day]
        for key in [key for key in self._counts if key[2] <= day]:
            del self._counts[key]
        return counts

    def stored(self) -> list[list[Any]]:
        """All counts, as JSON."""
        rows: list[list[Any]] = []
        for key in sorted(self._counts):
            cells = np.flatnonzero(self._counts[key])
            rows.append([*key, cells.tolist(), self._counts[key][cells].tolist()])
        return rows


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_NAME


def _counts(key: Key, row: Ints) -> SourceCounts:
    hours = np.minimum(row[:CELLS], np.iinfo(np.int32).max).astype(np.int32)
    return SourceCounts(
        source=key[0],
        course_run=key[1],
        hours=pack(hours.reshape(len(ACTIVITY_KINDS), HOURS)),
        faults={fault: int(row[cell]) for fault, cell in _FAULT.items() if row[cell]},
    )
