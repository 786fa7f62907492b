"""The row of an enrolment: its fields, its versions, and the values in it that stand for "none".

An enrolment is one element of a structured array. Its bytes are what the state topic keeps, so there
is nothing to convert and one definition of what is stored. Behind them come the cells of its work
(:mod:`features.coursework`), of which there are as many as its run has deadlines.
"""

from typing import Any

import numpy as np

from features import coursework, ring
from features.catalogue import FEATURES
from features.ring import NEVER
from online_models import memory
from online_models.labels import KEPT

F = len(FEATURES)
VERSION = 7

ROW = np.dtype(
    [
        *ring.FIELDS,
        *coursework.FIELDS,
        ("seen", "<i4"),  # first day of any activity
        ("hash", "<u8"),  # staggers and samples; from the pseudonym
        ("role", "u1"),  # the newest one named, by ``roles.ROLES``; and when: epoch seconds
        ("role_at", "<u4"),
        ("standing", "u1"),  # OPEN or WITHDRAWN, and since when: epoch seconds, 0 where nobody said
        ("standing_at", "<u4"),
        ("result", "u1"),  # OPEN, FAILED or PASSED, and since when
        ("result_at", "<u4"),
        ("outcome", "u1"),  # what follows from the two (:func:`online_models.labels.outcome_of`)
        ("outcome_day", "<i4"),
        ("probability", "<f4"),  # the newest estimate
        ("memory", "<f4", (memory.ESTIMATES,)),  # mean log-odds of the days so far
        ("level", "u1"),
        ("candidate", "u1"),
        ("streak", "u1"),
        ("told", "<f4"),  # the estimate of the last risk change, and what it rested on
        ("told_memory", "<f4"),  # what the memory had made of its log-odds
        ("told_shift", "<f4"),  # what the run's intercept had added to them
        ("told_codes", "u1", (F,)),
        ("told_ranks", "u1", (F,)),
        ("written", "<f4"),  # the estimate last written to the store, and when
        ("written_day", "<i4"),
        ("taken", "u1"),  # snapshots offered to the reservoir so far
        ("snap_day", "<i4", (KEPT,)),  # pending training snapshots; NEVER where none
        ("snap_probability", "<f4", (KEPT,)),
        ("snap_served", "u1", (KEPT,)),
        ("snap_codes", "u1", (KEPT, F)),
        ("snap_ranks", "u1", (KEPT, F)),
    ]
)
"""One enrolment. Packed, little-endian; its layout is guarded by ``VERSION`` and the fingerprint."""

NOT_ESTIMATED = 0.0
"""``probability`` of an enrolment that no model has estimated yet."""

EXIT_COUNTED = 0.0
"""``probability`` of an enrolment that has left and was counted as such, which happens once. It is the value
of ``NOT_ESTIMATED``: who has left is not estimated again."""


def new_row() -> Any:
    """The row of an enrolment of which nothing is known yet, a scalar of ``ROW``."""
    row, place = np.zeros(1, ROW), np.zeros(1, np.int64)
    ring.clear(row, place)
    coursework.clear(row, place)
    for name in ("seen", "outcome_day", "written_day", "snap_day"):
        row[name] = NEVER
    row["memory"] = memory.NOTHING
    return row[0]


NEW_ROW = new_row()
