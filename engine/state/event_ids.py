"""Deduplication of a partition's events: the event ids of the open day and of the day before it, and
fingerprints of earlier ones.

The ids since the last checkpoint are one row; a row of many ids is cut into pieces like any other. The rows
are numbered consecutively, so that the mark names all of them by three numbers.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from engine.state.earlier_ids import DEFAULT_CAPACITY, EarlierIds

_KIND = b"i"

Rows = tuple[int, int, int]
"""Numbers of rows: the first of the day before, the first of the open day, and the next one."""


class EventIds:
    """Event ids by day of the watermark. rows: as :attr:`rows` was at the checkpoint that is restored."""

    def __init__(self, rows: Rows = (0, 0, 0)) -> None:
        self.rows = rows
        self.today: set[str] = set()
        self.before: set[str] = set()
        self.earlier = EarlierIds()
        self._new: list[str] = []
        self._changed: dict[bytes, bytes | None] = {}

    def add_if_new(self, event_id: str) -> bool:
        """Add an id; False if it was there already, on the open day or the day before."""
        if event_id in self.today or event_id in self.before:
            return False
        self.today.add(event_id)
        self._new.append(event_id)
        return True

    def add_all_if_new(self, event_ids: list[str]) -> bool:
        """Add ids if all of them are new and different; else add none and return False."""
        new = set(event_ids)
        if len(new) < len(event_ids) or not (
            self.today.isdisjoint(event_ids) and self.before.isdisjoint(event_ids)
        ):
            return False
        self.today |= new
        self._new += event_ids
        return True

    def close_day(self, day: int, capacity: int = DEFAULT_CAPACITY) -> None:
        """Start a new day: of the ids of the day before the one that closes, fingerprints are kept.

        day: the epoch day that closes. capacity: most fingerprints.
        """
        self._flush_new()
        older, newer, following = self.rows
        for number in range(older, newer):
            self._changed[_key(number)] = None
        self.earlier.add_day(day - 1, self.before, capacity)
        self.before, self.today = self.today, set()
        self.rows = (newer, following, following)

    def _flush_new(self) -> None:
        if self._new:
            older, newer, following = self.rows
            self._changed[_key(following)] = orjson.dumps(self._new)
            self.rows = (older, newer, following + 1)
            self._new = []

    def pop_changed_rows(self) -> Iterator[tuple[bytes, bytes | None]]:
        """The rows that changed since the last call; None deletes."""
        self._flush_new()
        yield from self._changed.items()
        self._changed = {}
        yield from self.earlier.pop_changed_rows()

    def restore(self, number: int, ids: list[str]) -> None:
        """Add the ids of a stored row."""
        (self.before if number < self.rows[1] else self.today).update(ids)


def rows_of(mark: dict[str, Any]) -> Rows:
    """The numbers of the rows, from a mark. Marks of version 5 named each row by its key."""
    if "id_rows" in mark:
        older, newer, following = mark["id_rows"]
        return older, newer, following
    following = mark["chunk"]
    before, today = ([int(key.partition("|")[2]) for key in day] for day in mark["id_chunks"])
    return min([*before, *today, following]), min([*today, following]), following


def _key(number: int) -> bytes:
    return b"%s|%d" % (_KIND, number)
