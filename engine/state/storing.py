"""Tracks which rows of the state topic differ from the state: what a checkpoint has to write.

The partition's state reports its changes here, and passes its parts at a checkpoint. The order of the rows
is part of the contract with a restore: deletions first, then what belongs to enrolments.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.pieces import LargeRows
from engine.state.row_keys import (
    ENROLMENT,
    FACT,
    TRAIL,
    UNPLACED,
    WORK_NAMES,
    StateRow,
    enrolment_key,
    row_key,
)
from engine.state.sections import Sections
from features.ring import Ints
from features.unplaced import UnplacedWork
from online_models.trails import Trails

Keys = Sequence[tuple[str, str] | None]
"""Learner and course run by slot; None where the slot is free."""


class ChangedRows:
    """The changes of one partition's state since its last checkpoint. capacity: number of slots."""

    def __init__(self, capacity: int) -> None:
        self.large = LargeRows()
        self.sections = Sections()
        self.stored_facts: set[str] = set()
        """Ids of the facts that have a row in the state topic."""
        self._enrolments = np.zeros(capacity, bool)
        self._stored = np.zeros(capacity, bool)  # which enrolments have a row in the state topic
        self._rows: dict[bytes, bytes | None] = {}

    def grow(self, size: int) -> None:
        """Make room for ``size`` slots."""
        more = np.zeros(size - len(self._enrolments), bool)
        self._enrolments, self._stored = (
            np.concatenate([old, more]) for old in (self._enrolments, self._stored)
        )

    def mark_changed(self, slots: Ints) -> None:
        """Write the rows of enrolments at the next checkpoint."""
        self._enrolments[slots] = True

    def put(self, key: bytes, content: Any) -> None:
        """Write a row at the next checkpoint, its content as JSON."""
        self._rows[key] = orjson.dumps(content)

    def delete(self, key: bytes) -> None:
        """Delete a row at the next checkpoint."""
        self._rows[key] = None

    def drop(self, slot: int, key: tuple[str, str]) -> None:
        """Delete the rows of an enrolment at the next checkpoint."""
        for kind in (ENROLMENT, TRAIL, UNPLACED):
            self.delete(enrolment_key(key, kind))
        self._enrolments[slot] = self._stored[slot] = False

    def set_restored(self, enrolments: int, *, rewrite: bool) -> None:
        """Mark the first slots as restored. rewrite: write all rows again at the next checkpoint."""
        self._stored[:enrolments] = True
        self._enrolments[:] = rewrite

    @property
    def stored_enrolments(self) -> int:
        """How many enrolments have a row in the state topic."""
        return int(self._stored.sum())

    def pop_rows(self) -> Iterator[StateRow]:
        """Rows that were put or deleted by key, since the last call."""
        yield from self._rows.items()
        self._rows = {}

    def pop_enrolments(
        self, rows: NDArray[Any], keys: Keys, cells: Callable[[int], bytes]
    ) -> Iterator[StateRow]:
        """Rows of the enrolments that changed.

        rows: [slots], of the layout that is stored. cells: returns the cells of a slot, as they are stored.
        """
        for slot in np.flatnonzero(self._enrolments[: len(keys)]).tolist():
            key = keys[slot]
            if key is not None:
                self._stored[slot] = True
                yield enrolment_key(key), rows[slot].tobytes() + cells(slot)
        self._enrolments[:] = False

    def pop_facts(self, facts: Mapping[str, Any]) -> Iterator[StateRow]:
        """Rows of facts that were added or removed. facts: the current ones, by event id."""
        for removed in self.stored_facts - facts.keys():
            yield row_key(FACT, removed), None
        for added in facts.keys() - self.stored_facts:
            yield row_key(FACT, added), orjson.dumps(facts[added])
        self.stored_facts = set(facts)


def pop_trails(trails: Trails, keys: Keys) -> Iterator[StateRow]:
    """Rows of the trails that changed; they count as written afterwards."""
    for slot, trail in trails.export(np.flatnonzero(trails.changed).tolist()):
        key = keys[slot]
        if key is not None:
            yield enrolment_key(key, TRAIL), orjson.dumps(trail.to_record())
    trails.changed[:] = False


def pop_unplaced(unplaced: UnplacedWork, keys: Keys) -> Iterator[StateRow]:
    """Rows of changed hand-ins that are in no calendar; they count as written afterwards."""
    for run in sorted(unplaced.changed_runs):
        names = unplaced.names(run)
        yield row_key(WORK_NAMES, run), None if names is None else orjson.dumps(names)
    for slot in sorted(unplaced.changed):
        key = keys[slot]
        if key is not None:
            yield enrolment_key(key, UNPLACED), unplaced.dump(slot)
    unplaced.changed_runs, unplaced.changed = set(), set()
