"""Fingerprints of the event ids of closed days: an event that is sent again weeks later is recognised.

An id of the last two days is kept whole (:mod:`engine.state.event_ids`). Of an older one eight bytes are
kept, for as long as the ring holds its day. Only events of closed days are compared with them, so the common
event costs nothing. Two ids share a fingerprint in one of 2^64 pairs: with five million in memory, one late
event in four million million is dropped for another.
"""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.state.row_keys import EARLIER_IDS, row_key
from features.ring import CLOSED_DAYS
from online_models.labels import splitmix64

Fingerprints = NDArray[np.uint64]
Known = NDArray[np.bool_]

DEFAULT_CAPACITY = 5_000_000
"""Most fingerprints of a partition: 40 MB, in memory and in the state topic."""

_EARLY_DAYS = 3
"""How many days before its own day an event may have come, by the clock's tolerance and the lateness."""

_WORD = 8
_ODD = np.uint64(0x9E3779B97F4A7C15)


class EarlierIds:
    """Fingerprints of ids by the epoch day on which they came, each day's sorted."""

    def __init__(self) -> None:
        self._days: dict[int, Fingerprints] = {}
        self._changed: dict[bytes, bytes | None] = {}

    def add_day(self, day: int, ids: Collection[str], capacity: int) -> None:
        """Add the ids that came on a day; remove days older than the ring, and the oldest beyond capacity."""
        self._days[day] = np.sort(fingerprints(list(ids)))
        self._changed[_key(day)] = self._days[day].astype("<u8").tobytes()
        for old in sorted(self._days):
            if old > day - CLOSED_DAYS and len(self) <= capacity:
                break
            del self._days[old]
            self._changed[_key(old)] = None

    def known(self, ids: Sequence[str], first_day: int) -> Known:
        """Which ids came before, bool [n]. first_day: the earliest epoch day of their events."""
        searched = fingerprints(ids)
        known = np.zeros(len(ids), bool)
        for day, stored in self._days.items():
            if day >= first_day - _EARLY_DAYS and len(stored):
                found = np.minimum(np.searchsorted(stored, searched), len(stored) - 1)
                known |= stored[found] == searched
        return known

    @property
    def days(self) -> list[int]:
        """The epoch days that are remembered, ascending."""
        return sorted(self._days)

    def __len__(self) -> int:
        return sum(map(len, self._days.values()))

    def pop_changed_rows(self) -> Iterator[tuple[bytes, bytes | None]]:
        """The rows of the state topic that changed since the last call; None deletes."""
        yield from self._changed.items()
        self._changed = {}

    def restore(self, day: int, stored: bytes) -> None:
        """Restore the row of a day."""
        self._days[day] = np.frombuffer(stored, "<u8").astype(np.uint64)


def fingerprints(ids: Sequence[str]) -> Fingerprints:
    """A hash of each id, uint64 [n]: the same in every process and on every machine.

    The id's bytes are read as words of eight. Each is mixed with its position. Words of zeros, which fill the
    array up to its longest id, are left out, so that a fingerprint does not depend on the other ids.
    """
    if not ids:
        return np.zeros(0, np.uint64)
    encoded = [text.encode() for text in ids]
    width = -(-max(map(len, encoded), default=1) // _WORD) or 1
    words = np.array(encoded, f"S{_WORD * width}").view("<u8").reshape(len(ids), width)
    mixed = np.fromiter(map(len, encoded), np.uint64, len(ids)) * _ODD
    for position, key in enumerate(np.arange(1, width + 1, dtype=np.uint64) * _ODD):
        word = words[:, position].astype(np.uint64)
        mixed += np.where(word == 0, word, splitmix64(word + key))
    return splitmix64(mixed)


def _key(day: int) -> bytes:
    return row_key(EARLIER_IDS, str(day))
