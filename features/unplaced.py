"""Work of which a course run's calendar says nothing (yet), kept for a newer calendar that may.

A platform may send a calendar after the first hand-ins, or one that is empty because a nightly job failed
half-way, and the whole one a day later. Most enrolments have nothing here. Those that do take fourteen bytes
a piece of work: names are kept once a run.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.coursework import CELL, empty_cells

MOST_WORKS = 64
"""Pieces of work kept aside for an enrolment. Of more, the ones handed in first go."""

MOST_NAMES = 1_024
"""Names kept for a run. Others are not kept aside: with objects that are new at every hand-in nothing is
lost."""

WORK = np.dtype([("name", "<u2"), *((name, CELL[name]) for name in CELL.names or ())])

Works = NDArray[np.void]
"""Structured by ``WORK``: a number among the run's names, and a cell."""


class Unplaced:
    """What the enrolments of a partition handed in without a cell, by slot; and the names by run."""

    def __init__(self) -> None:
        self._works: dict[int, Works] = {}
        self._names: dict[str, dict[str, int]] = {}
        self.changed: set[int] = set()
        self.changed_runs: set[str] = set()

    def cell(self, slot: int, run: str, assessment: str) -> Any:
        """The cell of a piece of work, a scalar of ``WORK`` to be changed in place at once.

        None where the run has too many names.
        """
        name = self._name(run, assessment)
        if name is None:
            return None
        works = self._works.get(slot, np.empty(0, WORK))
        index = np.flatnonzero(works["name"] == name)
        if not len(index):
            if len(works) == MOST_WORKS:
                works = np.delete(works, int(works["day"].argmin()))
            works = np.append(works, _new_work(name))
            index = np.array([len(works) - 1])
        self._works[slot] = works
        self.changed.add(slot)
        return works[index[0]]

    def put(self, slot: int, run: str, assessment: str, cell: Any) -> None:
        """Keep a cell that a newer calendar names no more."""
        work = self.cell(slot, run, assessment)
        for field in CELL.names or () if work is not None else ():
            work[field] = cell[field]

    def _name(self, run: str, assessment: str) -> int | None:
        names = self._names.setdefault(run, {})
        number = names.get(assessment)
        if number is None and len(names) < MOST_NAMES:
            number = names[assessment] = len(names)
            self.changed_runs.add(run)
        return number

    def pop(self, slot: int, run: str, assessments: Sequence[str]) -> list[tuple[int, Any]]:
        """The cells that a calendar names, each with its place there; they are no longer kept here."""
        works = self._works.get(slot)
        if works is None:
            return []
        names = self._names.get(run, {})
        places = {names[name]: place for place, name in enumerate(assessments) if name in names}
        named = np.isin(works["name"], list(places))
        if not named.any():
            return []
        self._put_back(slot, works[~named])
        cells = empty_cells(int(named.sum()))
        for field in CELL.names or ():
            cells[field] = works[field][named]
        return list(zip([places[name] for name in works["name"][named].tolist()], cells, strict=True))

    def _put_back(self, slot: int, works: Works) -> None:
        if len(works):
            self._works[slot] = works
        else:
            del self._works[slot]
        self.changed.add(slot)

    def newest_order(self, slot: int) -> int:
        """The order of an enrolment's newest grade here, 0 where there is none."""
        works = self._works.get(slot)
        return 0 if works is None else int(works["order"].max(initial=0))

    def forget(self, slots: Iterable[int]) -> None:
        """These enrolments are gone; who comes into their slots has nothing."""
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

    def restore(self, slot: int, works: Works) -> None:
        """Take back what :meth:`stored` gave, structured by ``WORK``."""
        self._works[slot] = works.copy()

    def names(self, run: str) -> list[str] | None:
        """The names of a run, in the order of their numbers; None where there are none."""
        names = self._names.get(run)
        return None if names is None else list(names)

    def restore_names(self, run: str, names: Sequence[str]) -> None:
        """Take back what :meth:`names` gave."""
        self._names[run] = {name: number for number, name in enumerate(names)}


def _new_work(name: int) -> Works:
    work, empty = np.zeros(1, WORK), empty_cells(1)
    for field in CELL.names or ():
        work[field] = empty[field]
    work["name"] = name
    return work
