"""The event ids of a partition that are remembered: those of the open day and of the day before it.

The ids since the last checkpoint are one row; a row of many ids is cut into pieces like any other. The rows
are numbered one after the other, so that the mark names all of them by three numbers.
"""

from collections.abc import Iterator
from typing import Any

import orjson

_KIND = b"i"

Rows = tuple[int, int, int]
"""Numbers of rows: the first of the day before, the first of the open day, and the next one."""


class EventIds:
    """Days are by the watermark. ``rows``: as :attr:`rows` was when the ids were written."""

    def __init__(self, rows: Rows = (0, 0, 0)) -> None:
        self.rows = rows
        self.today: set[str] = set()
        self.before: set[str] = set()
        self._new: list[str] = []
        self._changed: dict[bytes, bytes | None] = {}

    def first_time(self, event_id: str) -> bool:
        """Whether an id was not seen today or the day before it; it now is."""
        if event_id in self.today or event_id in self.before:
            return False
        self.today.add(event_id)
        self._new.append(event_id)
        return True

    def all_first(self, event_ids: list[str]) -> bool:
        """``first_time`` of all of them, where it is true of each; else none of them is noted."""
        new = set(event_ids)
        if len(new) < len(event_ids) or not (
            self.today.isdisjoint(event_ids) and self.before.isdisjoint(event_ids)
        ):
            return False
        self.today |= new
        self._new += event_ids
        return True

    def turn(self) -> None:
        """A day has closed: ids seen before the last close are forgotten."""
        self._cut()
        older, newer, following = self.rows
        for number in range(older, newer):
            self._changed[_key(number)] = None
        self.before, self.today = self.today, set()
        self.rows = (newer, following, following)

    def _cut(self) -> None:
        if self._new:
            older, newer, following = self.rows
            self._changed[_key(following)] = orjson.dumps(self._new)
            self.rows = (older, newer, following + 1)
            self._new = []

    def changed(self) -> Iterator[tuple[bytes, bytes | None]]:
        """The rows to be written since this was last asked; None deletes."""
        self._cut()
        yield from self._changed.items()
        self._changed = {}

    def restore(self, number: int, ids: list[str]) -> None:
        """A row that was written."""
        (self.before if number < self.rows[1] else self.today).update(ids)


def rows_of(mark: dict[str, Any]) -> Rows:
    """The numbers of the rows, of a mark. Those of version 5 named each row, by its key."""
    if "id_rows" in mark:
        older, newer, following = mark["id_rows"]
        return older, newer, following
    following = mark["chunk"]
    before, today = ([int(key.partition("|")[2]) for key in day] for day in mark["id_chunks"])
    return min([*before, *today, following]), min([*today, following]), following


def _key(number: int) -> bytes:
    return b"%s|%d" % (_KIND, number)
