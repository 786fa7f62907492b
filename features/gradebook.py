"""The work of a partition's enrolments: a table a course run, as wide as the run has deadlines.

An enrolment has a row in its run's table from its first hand-in on, so who handed nothing in costs nothing,
and a run with two hundred deadlines does not make the rows of others wide.
"""

from typing import Any

import numpy as np

from features.coursework import MOST_SCORES, Cells, Run, empty_cells
from features.ring import Ints
from features.unplaced import Unplaced

_FIRST_ROWS = 16


class _Table:
    """The rows of one run. cells: [capacity, deadlines]; row_of: by slot."""

    def __init__(self, deadlines: int) -> None:
        self.cells = empty_cells(_FIRST_ROWS, deadlines)
        self.row_of: dict[int, int] = {}
        self.free = list(range(_FIRST_ROWS))[::-1]

    def row(self, slot: int) -> Cells:
        """An enrolment's cells, to be changed in place."""
        index = self.row_of.get(slot)
        if index is None:
            if not self.free:
                self._grow()
            index = self.row_of[slot] = self.free.pop()
        cells: Cells = self.cells[index]
        return cells

    def _grow(self) -> None:
        size = len(self.cells)
        self.cells = np.concatenate([self.cells, empty_cells(*self.cells.shape)])
        self.free = list(range(size, 2 * size))[::-1]

    def forget(self, slot: int) -> None:
        index = self.row_of.pop(slot, None)
        if index is not None:
            self.cells[index] = empty_cells(1)[0]
            self.free.append(index)


class Gradebook:
    """Cells by run and enrolment, and what no calendar names yet. Runs are given by their index."""

    def __init__(self) -> None:
        self._tables: dict[int, _Table] = {}
        self.unplaced = Unplaced()

    def of(self, run: int, slots: Ints, deadlines: int) -> Cells:
        """A copy of the cells of some enrolments of a run, [n, deadlines]."""
        cells = empty_cells(len(slots), deadlines)
        table = self._tables.get(run)
        if table is not None and table.row_of:
            rows = [table.row_of.get(slot, -1) for slot in slots.tolist()]
            there = np.flatnonzero(np.array(rows) >= 0)
            cells[there] = table.cells[np.array(rows)[there]]
        return cells

    def cell(self, index: int, run: Run, slot: int, assessment: str) -> Any:
        """The cell of a piece of work, a scalar to be changed in place at once.

        None where it cannot be kept.
        """
        if assessment in run.assessments:
            return self._table(index, run).row(slot)[run.assessments.index(assessment)]
        return self.unplaced.cell(slot, run.name, assessment)

    def next_order(self, index: int, run: Run, slot: int) -> int:
        """The order of an enrolment's next grade among its grades, from 1."""
        cells = self._table(index, run).row(slot)
        newest = max(int(cells["order"].max(initial=0)), self.unplaced.newest_order(slot))
        return min(newest + 1, MOST_SCORES)

    def rearrange(self, index: int, slots: Ints, old: Run, new: Run) -> None:
        """Move what enrolments of a run handed in to the places that it has in a newer calendar.

        slots: of all enrolments of the run. Work that the newer calendar does not name goes aside, what it
        names comes from there.
        """
        before = self._tables.pop(index, None) or _Table(len(old.assessments))
        table = self._tables[index] = _Table(len(new.assessments))
        places = {name: place for place, name in enumerate(new.assessments)}
        for slot in slots.tolist():
            for place, cell in self.unplaced.pop(slot, new.name, new.assessments):
                table.row(slot)[place] = cell
            if slot in before.row_of:
                for name, cell in zip(old.assessments, before.row(slot), strict=True):
                    if name in places:
                        table.row(slot)[places[name]] = cell
                    elif cell != _EMPTY:
                        self.unplaced.put(slot, new.name, name, cell)

    def forget(self, run: int, slot: int) -> None:
        """An enrolment is gone; who comes into its slot has nothing."""
        if run in self._tables:
            self._tables[run].forget(slot)
        self.unplaced.forget([slot])

    def forget_run(self, index: int, name: str) -> None:
        """A run is over, and its enrolments are gone."""
        self._tables.pop(index, None)
        self.unplaced.forget_run(name)

    def stored(self, run: int, slot: int) -> bytes:
        """An enrolment's cells as the state topic keeps them; empty where it has none."""
        table = self._tables.get(run)
        index = None if table is None else table.row_of.get(slot)
        return b"" if table is None or index is None else table.cells[index].tobytes()

    def restore(self, run: int, slot: int, cells: Cells) -> None:
        """Take back what :meth:`stored` gave, structured by ``CELL``, [deadlines]."""
        table = self._tables.get(run)
        if table is None:
            table = self._tables[run] = _Table(len(cells))
        table.row(slot)[:] = cells

    def _table(self, index: int, run: Run) -> _Table:
        table = self._tables.get(index)
        if table is None:
            table = self._tables[index] = _Table(len(run.assessments))
        return table


_EMPTY = empty_cells(1)[0]
