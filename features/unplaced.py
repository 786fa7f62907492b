"""Work that is not in the course run's calendar (yet), stored for a newer calendar.

A platform may send a calendar after the first hand-ins, or an incomplete one because a nightly job failed
half-way, and the complete one a day later. Most enrolments have nothing here. Others have fourteen bytes per
piece of work: names are stored once per run.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.coursework import CELL, empty_cells

MAX_WORKS = 64
"""Most pieces of work per enrolment. Beyond it, the earliest is dropped."""

MAX_NAMES = 1_024
"""Most names per run. Hand-ins under further names are not stored: they are objects of one hand-in each."""

WORK = np.dtype([("name", "<u2"), *((name, CELL[name]) for name in CELL.names or ())])

Works = NDArray[np.void]
"""Structured by ``WORK``: a number among the run's names, and a cell."""


def empty_works(count: int) -> Works:
    """Pieces of work without a hand-in, [count]; each still needs its name."""
    works, cells = np.zeros(count, WORK), empty_cells(count)
    for field in CELL.names or ():
        works[field] = cells[field]
    return works


_NO_WORKS, _EMPTY_WORK = np.empty(0, WORK), empty_works(1)


def _with_one_more(works: Works) -> Works:
    """The works and an empty one; ``np.append`` would look at every field's type."""
    more = np.empty(len(works) + 1, WORK)
    more[:-1], more[-1:] = works, _EMPTY_WORK
    return more


class UnplacedWork:
    """Work that no calendar contains, by slot, and its names, by run, of one partition."""

    def __init__(self) -> None:
        self._works: dict[int, Works] = {}
        self._names: dict[str, dict[str, int]] = {}
        self.changed: set[int] = set()
        self.changed_runs: set[str] = set()

    def cell(self, slot: int, run: str, assessment: str) -> Any:
        """The cell of a piece of work, a scalar of ``WORK`` to be changed in place immediately.

        None if the run has too many names.
        """
        name = self._name(run, assessment)
        if name is None:
            return None
        works = self._works.get(slot, _NO_WORKS)
        names: list[int] = works["name"].tolist()
        if name in names:
            index = names.index(name)
        else:
            if len(works) == MAX_WORKS:
                works = np.delete(works, int(works["day"].argmin()))
            index = len(works)
            works = _with_one_more(works)
            works["name"][index] = name
            self._works[slot] = works
        self.changed.add(slot)
        return works[index]

    def put(self, slot: int, run: str, assessment: str, cell: Any) -> None:
        """Store a cell whose assessment is no longer in the calendar."""
        work = self.cell(slot, run, assessment)
        for field in CELL.names or () if work is not None else ():
            work[field] = cell[field]

    def _name(self, run: str, assessment: str) -> int | None:
        names = self._names.setdefault(run, {})
        number = names.get(assessment)
        if number is None and len(names) < MAX_NAMES:
            number = names[assessment] = len(names)
            self.changed_runs.add(run)
        return number

    def pop_named(self, slot: int, run: str, assessments: Sequence[str]) -> list[tuple[int, Any]]:
        """Remove and return the cells of the assessments of a calendar, each with its index there."""
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
        cells = empty_cells(int(named.sum()))
        for field in CELL.names or ():
            cells[field] = works[field][named]
        return list(zip([indices[name] for name in works["name"][named].tolist()], cells, strict=True))

    def named(self, slot: int, run: str) -> dict[str, Any]:
        """The cells of a slot's work by name, scalars of ``CELL``."""
        works = self._works.get(slot, _NO_WORKS)
        cells = empty_cells(len(works))
        for field in CELL.names or ():
            cells[field] = works[field]
        names = {number: name for name, number in self._names.get(run, {}).items()}
        return {names[number]: cell for number, cell in zip(works["name"].tolist(), cells, strict=True)}

    def _set(self, slot: int, works: Works) -> None:
        if len(works):
            self._works[slot] = works
        else:
            del self._works[slot]
        self.changed.add(slot)

    def newest_order(self, slot: int) -> int:
        """The order of the newest grade; 0 without one."""
        works = self._works.get(slot)
        return 0 if works is None else int(works["order"].max(initial=0))

    def forget(self, slots: Iterable[int]) -> None:
        """Remove the work of slots, which are reused for other enrolments."""
        for slot in slots:
            self._works.pop(slot, None)
            self.changed.discard(slot)

    def forget_run(self, run: str) -> None:
        """Remove the names of a run that is over."""
        if self._names.pop(run, None) is not None:
            self.changed_runs.add(run)

    # -- for the state topic ------------------------------------------------------------------------

    def dump(self, slot: int) -> bytes | None:
        """The work of a slot as bytes; None without any."""
        works = self._works.get(slot)
        return None if works is None else works.tobytes()

    def restore(self, slot: int, works: Works) -> None:
        """Restore the result of :meth:`dump`, structured by ``WORK``."""
        self._works[slot] = works.copy()

    def names(self, run: str) -> list[str] | None:
        """The names of a run, in the order of their numbers; None without any."""
        names = self._names.get(run)
        return None if names is None else list(names)

    def restore_names(self, run: str, names: Sequence[str]) -> None:
        """Restore the result of :meth:`names`."""
        self._names[run] = {name: number for number, name in enumerate(names)}
