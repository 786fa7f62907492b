"""Layouts of enrolment rows in earlier versions, and their conversion to the newest layout.

Versions 5 and 6 had thirty-two cells of work in every row, with days from the run's start, only the newest
score, and one outcome, the first that was reported. Version 5 did not have the order of the scores either.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.state.row_layout import NEW_ROW, ROW
from features.coursework import NO_DAY, NO_SCORE, Cells, Run, cell_day, empty_cells
from features.unplaced import empty_works
from online_models.labels import OPEN, WITHDRAWN
from schemas.fields import DAY_S

_DEADLINES = 32
_NOT_SUBMITTED = -(2**15)
_WORK_FIELDS = [
    ("enrolled", "<i4"),
    ("submitted", "<i2", (_DEADLINES,)),  # from the run's start
    ("scores", "u1", (_DEADLINES,)),
    ("scored", "u1", (_DEADLINES,)),  # the order
    ("last_scored", "u1"),
    ("progress", "u1"),
]
_NEW_FIELDS = (
    "is_estimated",
    "exit_counted",
    "enrolled",
    "progress",
    "progress_at",
    "role",
    "role_at",
    "status",
    "status_at",
    "result",
    "result_at",
)


def _layout() -> np.dtype[Any]:
    names = list(ROW.names or ())
    first = names.index("enrolled")
    kept = [(name, ROW[name]) for name in names[first:] if name not in _NEW_FIELDS]
    return np.dtype([*((name, ROW[name]) for name in names[:first]), *_WORK_FIELDS, *kept])


ROW_6 = _layout()
ROW_5 = np.dtype([(name, ROW_6[name]) for name in ROW_6.names or () if name != "scored"])
LAYOUTS = {5: ROW_5, 6: ROW_6}
"""Layouts of the earlier versions that can be read."""

WORK_6 = np.dtype([("name", "<u2"), ("day", "<u2"), ("score", "u1"), ("order", "u1")])
"""A piece of work that is in no calendar, in both versions."""


def rows_of(stored_rows: NDArray[Any]) -> NDArray[Any]:
    """Convert rows of one of ``LAYOUTS`` to the newest layout, [n]."""
    rows = np.full(len(stored_rows), NEW_ROW, ROW)
    for name in stored_rows.dtype.names or ():
        if name in (ROW.names or ()):
            rows[name] = stored_rows[name]
    since = np.clip(stored_rows["outcome_day"].astype(np.int64) * DAY_S, 0, 2**32 - 1)
    rows["is_estimated"] = stored_rows["probability"] != 0  # 0 also stood for an exit that had been counted
    withdrawn = stored_rows["outcome"] == WITHDRAWN
    rows["status"] = np.where(withdrawn, WITHDRAWN, OPEN)
    rows["status_at"] = np.where(withdrawn, since, 0)
    rows["result"] = np.where(withdrawn, OPEN, stored_rows["outcome"])
    rows["result_at"] = np.where(withdrawn | (stored_rows["outcome"] == OPEN), 0, since)
    return rows


def cells_of(row: Any, run: Run) -> Cells | None:
    """The cells of an enrolment, [deadlines]; None without a hand-in. row: of one of ``LAYOUTS``."""
    count = len(run.assessments)
    handed_in = row["submitted"][:count] != _NOT_SUBMITTED
    if not handed_in.any():
        return None
    cells = empty_cells(count)
    for index in np.flatnonzero(handed_in).tolist():
        cells["day"][index] = cell_day(run.start + int(row["submitted"][index]))
        cells["attempt"][index] = 1
        score = int(row["scores"][index])
        if score != NO_SCORE:
            cells["last"][index], cells["graded_attempt"][index] = score, 1
            cells["order"][index] = (
                row["scored"][index] if "scored" in row.dtype.names else 1 + (row["last_scored"] == index)
            )
    return cells


def works_of(stored: bytes) -> NDArray[Any]:
    """Convert work that is in no calendar; the result is structured by ``WORK``."""
    earlier = np.frombuffer(stored, WORK_6)
    works = empty_works(len(earlier))
    works["name"], works["day"] = earlier["name"], np.minimum(earlier["day"], NO_DAY - 1)
    works["last"], works["order"] = earlier["score"], earlier["order"]
    works["attempt"], works["graded_attempt"] = 1, earlier["score"] != NO_SCORE
    return works
