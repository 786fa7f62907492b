"""Sessions of a closed day, counted from the hours in which learners were active.

A session is a sequence of clock hours  with activity in each of them: a whole idle hour ends it. It
counts on the day on which it began, also if it goes on past midnight. The state has a bit for each hour of
each day, for the habits; so sessions cost nothing per event, and as bits are only set, neither order,
duplicates nor restarts change them.

Limits: a pause of less than an hour never ends a session; one of one to two hours may, depending on where the
hours begin. The platform's own ``session`` is ignored, since many platforms have none. In a simulated term of
600 learners this counts 15,107 sessions; the simulator has 16,108, a rule of 30 idle minutes gives 16,745.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.ring import RING, Ints, Rows

LAST_HOUR_BIT = 7
"""Highest bit of the last byte of a day: hour 23."""


def count_started(hours: NDArray[np.uint8], day: int) -> NDArray[np.uint8]:
    """How many sessions began on a day, [enrolments].

    hours: uint8 [enrolments, RING, 3], a bit for each hour of each day, the earliest hour lowest.
    """
    active = _word(hours[:, day % RING])
    before = active << np.uint32(1) | hours[:, (day - 1) % RING, 2] >> LAST_HOUR_BIT
    started: NDArray[np.uint8] = np.bitwise_count(active & ~before)
    return started


def session_totals(rows: Rows, slots: Ints, day: int) -> dict[str, Any]:
    """A closed day of some enrolments, by the columns of ``sessions_daily``."""
    hours = rows["hours"][slots]
    active = _word(hours[:, day % RING])
    return {
        "learners": int(np.count_nonzero(active)),
        "sessions": int(count_started(hours, day).sum(dtype=np.int64)),
        "hours": int(np.bitwise_count(active).sum(dtype=np.int64)),
        "seconds": int(rows["seconds"][slots, day % RING].sum(dtype=np.int64)),
    }


def _word(hours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """A day's 24 bits as one number, [enrolments]."""
    first, second, third = hours.astype(np.uint32).T
    word: NDArray[np.uint32] = first | second << np.uint32(8) | third << np.uint32(16)
    return word
