"""Daily event counts by source, course run, kind and hour: what the watch is given, and its scopes."""

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
"""Kinds that come when the calendar asks for them, and not in between: neither their days nor their hours are
a rhythm. They count in what a source brings, and in its faults."""

WITH_RHYTHM = np.array([kind not in ON_SCHEDULE for kind in ACTIVITY_KINDS])


class Scope(NamedTuple):
    """What is watched. Empty: all of them."""

    source: str
    run: str = ""
    kind: str = ""

    def within(self, wider: "Scope") -> bool:
        """Whether this is the other or a part of it."""
        return all(not theirs or mine == theirs for mine, theirs in zip(self, wider, strict=True))


def width(scope: Scope) -> tuple[int, Scope]:
    return sum(map(bool, scope)), scope


@dataclass(frozen=True, slots=True)
class Counts:
    """A day of a source in a run: events int64 [kinds, hours], and how many records had each fault."""

    hours: NDArray[np.int64]
    faults: dict[Fault, int]

    @classmethod
    def none(cls) -> "Counts":
        return cls(np.zeros((KINDS, HOURS), np.int64), dict.fromkeys(FAULTS, 0))


def merge_counts(counts: Iterable[SourceCounts]) -> dict[tuple[str, str], Counts]:
    """By source and run, whatever partitions said it, in order of their names.

    Raises ValueError for another shape than [kinds, hours] or a negative count.
    """
    found: dict[tuple[str, str], Counts] = {}
    for one in counts:
        hours = unpack(one.hours).astype(np.int64)
        if hours.shape != (KINDS, HOURS) or (hours < 0).any():
            raise ValueError(
                f"source counts of {one.source!r}: expected counts of shape {(KINDS, HOURS)}, none below 0; "
                f"found shape {hours.shape}"
            )
        total = found.setdefault((one.source, one.course_run), Counts.none())
        total.hours[...] += hours
        for fault, count in one.faults.items():
            total.faults[fault] += count
    return dict(sorted(found.items()))


def merge_together(reports: Iterable[Mapping[str, PackedArray]]) -> dict[str, NDArray[np.int64]]:
    """What learners did together, by course run in order of their names, whatever partitions said it.

    Raises ValueError for another shape than [2, kinds] or a negative count.
    """
    found: dict[str, NDArray[np.int64]] = {}
    for report in reports:
        for run, packed in report.items():
            learners = unpack(packed).astype(np.int64)
            if learners.shape != (2, KINDS) or (learners < 0).any():
                raise ValueError(
                    f"together of {run!r}: expected counts of shape {(2, KINDS)}, none below 0; "
                    f"found shape {learners.shape}"
                )
            found[run] = found.get(run, np.int64(0)) + learners
    return dict(sorted(found.items()))
