"""The course runs that a key may see, and the time that the store's newest day stands for."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from console.access import ApiKey
from console.errors import not_found
from console.parts import Parts
from console.queries import courses

RUNS_S = 1.0
"""Seconds for which the list of course runs is cached: every request needs it."""

STALE_DAYS = 2
"""In live operation estimates older than this are stale, and the pages say so."""


@dataclass(slots=True)
class _Runs:
    last_days: dict[str, date] = field(default_factory=dict)
    until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Scope:
    """The scope of keys, and the current time. Thread-safe; one for all keys."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._runs = _Runs()

    def runs(self, key: ApiKey, only: Iterable[str] = ()) -> tuple[str, ...]:
        """The course runs within the key's scope, or ``only`` those.

        Raises:
            ProblemError: one of ``only`` is not within the scope (404).
        """
        visible = tuple(name for name in self.last_days() if key.sees(name))
        wanted = tuple(dict.fromkeys(only))
        for name in wanted:
            if name not in visible:
                raise not_found(f"no course run {name!r} is within your courses")
        return wanted or visible

    def newest_day(self) -> date | None:
        """The newest day that the store has closed."""
        return max(self.last_days().values(), default=None)

    def last_days(self) -> dict[str, date]:
        """Every course run with its newest day; cached for a second, unless the store is empty."""
        runs = self._runs
        with runs.lock:
            if time.monotonic() > runs.until:
                runs.last_days = courses.last_days(self._parts.readers)
                runs.until = time.monotonic() + RUNS_S if runs.last_days else 0.0
            return runs.last_days

    def as_of(self) -> date:
        """The day that the newest estimates are for."""
        return (self.newest_day() or self._parts.clock().date()) + timedelta(days=1)

    def now(self) -> datetime:
        """The current time: the wall clock, or the newest day where a past term is replayed."""
        now = self._parts.clock().astimezone(UTC).replace(microsecond=0)
        newest = self.newest_day() if self._parts.replay else None
        return now if newest is None else datetime.combine(newest + timedelta(days=1), now.time(), UTC)

    def stale(self, newest: date | None) -> bool:
        """Whether the newest day is older than live operation would leave it."""
        if self._parts.replay or newest is None:
            return False
        return (self._parts.clock().astimezone(UTC).date() - newest).days > STALE_DAYS
