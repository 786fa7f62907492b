"""The work of a partition's enrolments: one table per course run, with a column per deadline of the run.

An enrolment gets a row in its run's table with its first hand-in, so enrolments without one take no memory,
and a run with two hundred deadlines does not widen the rows of others.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from features.coursework import CELL, MAX_ORDER, Cells, Run, combine_cells, empty_cells
from features.ring import Ints
from features.unplaced import WORK, UnplacedWork

_INITIAL_ROWS = 16

Snapshot = tuple[bytes, bytes | None]
"""An enrolment's cells, and its work that is in no calendar, as bytes."""


class _Table:
    """The rows of one run. cells: [capacity, deadlines]; row_of: slot → row."""

    def __init__(self, deadlines: int) -> None:
        self.cells = empty_cells(_INITIAL_ROWS, deadlines)
        self.row_of: dict[int, int] = {}
        self.free = list(range(_INITIAL_ROWS))[::-1]

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
    """Cells by run and enrolment, and work that is in no calendar (yet). Runs are identified by index."""

    def __init__(self) -> None:
        self._tables: dict[int, _Table] = {}
        self.unplaced = UnplacedWork()

    def cells(self, run: int, slots: Ints, deadlines: int) -> Cells:
        """A copy of the cells of enrolments of a run, [n, deadlines]."""
        cells = empty_cells(len(slots), deadlines)
        table = self._tables.get(run)
        if table is not None and table.row_of:
            rows = np.array([table.row_of.get(slot, -1) for slot in slots.tolist()], np.int64)
            with_row = np.flatnonzero(rows >= 0)
            cells[with_row] = table.cells[rows[with_row]]
        return cells

    def cell(self, index: int, run: Run, slot: int, assessment: str) -> Any:
        """The cell of a piece of work, a scalar to be changed in place immediately.

        None if it cannot be stored.
        """
        if assessment in run.assessments:
            return self._table(index, run).row(slot)[run.assessments.index(assessment)]
        return self.unplaced.cell(slot, run.name, assessment)

    def work_by_name(self, index: int, run: Run, slot: int) -> dict[str, bytes]:
        """The work of an enrolment with a hand-in or a grade: its cell as bytes, by the assessment's name."""
        table = self._tables.get(index)
        works = self.unplaced.named(slot, run.name)
        if table is not None and slot in table.row_of:
            works |= zip(run.assessments, table.row(slot), strict=True)
        return {name: cell.tobytes() for name, cell in sorted(works.items()) if cell != _EMPTY}

    def add_work(self, index: int, run: Run, slot: int, works: Mapping[str, bytes]) -> None:
        """Add work that :meth:`work_by_name` returned, of another account of the same learner."""
        for name, stored in works.items():
            cell = self.cell(index, run, slot, name)
            if cell is not None:
                combine_cells(cell, np.frombuffer(stored, CELL)[0])

    def next_order(self, index: int, run: Run, slot: int) -> int:
        """The number of an enrolment's next grade in the order of its grades, from 1."""
        cells = self._table(index, run).row(slot)
        newest = max(int(cells["order"].max(initial=0)), self.unplaced.newest_order(slot))
        return min(newest + 1, MAX_ORDER)

    def move_to_calendar(self, index: int, slots: Ints, old: Run, new: Run) -> None:
        """Move the cells of a run's enrolments to their columns in a newer calendar.

        slots: all enrolments of the run. Work that is not in the newer calendar is moved to ``unplaced``, and
        work that now is comes back from there.
        """
        before = self._tables.pop(index, None) or _Table(len(old.assessments))
        table = self._tables[index] = _Table(len(new.assessments))
        columns = {name: column for column, name in enumerate(new.assessments)}
        for slot in slots.tolist():
            for column, cell in self.unplaced.pop_named(slot, new.name, new.assessments):
                table.row(slot)[column] = cell
            if slot in before.row_of:
                for name, cell in zip(old.assessments, before.row(slot), strict=True):
                    if name in columns:
                        table.row(slot)[columns[name]] = cell
                    elif cell != _EMPTY:
                        self.unplaced.put(slot, new.name, name, cell)

    def snapshot(self, run: int, slot: int) -> Snapshot:
        """A copy of an enrolment's work, for :meth:`revert`."""
        return self.dump(run, slot), self.unplaced.dump(slot)

    def revert(self, run: int, slot: int, snapshot: Snapshot) -> None:
        """Put an enrolment's work back to what :meth:`snapshot` returned."""
        cells, works = snapshot
        self.forget(run, slot)
        if cells:
            self.restore(run, slot, np.frombuffer(cells, CELL))
        if works is not None:
            self.unplaced.restore(slot, np.frombuffer(works, WORK))

    def forget(self, run: int, slot: int) -> None:
        """Remove the work of a slot, which is reused for another enrolment."""
        if run in self._tables:
            self._tables[run].forget(slot)
        self.unplaced.forget([slot])

    def forget_run(self, index: int, name: str) -> None:
        """Remove a run that is over, after its enrolments."""
        self._tables.pop(index, None)
        self.unplaced.forget_run(name)

    def dump(self, run: int, slot: int) -> bytes:
        """An enrolment's cells as bytes; empty without any."""
        table = self._tables.get(run)
        index = None if table is None else table.row_of.get(slot)
        return b"" if table is None or index is None else table.cells[index].tobytes()

    def restore(self, run: int, slot: int, cells: Cells) -> None:
        """Restore the result of :meth:`dump`, structured by ``CELL``, [deadlines]."""
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
