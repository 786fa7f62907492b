"""Hand-ins of work that is not in the course run's calendar (yet), stored for a newer calendar.

A platform may send a calendar after the first hand-ins, or an incomplete one because a nightly job failed
half-way, and the complete one a day later. Most enrolments have nothing here. Others have six bytes per piece
of work: names are stored once per run.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_SCORE = 255

FIRST_DAY = 10_957
"""2000-01-01: the first day that the contract allows. The last one is 36,524 days later."""

MAX_WORKS = 64
"""Most pieces of work per enrolment: twice what a calendar can have. Beyond it, the earliest is dropped."""

MAX_NAMES = 1_024
"""Most names per run. Hand-ins under further names are not stored: they are objects of one hand-in each."""

WORK = np.dtype([("name", "<u2"), ("day", "<u2"), ("score", "u1"), ("order", "u1")])

Works = NDArray[np.void]


class HandIn(NamedTuple):
    """A piece of work: the epoch day of its first hand-in, and its newest score in half percents.

    order: the score's number in the order of the enrolment's scores; 0 without a score.
    """

    day: int
    score: int
    order: int


class UnplacedWork:
    """Hand-ins without a cell, by slot, and names of work, by run, of one partition."""

    def __init__(self) -> None:
        self._works: dict[int, Works] = {}
        self._names: dict[str, dict[str, int]] = {}
        self.changed: set[int] = set()
        self.changed_runs: set[str] = set()

    def put(self, slot: int, run: str, assessment: str, hand_in: HandIn) -> None:
        """Store a hand-in; of the same work, the first day and the newest score."""
        name = self._name(run, assessment)
        if name is None:
            return
        works = self._works.get(slot, np.empty(0, WORK))
        same = works["name"] == name
        if same.any():
            newer = same & (works["order"] < hand_in.order)
            works["score"][newer], works["order"][newer] = hand_in.score, hand_in.order
        else:
            day = min(max(hand_in.day - FIRST_DAY, 0), 2**16 - 1)
            works = np.append(works, np.array([(name, day, hand_in.score, hand_in.order)], WORK))
            if len(works) > MAX_WORKS:
                works = np.delete(works, int(works["day"].argmin()))
        self._works[slot] = works
        self.changed.add(slot)

    def _name(self, run: str, assessment: str) -> int | None:
        names = self._names.setdefault(run, {})
        number = names.get(assessment)
        if number is None and len(names) < MAX_NAMES:
            number = names[assessment] = len(names)
            self.changed_runs.add(run)
        return number

    def pop_named(self, slot: int, run: str, assessments: Sequence[str]) -> list[tuple[int, HandIn]]:
        """Remove and return the hand-ins of the assessments of a calendar, each with its index there."""
        works = self._works.get(slot)
        if works is None:
            return []
        names = self._names.get(run, {})
        indices = {
            names[assessment]: index for index, assessment in enumerate(assessments) if assessment in names
        }
        named = np.isin(works["name"], list(indices))
        if not named.any():
            return []
        self._set(slot, works[~named])
        return [
            (indices[name], HandIn(day + FIRST_DAY, score, order))
            for name, day, score, order in works[named].tolist()
        ]

    def _set(self, slot: int, works: Works) -> None:
        if len(works):
            self._works[slot] = works
        else:
            del self._works[slot]
        self.changed.add(slot)

    def newest(self, slot: int) -> int:
        """The order of the newest score; 0 without one."""
        return max(self.orders(slot), default=0)

    def orders(self, slot: int) -> list[int]:
        """The orders of all scores."""
        works = self._works.get(slot)
        return [] if works is None else [int(order) for order in works["order"]]

    def reorder(self, slot: int, renumbered: NDArray[np.uint8]) -> None:
        """Renumber the scores: old order → new order, [256]."""
        works = self._works.get(slot)
        if works is not None:
            works["order"] = renumbered[works["order"]]
            self.changed.add(slot)

    def forget(self, slots: Iterable[int]) -> None:
        """Remove the hand-ins of slots, which are reused for other enrolments."""
        for slot in slots:
            self._works.pop(slot, None)
            self.changed.discard(slot)

    def forget_run(self, run: str) -> None:
        """Remove the names of a run that is over."""
        if self._names.pop(run, None) is not None:
            self.changed_runs.add(run)

    # -- for the state topic ------------------------------------------------------------------------

    def dump(self, slot: int) -> bytes | None:
        """The hand-ins of a slot as bytes; None without any."""
        works = self._works.get(slot)
        return None if works is None else works.tobytes()

    def restore(self, slot: int, stored: bytes) -> None:
        """Restore the result of :meth:`dump`."""
        self._works[slot] = np.frombuffer(stored, WORK).copy()

    def names(self, run: str) -> list[str] | None:
        """The names of a run, in the order of their numbers; None without any."""
        names = self._names.get(run)
        return None if names is None else list(names)

    def restore_names(self, run: str, names: Sequence[str]) -> None:
        """Restore the result of :meth:`names`."""
        self._names[run] = {name: number for number, name in enumerate(names)}
