"""A partition's counts per source for the quality watch: a day's events by kind and hour, and faults.

A source is named by an event's ``source``. Events count on the day of their event time, refused records on
the clock's day at their arrival. A day's counts end at its close: later events are in no report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, get_args

import numpy as np
import orjson
from numpy.typing import NDArray

from features.packed_arrays import pack
from features.ring import Ints
from schemas.activity import ACTIVITY_KINDS
from schemas.dead_letter import DeadLetter, DeadLetterReason
from schemas.quality import UNNAMED, Fault, SourceCounts

FAULTS: tuple[Fault, ...] = get_args(Fault)
HOURS = 24
CELLS = len(ACTIVITY_KINDS) * HOURS
_FAULT: dict[Fault, int] = {fault: CELLS + index for index, fault in enumerate(FAULTS)}
ROW_WIDTH = CELLS + len(FAULTS)

MAX_NAME_LENGTH = 128
REFUSED: Mapping[DeadLetterReason, Fault] = {
    "unknown_kind": "unknown_kind",
    "invalid": "invalid",
    "future": "future",
}

MAX_KEYS = 4_096
"""Most combinations of source, run and day: a platform that names each client as a source costs no more."""

OTHERS = "others"

Key = tuple[str, str, int]
"""Source, course run, day."""


@dataclass(frozen=True, slots=True)
class SourceActivities:
    """Activities as columns, all of the same length.

    runs: indices of their course runs. days: epoch days; hours: of the day. clock: 1 ahead of the clock,
    −1 behind, else 0.
    """

    sources: Sequence[str]
    runs: NDArray[np.int32]
    days: Ints
    hours: Ints
    kinds: Ints
    clock: Ints
    without_object: NDArray[np.bool_]
    without_duration: NDArray[np.bool_]


class SourceCounters:
    """The counts of the open days."""

    def __init__(self, stored: Sequence[Sequence[Any]] = ()) -> None:
        self._counts: dict[Key, Ints] = {}
        for source, run, day, cells, amounts in stored:
            self._row((source, run, day))[cells] = amounts

    def _row(self, key: Key) -> Ints:
        row = self._counts.get(key)
        if row is None:
            key = key if len(self._counts) < MAX_KEYS else (OTHERS, OTHERS, key[2])
            row = self._counts.setdefault(key, np.zeros(ROW_WIDTH, np.int64))
        return row

    def add(self, activities: SourceActivities, runs: Sequence[str]) -> None:
        """Count activities. runs: names of the course runs, by index."""
        sources = list(dict.fromkeys(activities.sources))
        source_and_run = activities.runs.astype(np.int64)
        if len(sources) > 1:
            offsets = {source: index * len(runs) for index, source in enumerate(sources)}
            source_and_run += np.array([offsets[source] for source in activities.sources])
        days = activities.days
        first, span = int(days.min()), int(np.ptp(days)) + 1
        rows = (source_and_run * span + days - first) * ROW_WIDTH
        cells = [rows + activities.kinds * HOURS + activities.hours]
        cells.append(rows[activities.clock > 0] + _FAULT["ahead"])
        cells.append(rows[activities.clock < 0] + _FAULT["behind"])
        cells.append(rows[activities.without_object] + _FAULT["without_object"])
        cells.append(rows[activities.without_duration] + _FAULT["without_duration"])
        unique, counts = np.unique(np.concatenate(cells), return_counts=True)
        starts = np.flatnonzero(np.diff(unique // ROW_WIDTH, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(unique)], strict=True):
            name, day = divmod(int(unique[start]) // ROW_WIDTH, span)
            source, run = divmod(name, len(runs))
            key = (sources[source], runs[run], first + day)
            self._row(key)[unique[start:end] % ROW_WIDTH] += counts[start:end]

    def count_duplicate(self, source: str, course_run: str, day: int) -> None:
        """Count a duplicate activity of an epoch day."""
        self._count_fault(source, course_run, day, "duplicates")

    def count_refused(self, letter: DeadLetter, day: int) -> None:
        """Count a refused record on an epoch day, if its payload has a source and a course run."""
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
            self._count_fault(source, run, day, fault)

    def _count_fault(self, source: str, run: str, day: int, fault: Fault) -> None:
        self._row((source, run, day))[_FAULT[fault]] += 1

    def pop(self, day: int) -> list[SourceCounts]:
        """The counts of an epoch day; counts up to it are removed."""
        counts = [_counts(key, self._counts[key]) for key in sorted(self._counts) if key[2] == day]
        for key in [key for key in self._counts if key[2] <= day]:
            del self._counts[key]
        return counts

    def as_json(self) -> list[list[Any]]:
        """All counts, as the constructor takes them."""
        rows: list[list[Any]] = []
        for key in sorted(self._counts):
            cells = np.flatnonzero(self._counts[key])
            rows.append([*key, cells.tolist(), self._counts[key][cells].tolist()])
        return rows


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 1 <= len(value) <= MAX_NAME_LENGTH


def _counts(key: Key, row: Ints) -> SourceCounts:
    hours = np.minimum(row[:CELLS], np.iinfo(np.int32).max).astype(np.int32)
    return SourceCounts(
        source=key[0],
        course_run=key[1],
        hours=pack(hours.reshape(len(ACTIVITY_KINDS), HOURS)),
        faults={fault: int(row[cell]) for fault, cell in _FAULT.items() if row[cell]},
    )
