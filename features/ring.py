"""The activity of an enrolment by day and kind: a ring of day buckets in event time, and older totals.

Counting is commutative: any order of the same events, in any batches, leaves the same bytes. That is
what makes a replay equal the live run. So every cell saturates instead of wrapping, and facts whose order
matters are not stored here.

The ring has ``RING`` days: the 28 closed days of the features' windows, and the days that are open because of
the allowed lateness. A day that leaves the ring is added to totals that never expire.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalogue import HALF_LIVES, WINDOWS
from schemas.activity import ACTIVITY_KINDS

Rows = NDArray[Any]
"""A structured array of enrolments; ``FIELDS`` are some of its columns."""

Ints = NDArray[np.int64]

CLOSED_DAYS = max(WINDOWS)
OPEN_DAYS = 4
"""Most open days: today, and the allowed lateness of at most three days."""

RING = CLOSED_DAYS + OPEN_DAYS
KINDS = len(ACTIVITY_KINDS)
HOURS = 7 * 24
NEVER = -(2**31)
"""The epoch day of what has not happened."""

FIELDS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("clicks", "u1", (RING, KINDS)),  # a day's clicks of a kind, at most 255
    ("seconds", "<u2", (RING,)),  # a day's time spent, at most 18 hours
    ("hours", "u1", (RING, 3)),  # a bit for each hour of a day with any activity
    ("old_days", "<u2", ()),  # active days that left the ring
    ("old_clicks", "<u4", ()),  # clicks that left the ring
    ("old_first", "<i4", ()),  # first and last active day that left the ring
    ("old_last", "<i4", ()),
    ("old_ewma", "<f4", (len(HALF_LIVES),)),  # their weighted share, as of the ring's oldest day
)
"""Name, type and shape of each column; 510 bytes per enrolment."""

DECAYS = tuple(0.5 ** (1 / half_life) for half_life in HALF_LIVES)


def clear(rows: Rows, slots: Ints) -> None:
    """Reset enrolments: no activity yet."""
    for name, _, _ in FIELDS:
        rows[name][slots] = 0
    rows["old_first"][slots] = NEVER
    rows["old_last"][slots] = NEVER


def count_activities(
    rows: Rows, slots: Ints, days: Ints, hours: Ints, kinds: Ints, clicks: Ints, seconds: Ints
) -> None:
    """Add activities to their day, kind and hour.

    All arguments have shape [events]. days: epoch days, which the caller ensures are within the ring; hours:
    of the day.
    """
    bucket = days % RING
    _add(rows["clicks"], (slots, bucket, kinds), clicks)
    _mark(rows["hours"], slots, bucket, hours)
    timed = np.flatnonzero(seconds)
    if len(timed):
        _add(rows["seconds"], (slots[timed], bucket[timed]), seconds[timed])


def _add(column: NDArray[Any], index: tuple[Ints, ...], amounts: Ints) -> None:
    """Saturating ``column[index] += amounts``; repeated indices are counted as often as they occur."""
    flat = np.ravel_multi_index(index, column.shape)
    unique, inverse = np.unique(flat, return_inverse=True)
    totals = np.bincount(inverse, weights=amounts).astype(np.int64)
    cells = np.unravel_index(unique, column.shape)
    column[cells] = np.minimum(column[cells] + totals, np.iinfo(column.dtype).max)


def _mark(column: NDArray[Any], slots: Ints, bucket: Ints, hour: Ints) -> None:
    """Set the bits of hours; one bit at a time, so that indices may repeat."""
    for bit in range(8):
        events = np.flatnonzero(hour % 8 == bit)
        column[slots[events], bucket[events], hour[events] // 8] |= np.uint8(1 << bit)


def open_day(rows: Rows, slots: Ints, today: int) -> Ints:
    """Open day ``today``: add the day that is now too old for any window to the totals, and free its bucket.

    rows: [capacity]. slots: those in use. The freed bucket is for the newest day that may be open. Returns
    the slots whose bytes may have changed; enrolments that were never active are not among them.
    """
    expired = today - CLOSED_DAYS - 1
    bucket = expired % RING
    clicks = rows["clicks"][slots, bucket].sum(axis=1, dtype=np.uint32)
    active = clicks > 0
    changed = active | (rows["seconds"][slots, bucket] > 0) | (rows["old_ewma"][slots] > 0).any(axis=1)
    rows["old_ewma"][slots] = _fold(rows["old_ewma"][slots], active)
    expired_slots = slots[active]
    if len(expired_slots):
        rows["old_days"][expired_slots] += np.uint16(1)
        rows["old_clicks"][expired_slots] += clicks[active]
        rows["old_last"][expired_slots] = expired
        first = rows["old_first"][expired_slots]
        rows["old_first"][expired_slots] = np.where(first == NEVER, expired, first)
        rows["clicks"][expired_slots, bucket] = 0
        rows["hours"][expired_slots, bucket] = 0
    rows["seconds"][slots, bucket] = 0
    changed_slots: Ints = slots[changed]
    return changed_slots


def last_active(rows: Rows, slots: Ints, day: int) -> Ints:
    """The last day before ``day`` with any activity, ``NEVER`` where there was none, [slots]."""
    return last_active_before(rows, slots, day, day)


def last_active_before(rows: Rows, slots: Ints, before: int, day: int) -> Ints:
    """The same of an earlier day, as known at the start of ``day``; earlier by less than ``CLOSED_DAYS``."""
    closed = [past % RING for past in range(before - 1, day - CLOSED_DAYS - 1, -1)]
    clicks: Any = rows["clicks"][slots][:, closed]
    active = clicks.any(axis=2)
    back: Ints = active.argmax(axis=1)
    last: Ints = np.where(active.any(axis=1), before - 1 - back, rows["old_last"][slots]).astype(np.int64)
    return last


def habits(hours: NDArray[np.uint8], day: int) -> NDArray[np.uint8]:
    """In how many of the closed days before ``day`` each hour of the week (from Monday) was active.

    hours: uint8 [n, RING, 3], the column of some enrolments. Returns uint8 [n, 168], 0 to 4 each.
    """
    counts = np.zeros((len(hours), HOURS), np.uint8)
    for past in range(day - CLOSED_DAYS, day):
        first = (past + 3) % 7 * 24  # the day 0 was a Thursday
        counts[:, first : first + 24] += np.unpackbits(hours[:, past % RING], axis=1, bitorder="little")
    return counts


def usual_hours(hours: NDArray[np.uint8], day: int) -> NDArray[np.int32]:
    """``habits`` of all enrolments together: hours uint8 [n, RING, 3] → int32 [168]."""
    bits = np.unpackbits(hours, axis=2, bitorder="little").sum(axis=0, dtype=np.int32)  # [RING, 24]
    counts = np.zeros((7, 24), np.int32)
    for past in range(day - CLOSED_DAYS, day):
        counts[(past + 3) % 7] += bits[past % RING]
    return counts.ravel()


def _fold(older: NDArray[np.float32], active: NDArray[np.bool_]) -> NDArray[np.float32]:
    """One step of the weighted share, column by column so that no shape changes the rounding."""
    folded = np.empty_like(older)
    for column, decay in enumerate(DECAYS):
        folded[:, column] = older[:, column] * np.float32(decay) + active * np.float32(1 - decay)
    return folded
