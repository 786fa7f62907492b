"""Daily event counts by source, course run, kind and hour: the watch's input, and its scopes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from features.packed_arrays import unpack
from schemas.activity import ACTIVITY_KINDS, ActivityKind
from schemas.packed import PackedArray
from schemas.quality import Fault, SourceCounts

HOURS = 24

KINDS = len(ACTIVITY_KINDS)

FAULTS: tuple[Fault, ...] = get_args(Fault)

ON_SCHEDULE: frozenset[ActivityKind] = frozenset({"submission"})
"""Kinds that follow the calendar's deadlines: neither their days nor their hours have a rhythm. They count in
a source's total and in its faults."""

WITH_RHYTHM = np.array([kind not in ON_SCHEDULE for kind in ACTIVITY_KINDS])


class Scope(NamedTuple):
    """A watched part of the events. An empty run or kind means all of them."""

    source: str
    run: str = ""
    kind: str = ""

    def within(self, wider: "Scope") -> bool:
        """Whether this scope is the other one or a part of it."""
        return all(not theirs or mine == theirs for mine, theirs in zip(self, wider, strict=True))


def breadth(scope: Scope) -> tuple[int, Scope]:
    """Sort key: wider scopes first."""
    return sum(map(bool, scope)), scope


@dataclass(frozen=True, slots=True)
class Counts:
    """A day of a source in a run: events int64 [kinds, hours], and number of records with each fault."""

    hours: NDArray[np.int64]
    faults: dict[Fault, int]

    @classmethod
    def none(cls) -> "Counts":
        return cls(np.zeros((KINDS, HOURS), np.int64), dict.fromkeys(FAULTS, 0))


def merge_counts(counts: Iterable[SourceCounts]) -> dict[tuple[str, str], Counts]:
    """Sum counts of all partitions by (source, run), sorted.

    Raises:
        ValueError: a shape other than [kinds, hours], or a negative count.
    """
    totals: dict[tuple[str, str], Counts] = {}
    for reported in counts:
        hours = unpack(reported.hours).astype(np.int64)
        if hours.shape != (KINDS, HOURS) or (hours < 0).any():
            raise ValueError(
                f"source counts of {reported.source!r}: expected counts of shape {(KINDS, HOURS)}, "
                f"none below 0; found shape {hours.shape}"
            )
        total = totals.setdefault((reported.source, reported.course_run), Counts.none())
        total.hours[...] += hours
        for fault, count in reported.faults.items():
            total.faults[fault] += count
    return dict(sorted(totals.items()))


def merge_together(reports: Iterable[Mapping[str, PackedArray]]) -> dict[str, NDArray[np.int64]]:
    """Sum co-occurrence counts (``companions.Counts``) of all partitions by course run, sorted.

    Raises:
        ValueError: a shape other than [2, kinds], or a negative count.
    """
    totals: dict[str, NDArray[np.int64]] = {}
    for report in reports:
        for run, packed in report.items():
            learners = unpack(packed).astype(np.int64)
            if learners.shape != (2, KINDS) or (learners < 0).any():
                raise ValueError(
                    f"together of {run!r}: expected counts of shape {(2, KINDS)}, none below 0; "
                    f"found shape {learners.shape}"
                )
            totals[run] = totals.get(run, np.int64(0)) + learners
    return dict(sorted(totals.items()))
