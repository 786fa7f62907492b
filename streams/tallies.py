"""What a partition counts of each source for the quality watch: a day's events by kind and hour, and faults.

A source is what an event's ``source`` names. Counts are by the day on which an event occurred, those of
refused records by the day of the clock when they came. They are cut when the day closes: what comes later
is in no report.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, get_args

import numpy as np
import orjson

from features.ring import Ints
from online_models.arrays import pack
from schemas.activity import ACTIVITY_KINDS
from schemas.dead_letter import DeadLetter, DeadLetterReason
from schemas.quality import UNNAMED, Fault, SourceCounts
from streams.decode import Message
from streams.intake import DAY_S, HOUR_S

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

    def add(
        self, messages: Sequence[Message], runs: Sequence[str], times: Ints, kinds: Ints, clock: Ints
    ) -> None:
        """Count activities; all arguments are of one length. clock: 1 ahead of it, −1 behind it, else 0."""
        names = [(message.get("source", UNNAMED), run) for message, run in zip(messages, runs, strict=True)]
        places = {name: place for place, name in enumerate(dict.fromkeys(names))}
        of = np.array([places[name] for name in names])
        bare = [message.get("object") is None for message in messages]
        untimed = [message.get("duration_s") is None for message in messages]
        days = times // DAY_S
        first, span = int(days.min()), int(np.ptp(days)) + 1
        rows = (of * span + days - first) * WIDTH
        hits = [rows + kinds * HOURS + times % DAY_S // HOUR_S]
        hits.append(rows[clock > 0] + _FAULT["ahead"])
        hits.append(rows[clock < 0] + _FAULT["behind"])
        hits.append(rows[np.array(bare)] + _FAULT["without_object"])
        hits.append(rows[np.array(untimed)] + _FAULT["without_duration"])
        found, counts = np.unique(np.concatenate(hits), return_counts=True)
        named = list(places)
        starts = np.flatnonzero(np.diff(found // WIDTH, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(found)], strict=True):
            name, day = divmod(int(found[start]) // WIDTH, span)
            self._of((*named[name], first + day))[found[start:end] % WIDTH] += counts[start:end]

    def repeat(self, message: Message, time: int) -> None:
        """Count an activity that was a repeat."""
        self._fault(message.get("source", UNNAMED), message["course_run"], time // DAY_S, "duplicates")

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

    def take(self, day: int) -> list[SourceCounts]:
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
