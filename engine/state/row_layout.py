"""The row of an enrolment: its fields, its versions, and its sentinel values.

An enrolment is one element of a structured array. Its bytes are stored in the state topic, so nothing is
converted, and there is one definition of what is stored. They are followed by the cells of its work
(:mod:`features.coursework`), as many as its run has deadlines.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features import coursework, ring
from features.catalogue import FEATURES
from features.ring import NEVER
from online_models import memory
from online_models.labels import RESERVOIR_SIZE

F = len(FEATURES)
VERSION = 7

ROW = np.dtype(
    [
        *ring.FIELDS,
        *coursework.FIELDS,
        ("first_active", "<i4"),  # first day of any activity
        ("hash", "<u8"),  # from the pseudonym; staggers and samples snapshots
        ("role", "u1"),  # the newest reported, by ``roles.ROLES``
        ("role_at", "<u4"),  # when it was reported, epoch seconds
        ("status", "u1"),  # OPEN or WITHDRAWN
        ("status_at", "<u4"),  # since when, epoch seconds, 0 if not reported
        ("result", "u1"),  # OPEN, FAILED or PASSED
        ("result_at", "<u4"),  # since when
        ("outcome", "u1"),  # derived from status and result (``enrolment_history``)
        ("outcome_day", "<i4"),
        ("probability", "<f4"),  # the newest estimate
        ("is_estimated", "u1"),  # whether there is one
        ("exit_counted", "u1"),  # whether the exit since the newest estimate has been counted
        ("memory", "<f4", (memory.ESTIMATES,)),  # mean log-odds of the days so far
        ("level", "u1"),
        ("candidate", "u1"),
        ("streak", "u1"),
        ("reported", "<f4"),  # the estimate of the last risk change, and its inputs
        ("reported_memory", "<f4"),  # contribution of the memory to its log-odds
        ("reported_shift", "<f4"),  # contribution of the run's intercept
        ("reported_codes", "u1", (F,)),
        ("reported_ranks", "u1", (F,)),
        ("written", "<f4"),  # the estimate last written to the store, and when
        ("written_day", "<i4"),
        ("offered", "u1"),  # snapshots offered to the reservoir so far
        ("snap_day", "<i4", (RESERVOIR_SIZE,)),  # pending training snapshots; NEVER where none
        ("snap_probability", "<f4", (RESERVOIR_SIZE,)),
        ("snap_served", "u1", (RESERVOIR_SIZE,)),
        ("snap_codes", "u1", (RESERVOIR_SIZE, F)),
        ("snap_ranks", "u1", (RESERVOIR_SIZE, F)),
    ]
)
"""One enrolment. Packed, little-endian; ``VERSION`` and the fingerprint identify the layout."""


def in_cohort(rows: NDArray[Any], slots: Any) -> Any:
    """Whether enrolments have an estimate and no counted exit since, bool, of the shape of ``slots``.

    An exit is counted once; who comes back is estimated anew. rows: of ``ROW``.
    """
    return (rows["is_estimated"][slots] > 0) & (rows["exit_counted"][slots] == 0)


def new_row() -> Any:
    """The row of a new enrolment, a scalar of ``ROW``."""
    row, slots = np.zeros(1, ROW), np.zeros(1, np.int64)
    ring.clear(row, slots)
    coursework.clear(row, slots)
    for name in ("first_active", "outcome_day", "written_day", "snap_day"):
        row[name] = NEVER
    row["memory"] = memory.NO_MEMORY
    return row[0]


NEW_ROW = new_row()
