"""Rows of enrolments as earlier releases wrote them, and how they become rows of today.

Versions 5 and 6 had thirty-two cells of work in every row, with days from the run's start, the newest score
alone, and one outcome, the first that was heard. Version 5 did not keep the order of the scores either.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.state.row_layout import NEW_ROW, ROW
from features.coursework import NO_DAY, NO_SCORE, Cells, Run, day_number, empty_cells
from features.unplaced import WORK
from online_models.labels import OPEN, WITHDRAWN
from schemas.fields import DAY_S

_DEADLINES = 32
_NOT_SUBMITTED = -(2**15)
_WORK = [
    ("enrolled", "<i4"),
    ("submitted", "<i2", (_DEADLINES,)),  # from the run's start
    ("scores", "u1", (_DEADLINES,)),
    ("scored", "u1", (_DEADLINES,)),  # the order
    ("last_scored", "u1"),
    ("progress", "u1"),
]
_NEW = (
    "enrolled",
    "progress",
    "progress_at",
    "role",
    "role_at",
    "standing",
    "standing_at",
    "result",
    "result_at",
)


def _layout() -> np.dtype[Any]:
    names = list(ROW.names or ())
    first = names.index("enrolled")
    kept = [(name, ROW[name]) for name in names[first:] if name not in _NEW]
    return np.dtype([*((name, ROW[name]) for name in names[:first]), *_WORK, *kept])


ROW_6 = _layout()
ROW_5 = np.dtype([(name, ROW_6[name]) for name in ROW_6.names or () if name != "scored"])
LAYOUTS = {5: ROW_5, 6: ROW_6}
"""By version."""

WORK_6 = np.dtype([("name", "<u2"), ("day", "<u2"), ("score", "u1"), ("order", "u1")])
"""A piece of work that no calendar names, in both."""


def rows_of(read: NDArray[Any]) -> NDArray[Any]:
    """Rows of today's layout, [n]. read: of one of ``LAYOUTS``."""
    rows = np.full(len(read), NEW_ROW, ROW)
    for name in read.dtype.names or ():
        if name in (ROW.names or ()):
            rows[name] = read[name]
    at = np.clip(read["outcome_day"].astype(np.int64) * DAY_S, 0, 2**32 - 1)
    withdrawn = read["outcome"] == WITHDRAWN
    rows["standing"] = np.where(withdrawn, WITHDRAWN, OPEN)
    rows["standing_at"] = np.where(withdrawn, at, 0)
    rows["result"] = np.where(withdrawn, OPEN, read["outcome"])
    rows["result_at"] = np.where(withdrawn | (read["outcome"] == OPEN), 0, at)
    return rows


def cells_of(row: Any, run: Run) -> Cells | None:
    """The cells of an enrolment, [deadlines]; None where it handed nothing in. row: of one of ``LAYOUTS``."""
    count = len(run.assessments)
    handed_in = row["submitted"][:count] != _NOT_SUBMITTED
    if not handed_in.any():
        return None
    cells = empty_cells(count)
    for place in np.flatnonzero(handed_in).tolist():
        cells["day"][place] = day_number(run.start + int(row["submitted"][place]))
        cells["attempt"][place] = 1
        score = int(row["scores"][place])
        if score != NO_SCORE:
            cells["last"][place], cells["graded_attempt"][place] = score, 1
            cells["order"][place] = (
                row["scored"][place] if "scored" in row.dtype.names else 1 + (row["last_scored"] == place)
            )
    return cells


def works_of(stored: bytes) -> NDArray[Any]:
    """Work that no calendar names, structured by ``WORK``."""
    read = np.frombuffer(stored, WORK_6)
    works, empty = np.zeros(len(read), WORK), empty_cells(len(read))
    for name in empty.dtype.names or ():
        works[name] = empty[name]
    scored = read["score"] != NO_SCORE
    works["name"], works["day"], works["attempt"] = read["name"], np.minimum(read["day"], NO_DAY - 1), 1
    works["last"], works["order"], works["graded_attempt"] = read["score"], read["order"], scored
    return works
