"""Counting is commutative and saturates; what leaves the ring is kept as sums."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import coursework, ring
from features.catalogue import HALF_LIVES
from features.ring import NEVER, RING, Rows

DTYPE = np.dtype([*ring.FIELDS])
Event = tuple[int, int, int, int, int]
"""Slot, time, kind, clicks, seconds."""

events = st.tuples(
    st.integers(0, 2),
    st.integers(0, RING * 86_400 - 1),
    st.integers(0, ring.KINDS - 1),
    st.one_of(st.integers(1, 5), st.integers(100, 100_000)),
    st.one_of(st.just(0), st.integers(1, 86_400)),
)


def fresh(count: int = 3) -> Rows:
    rows = np.zeros(count, DTYPE)
    ring.clear(rows, np.arange(count))
    return rows


def counted(rows: Rows, activities: list[Event]) -> None:
    if activities:
        slots, times, *rest = (np.array(column, np.int64) for column in zip(*activities, strict=True))
        ring.count_activities(rows, slots, times // 86_400, times % 86_400 // 3600, *rest)


@settings(max_examples=60, deadline=None)
@given(activities=st.lists(events, max_size=30), seed=st.integers(0, 2**32), size=st.integers(1, 30))
def test_any_order_and_any_batches_leave_the_same_bytes(
    activities: list[Event], seed: int, size: int
) -> None:
    together = fresh()
    counted(together, activities)
    shuffled = random.Random(seed).sample(activities, len(activities))
    apart = fresh()
    for start in range(0, len(shuffled), size):
        counted(apart, shuffled[start : start + size])
    assert apart.tobytes() == together.tobytes()


def test_cells_are_held_at_their_largest() -> None:
    rows = fresh(1)
    for _ in range(300):
        counted(rows, [(0, 5, 2, 100_000, 86_400)])
    assert rows["clicks"][0].sum() == rows["clicks"][0, 0, 2] == 255
    assert rows["seconds"][0, 0] == 65_535


MONDAY = 19_723
"""1 January 2024."""


def habit(rows: Rows, day: int) -> dict[int, int]:
    """The hours of the week with any activity, and in how many days."""
    (counts,) = ring.habits(rows["hours"], day)
    return {int(hour): int(counts[hour]) for hour in np.flatnonzero(counts)}


def test_a_habit_is_by_hour_of_the_week_from_monday() -> None:
    rows = fresh(1)
    time = MONDAY * 86_400 + 3600
    counted(rows, [(0, time, 0, 1, 0), (0, time + 60, 1, 9, 0)])
    assert habit(rows, MONDAY) == {}  # that day has not closed
    assert habit(rows, MONDAY + 1) == {1: 1}
    counted(rows, [(0, time + 8 * 86_400 + 22 * 3600, 0, 1, 0)])
    assert habit(rows, MONDAY + 9) == {1: 1, 47: 1}
    counted(rows, [(0, time + 7 * 86_400, 0, 1, 0)])
    assert habit(rows, MONDAY + 9) == {1: 2, 47: 1}


def test_a_habit_is_of_the_last_four_weeks() -> None:
    rows = fresh(1)
    for week in range(6):
        for day in range(MONDAY + 7 * week, MONDAY + 7 * week + 7):
            ring.open_day(rows, np.array([0]), day)
        counted(rows, [(0, (MONDAY + 7 * week) * 86_400, 0, 1, 0)])
    assert habit(rows, MONDAY + 36) == {0: 4}


def test_days_before_1970_have_their_place_too() -> None:
    rows = fresh(1)
    counted(rows, [(0, -1, 0, 7, 0)])
    assert rows["clicks"][0, RING - 1, 0] == 7
    assert ring.last_active(rows, np.array([0]), 0).tolist() == [-1]


@settings(max_examples=40, deadline=None)
@given(active=st.dictionaries(st.integers(0, 119), st.integers(1, 400), max_size=60))
def test_what_leaves_the_ring_is_kept_as_sums(active: dict[int, int]) -> None:
    """120 days, one enrolment; the naive sums are over the days that have left: all but the last 28."""
    rows, slot, end = fresh(1), np.array([0]), 120
    for day in range(end):
        if day in active:
            counted(rows, [(0, day * 86_400, 0, active[day], 0)])
        ring.open_day(rows, slot, day + 1)
    held = {day: min(clicks, 255) for day, clicks in active.items()}
    left = {day: clicks for day, clicks in held.items() if day < end - ring.CLOSED_DAYS}
    assert rows["old_clicks"][0] == sum(left.values())
    assert rows["old_days"][0] == len(left)
    assert rows["old_first"][0] == min(left, default=NEVER)
    assert rows["old_last"][0] == max(left, default=NEVER)
    assert rows["clicks"][0].sum() == sum(held.values()) - sum(left.values())
    oldest = end - ring.CLOSED_DAYS - 1
    for column, half_life in enumerate(HALF_LIVES):
        decay = 0.5 ** (1 / half_life)
        expected = sum((1 - decay) * decay ** (oldest - day) for day in left)
        assert rows["old_ewma"][0, column] == pytest.approx(expected, abs=1e-6)
    assert ring.last_active(rows, slot, end).tolist() == [max(active, default=NEVER)]


def test_turning_touches_only_who_is_in_use_and_says_who_changed() -> None:
    rows = fresh(3)
    counted(rows, [(0, 0, 0, 1, 60), (1, 0, 0, 1, 60)])
    other = rows[1].tobytes()
    assert ring.open_day(rows, np.array([0, 2]), ring.CLOSED_DAYS + 1).tolist() == [0]
    assert rows[1].tobytes() == other
    assert rows["seconds"][0].sum() == rows["clicks"][0].sum() == 0
    assert ring.open_day(rows, np.array([0, 2]), ring.CLOSED_DAYS + 2).tolist() == [0], "its average fades"


def test_clearing_forgets_everything() -> None:
    rows = fresh(2)
    empty = rows[0].tobytes()
    counted(rows, [(0, 86_400, 1, 9, 9), (1, 0, 0, 1, 0)])
    ring.open_day(rows, np.array([0, 1]), 31)
    ring.clear(rows, np.array([0]))
    assert rows[0].tobytes() == empty
    assert rows[1].tobytes() != empty


def test_the_columns_are_as_small_as_they_say() -> None:
    assert DTYPE.itemsize == 510
    assert np.dtype([*coursework.FIELDS]).itemsize == 9
