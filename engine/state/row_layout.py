"""The row of an enrolment: its fields, its versions, and the values in it that stand for "none".

An enrolment is one element of a structured array. Its bytes are what the state topic keeps, so there
is nothing to convert and one definition of what is stored.
"""

from typing import Any

import numpy as np

from features import coursework, ring
from features.catalogue import FEATURES
from features.ring import NEVER
from online_models import memory
from online_models.labels import RESERVOIR_SIZE

F = len(FEATURES)
VERSION = 6

ROW = np.dtype(
    [
        *ring.FIELDS,
        *coursework.FIELDS,
        ("seen", "<i4"),  # first day of any activity
        ("hash", "<u8"),  # staggers and samples; from the pseudonym
        ("outcome", "u1"),
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
        ("snap_day", "<i4", (RESERVOIR_SIZE,)),  # pending training snapshots; NEVER where none
        ("snap_probability", "<f4", (RESERVOIR_SIZE,)),
        ("snap_served", "u1", (RESERVOIR_SIZE,)),
        ("snap_codes", "u1", (RESERVOIR_SIZE, F)),
        ("snap_ranks", "u1", (RESERVOIR_SIZE, F)),
    ]
)
"""One enrolment. Packed, little-endian; its layout is guarded by ``VERSION`` and the fingerprint."""

ROW_5 = np.dtype([(name, ROW[name]) for name in ROW.names or () if name != "scored"])
"""The layout of version 5, which did not keep the order of the scores but for the last one."""

READABLE = {5: ROW_5, VERSION: ROW}
"""The layouts that can be read, by version."""

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
    row["memory"] = memory.NO_MEMORY
    return row[0]


NEW_ROW = new_row()
