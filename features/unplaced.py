"""Hand-ins of work that a course run's calendar does not name (yet), kept for a newer calendar that may.

A platform may send a calendar after the first hand-ins, or one that is empty because a nightly job failed
half-way, and the whole one a day later. Most enrolments have nothing here. Those that do take six bytes a
piece of work: names are kept once a run.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NO_SCORE = 255

FIRST_DAY = 10_957
"""2000-01-01: the first day that the contract knows. The last one is 36,524 days later."""

MOST_WORKS = 64
"""Pieces of work kept aside for an enrolment: twice what a calendar can name. Of more, the ones handed in
first go."""

MOST_NAMES = 1_024
"""Names kept for a run. Others are not kept aside: with objects that are new at every hand-in nothing is
lost."""

WORK = np.dtype([("name", "<u2"), ("day", "<u2"), ("score", "u1"), ("order", "u1")])

Works = NDArray[np.void]


class HandIn(NamedTuple):
    """The first day of a piece of work, its newest score in half percents, and that one's place in the order
    of the enrolment's scores (0 where there is none)."""

    day: int
    score: int
    order: int


class Unplaced:
    """What the enrolments of a partition handed in without a cell, by slot; and the names by run."""

    def __init__(self) -> None:
        self._works: dict[int, Works] = {}
        self._names: dict[str, dict[str, int]] = {}
        self.changed: set[int] = set()
        self.changed_runs: set[str] = set()

    def put(self, slot: int, run: str, assessment: str, found: HandIn) -> None:
        """Keep a hand-in; of the same work the first day and the newest score."""
        name = self._name(run, assessment)
        if name is None:
            return
        works = self._works.get(slot, np.empty(0, WORK))
        same = works["name"] == name
        if same.any():
            newer = same & (works["order"] < found.order)
            works["score"][newer], works["order"][newer] = found.score, found.order
        else:
            day = min(max(found.day - FIRST_DAY, 0), 2**16 - 1)
            works = np.append(works, np.array([(name, day, found.score, found.order)], WORK))
            if len(works) > MOST_WORKS:
                works = np.delete(works, int(works["day"].argmin()))
        self._works[slot] = works
        self.changed.add(slot)

    def _name(self, run: str, assessment: str) -> int | None:
        names = self._names.setdefault(run, {})
        found = names.get(assessment)
        if found is None and len(names) < MOST_NAMES:
            found = names[assessment] = len(names)
            self.changed_runs.add(run)
        return found

    def take(self, slot: int, run: str, assessments: Sequence[str]) -> list[tuple[int, HandIn]]:
        """What of it a calendar names, each with its place there; it is no longer kept here."""
        works = self._works.get(slot)
        if works is None:
            return []
        names = self._names.get(run, {})
        places = {names[one]: place for place, one in enumerate(assessments) if one in names}
        named = np.isin(works["name"], list(places))
        if not named.any():
            return []
        self._put_back(slot, works[~named])
        return [
            (places[name], HandIn(day + FIRST_DAY, score, order))
            for name, day, score, order in works[named].tolist()
        ]

    def _put_back(self, slot: int, works: Works) -> None:
        if len(works):
            self._works[slot] = works
        else:
            del self._works[slot]
        self.changed.add(slot)

    def newest(self, slot: int) -> int:
        """The order of the newest score, 0 where there is none."""
        return max(self.orders(slot), default=0)

    def orders(self, slot: int) -> list[int]:
        """The orders of all scores."""
        works = self._works.get(slot)
        return [] if works is None else [int(order) for order in works["order"]]

    def reorder(self, slot: int, anew: NDArray[np.uint8]) -> None:
        """Number the scores anew: by the order, [256]."""
        works = self._works.get(slot)
        if works is not None:
            works["order"] = anew[works["order"]]
            self.changed.add(slot)

    def forget(self, slots: Iterable[int]) -> None:
        """These enrolments are gone; who comes into their places has nothing."""
        for slot in slots:
            self._works.pop(slot, None)
            self.changed.discard(slot)

    def forget_run(self, run: str) -> None:
        """A run is over, and its enrolments are gone."""
        if self._names.pop(run, None) is not None:
            self.changed_runs.add(run)

    # -- for the state topic ------------------------------------------------------------------------

    def stored(self, slot: int) -> bytes | None:
        """An enrolment's, None where there is nothing."""
        works = self._works.get(slot)
        return None if works is None else works.tobytes()

    def restore(self, slot: int, stored: bytes) -> None:
        """Take back what :meth:`stored` gave."""
        self._works[slot] = np.frombuffer(stored, WORK).copy()

    def names(self, run: str) -> list[str] | None:
        """The names of a run, in the order of their numbers; None where there are none."""
        found = self._names.get(run)
        return None if found is None else list(found)

    def restore_names(self, run: str, names: Sequence[str]) -> None:
        """Take back what :meth:`names` gave."""
        self._names[run] = {name: number for number, name in enumerate(names)}
