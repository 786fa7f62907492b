"""How many of a source's events there were by name, and what became of them, as rows of the store."""

import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple

from engine.outputs import Columns
from sources.formats.translation import MAX_NAMES, OTHERS, Fate

TABLE = "source_events"


class _Key(NamedTuple):
    day: date
    topic: str
    name: str
    fate: Fate


class NameCounts:
    """Counts by day of the wall clock (UTC), topic, name and fate, of one process since its start.

    Rows hold the whole count so far and replace the earlier ones, so writing them again changes nothing.
    Records that a crash delivers twice are counted twice.
    """

    def __init__(self, process: str) -> None:
        """process: a name of this process that no other has had."""
        self._process = process
        self._counts: dict[_Key, int] = {}
        self._changed: set[_Key] = set()
        self._today: date | None = None

    def add(self, topic: str, names: Mapping[tuple[str, Fate], int], today: date | None = None) -> None:
        """Add the events of a batch."""
        today = today or datetime.now(UTC).date()
        if today != self._today:
            self._today = today
            self._forget_earlier_days()
        for (name, fate), events in names.items():
            key = _Key(today, topic, name, fate)
            if key not in self._counts and len(self._counts) >= MAX_NAMES:
                key = key._replace(name=OTHERS)
            self._counts[key] = self._counts.get(key, 0) + events
            self._changed.add(key)

    def changed_rows(self) -> Columns | None:
        """The rows that changed since the last :meth:`written`; None without any."""
        keys = sorted(self._changed)
        if not keys:
            return None
        version = time.time_ns()
        return {
            "day": [key.day for key in keys],
            "topic": [key.topic for key in keys],
            "name": [key.name for key in keys],
            "fate": [key.fate for key in keys],
            "process": [self._process] * len(keys),
            "events": [self._counts[key] for key in keys],
            "version": [version] * len(keys),
        }

    def written(self) -> None:
        """Note that the changed rows are in the store."""
        self._changed.clear()

    def _forget_earlier_days(self) -> None:
        """Forget the counts of earlier days that are in the store."""
        self._counts = {key: count for key, count in self._counts.items() if key in self._changed}
