"""Reads the rows of a completed checkpoint, and checks that they can be read and that all are there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from engine.pieces import IncompleteError, LargeRows
from engine.state.errors import StateIncompleteError, StateMismatchError
from engine.state.row_keys import ENROLMENT, MARK, TRAIL, UNPLACED, parse_enrolment_name
from engine.state.row_layout import READABLE, ROW, VERSION
from engine.state.sections import LostRowsError, Sections
from features import coursework
from features.catalogue import FINGERPRINT
from online_models.recommender import Trail

Enrolment = tuple[str, str]


@dataclass(slots=True)
class StoredState:
    """The decoded rows of a checkpoint.

    mark: as it was written. counted: contents of the sections, by name. enrolments: keys, in the order of
    ``rows``; rows: [n], in the newest layout. trails, unplaced: of the enrolments that have one. others:
    kind, name and content of all other rows, in their order.
    """

    mark: dict[str, Any]
    large: LargeRows
    sections: Sections = field(default_factory=Sections)
    counted: dict[str, Any] = field(default_factory=dict)
    enrolments: list[Enrolment] = field(default_factory=list)
    rows: NDArray[Any] = field(default_factory=lambda: np.zeros(0, ROW))
    trails: dict[Enrolment, Trail] = field(default_factory=dict)
    unplaced: dict[Enrolment, bytes] = field(default_factory=dict)
    others: list[tuple[bytes, str, Any]] = field(default_factory=list)

    @property
    def is_current(self) -> bool:
        """Whether the rows were written in the newest layout."""
        return bool(self.mark["version"] == VERSION)


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
    if mark["version"] not in READABLE or mark["features"] != FINGERPRINT:
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
        else:
            stored.others.append((kind, name, orjson.loads(value)))
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


def _lost_rows(what: str) -> str:
    return (
        f"the state topic has lost rows: {what}; was its cleanup.policy other than compact? Restore it, or, "
        "to go on with what the events topic still holds, delete it and run `homeroom topics create`"
    )


def _read_sections(stored: StoredState, rows: dict[bytes, bytes]) -> None:
    """Move the sections from the rows to ``stored``; version 5 had their contents in the mark."""
    if stored.is_current:
        stored.sections = Sections(stored.mark["sections"])
        stored.counted = stored.sections.pop_contents(rows)
    else:
        stored.counted = stored.mark


def _read_enrolments(stored: StoredState, enrolments: list[tuple[str, bytes]]) -> None:
    """Decode rows of enrolments, (name in the key, value) each, into the newest layout."""
    layout = READABLE[stored.mark["version"]]
    for name, value in enrolments:
        if len(value) != layout.itemsize:
            raise StateMismatchError(
                f"the row of {name[:60]!r} has {len(value)} bytes; expected {layout.itemsize}"
            )
        stored.enrolments.append(parse_enrolment_name(name))
    read = np.frombuffer(b"".join(value for _, value in enrolments), layout)
    stored.rows = np.zeros(len(read), ROW)
    for name in layout.names or ():
        stored.rows[name] = read[name]
    if "scored" not in (layout.names or ()):
        coursework.order_scores(stored.rows)
