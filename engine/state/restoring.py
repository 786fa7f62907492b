"""Reads the rows of a completed checkpoint, and checks that they can be read and that all are there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.pieces import IncompleteError, LargeRows
from engine.state import earlier_layouts
from engine.state.errors import StateIncompleteError, StateMismatchError
from engine.state.row_keys import (
    ATTRIBUTES,
    EARLIER_IDS,
    ENROLMENT,
    MARK,
    TRAIL,
    UNPLACED,
    parse_enrolment_name,
)
from engine.state.row_layout import ROW, VERSION
from engine.state.sections import LostRowsError, Sections
from features.catalogue import FINGERPRINT
from features.coursework import CELL, Cells, Run
from features.unplaced import WORK, Works
from online_models.recommender import Trail

Enrolment = tuple[str, str]


@dataclass(slots=True)
class StoredState:
    """The decoded rows of a checkpoint.

    mark: as it was written. counted: contents of the sections, by name. enrolments: keys, in the order of
    ``rows``; rows: [n], in the newest layout. stored_rows: the same as they were stored, each followed by its
    cells. trails, unplaced, attributes: of the enrolments that have one. others: kind, name and content of
    all other rows, in their order.
    """

    mark: dict[str, Any]
    large: LargeRows
    sections: Sections = field(default_factory=Sections)
    counted: dict[str, Any] = field(default_factory=dict)
    enrolments: list[Enrolment] = field(default_factory=list)
    rows: NDArray[Any] = field(default_factory=lambda: np.zeros(0, ROW))
    stored_rows: list[bytes] = field(default_factory=list)
    trails: dict[Enrolment, Trail] = field(default_factory=dict)
    unplaced: dict[Enrolment, bytes] = field(default_factory=dict)
    attributes: dict[Enrolment, dict[str, Any]] = field(default_factory=dict)
    others: list[tuple[bytes, str, Any]] = field(default_factory=list)

    @property
    def is_current(self) -> bool:
        """Whether the rows were written in the newest layout."""
        return bool(self.mark["version"] == VERSION)

    def cells(self, index: int, run: Run) -> Cells | None:
        """The cells of the enrolment at an index, [deadlines]; None without any. run: the enrolment's.

        Raises:
            StateMismatchError: their number is not that of the run's deadlines.
        """
        layout, stored = _layout_of(self.mark), self.stored_rows[index]
        if not self.is_current:
            return earlier_layouts.cells_of(np.frombuffer(stored, layout)[0], run)
        cells = np.frombuffer(stored[layout.itemsize :], CELL)
        if len(cells) not in (0, len(run.assessments)):
            name = self.enrolments[index]
            raise StateMismatchError(
                f"the row of {str(name)[:60]} has {len(cells)} cells of work; expected {len(run.assessments)}"
            )
        return cells if len(cells) else None

    def works(self, key: Enrolment) -> Works:
        """The work of an enrolment that is in no calendar."""
        stored = self.unplaced[key]
        return np.frombuffer(stored, WORK) if self.is_current else earlier_layouts.works_of(stored)


def read_rows(rows: Iterable[tuple[bytes, bytes]]) -> StoredState | None:
    """Decode the rows of a completed checkpoint, one per key; None where there is no mark.

    Raises:
        StateMismatchError: the rows have another layout or other features.
        StateIncompleteError: pieces of a row or a section are missing.
    """
    by_key = dict(rows)
    if MARK not in by_key:
        return None
    mark = orjson.loads(by_key.pop(MARK))
    if mark["version"] not in {VERSION, *earlier_layouts.LAYOUTS} or mark["features"] != FINGERPRINT:
        raise StateMismatchError(
            f"state rows have version {mark['version']} and features {mark['features']}; "
            f"expected {VERSION} and {FINGERPRINT}: replay the events into a fresh state topic"
        )
    stored = StoredState(mark, LargeRows())
    try:
        by_key = stored.large.join(by_key)
        _read_sections(stored, by_key)
    except (IncompleteError, LostRowsError) as error:
        raise StateIncompleteError(_lost_rows(str(error))) from None
    enrolments = []
    for key, value in by_key.items():
        kind, _, encoded = key.partition(b"|")
        name = encoded.decode()
        if kind == ENROLMENT:
            enrolments.append((name, value))
        elif kind == TRAIL:
            stored.trails[parse_enrolment_name(name)] = Trail.from_record(orjson.loads(value))
        elif kind == UNPLACED:
            stored.unplaced[parse_enrolment_name(name)] = value
        elif kind == ATTRIBUTES:
            stored.attributes[parse_enrolment_name(name)] = orjson.loads(value)
        else:
            content = value if kind == EARLIER_IDS else orjson.loads(value)
            stored.others.append((kind, name, content))
    _read_enrolments(stored, enrolments)
    return stored


def check_counts(mark: Mapping[str, Any], restored: Mapping[str, int]) -> None:
    """Compare the number of restored rows, by kind, with those that the mark counts.

    Raises:
        StateIncompleteError: there are fewer than at the last checkpoint.
    """
    for name, count in mark.get("rows", {}).items():  # earlier releases counted none
        if restored[name] < count:
            raise StateIncompleteError(_lost_rows(f"{restored[name]} of {count} {name} are there"))


def check_zone(mark: Mapping[str, Any], zone: str) -> None:
    """Compare the time zone of the stored event days with the worker's.

    Raises:
        StateMismatchError: it is another one.
    """
    stored = mark.get("zone", "UTC")  # earlier releases had no other
    if stored != zone:
        raise StateMismatchError(
            f"state rows have days of the time zone {stored}, the worker those of {zone}: "
            f"set HOMEROOM_TIME_ZONE to {stored}, or replay the events into a fresh state topic"
        )


def _lost_rows(what: str) -> str:
    return (
        f"the state topic has lost rows: {what}; was its cleanup.policy other than compact? Restore it, or, "
        "to go on with what the events topic still holds, delete it and run `homeroom topics create`"
    )


def _read_sections(stored: StoredState, rows: dict[bytes, bytes]) -> None:
    """Move the sections from the rows to ``stored``; version 5 had their contents in the mark."""
    if stored.mark["version"] > 5:
        stored.sections = Sections(stored.mark["sections"])
        stored.counted = stored.sections.pop_contents(rows)
    else:
        stored.counted = stored.mark


def _layout_of(mark: Mapping[str, Any]) -> np.dtype[Any]:
    return earlier_layouts.LAYOUTS.get(mark["version"], ROW)


def _read_enrolments(stored: StoredState, enrolments: list[tuple[str, bytes]]) -> None:
    """Decode rows of enrolments, (name in the key, value) each, into the newest layout."""
    layout = _layout_of(stored.mark)
    for name, value in enrolments:
        behind = len(value) - layout.itemsize
        if behind < 0 or (behind % CELL.itemsize if stored.is_current else behind):
            raise StateMismatchError(
                f"the row of {name[:60]!r} has {len(value)} bytes; expected {layout.itemsize}"
                + f" and {CELL.itemsize} for each piece of work" * stored.is_current
            )
        stored.enrolments.append(parse_enrolment_name(name))
        stored.stored_rows.append(value)
    decoded = np.frombuffer(b"".join(value[: layout.itemsize] for value in stored.stored_rows), layout)
    stored.rows = decoded.copy() if stored.is_current else earlier_layouts.rows_of(decoded)
