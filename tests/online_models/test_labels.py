"""When a label is certain, when a snapshot is due, and which of them wait."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from online_models.labels import (
    CENSORED,
    FAILED,
    LOST,
    NO_END,
    NO_EXIT,
    OPEN,
    PASSED,
    PENDING,
    RESERVOIR_SIZE,
    RETAINED,
    SILENCE_HORIZON,
    SILENT_BEFORE_END,
    WITHDRAWN,
    example_weight,
    exit_days,
    is_due,
    label_statuses,
    outcome_of,
    reservoir_slots,
)
from schemas.enrolment import Completed

END = 1000


def verdict(outcome: int, day: int, last_active: int = END - 1, end: int = END) -> int:
    status = label_statuses(np.array([outcome], np.uint8), np.array([end]), np.array([last_active]), day)
    assert status.dtype == np.int8
    return int(status[0])


@pytest.mark.parametrize("outcome", [OPEN, WITHDRAWN, FAILED, PASSED])
def test_nothing_is_certain_for_learning_before_the_run_has_ended(outcome: int) -> None:
    assert verdict(outcome, END - 1) == PENDING
    assert verdict(outcome, END + 10_000, end=NO_END) == PENDING


@pytest.mark.parametrize(("outcome", "expected"), [(WITHDRAWN, LOST), (FAILED, LOST), (PASSED, RETAINED)])
def test_from_the_end_on_the_outcome_decides(outcome: int, expected: int) -> None:
    assert verdict(outcome, END) == expected
    assert verdict(outcome, END + 500, last_active=0) == expected


def test_where_no_result_comes_the_silence_horizon_decides() -> None:
    long_silent, hardly_silent = END - SILENT_BEFORE_END - 1, END - SILENT_BEFORE_END
    assert verdict(OPEN, END + SILENCE_HORIZON - 1, long_silent) == PENDING
    assert verdict(OPEN, END + SILENCE_HORIZON, long_silent) == LOST
    assert verdict(OPEN, END + SILENCE_HORIZON, hardly_silent) == CENSORED
    assert verdict(OPEN, END + SILENCE_HORIZON, -(2**31)) == LOST


@pytest.mark.parametrize(
    ("outcome", "last_active", "left"),
    [
        (WITHDRAWN, END - 200, END - 90),  # said so, whenever the last click was
        (FAILED, END - SILENT_BEFORE_END - 1, END - SILENT_BEFORE_END),  # the day after it
        (FAILED, END - SILENT_BEFORE_END, NO_EXIT),  # was there to the end
        (OPEN, END - 100, END - 99),  # lost by the silence horizon
    ],
)
def test_the_day_of_exit(outcome: int, last_active: int, left: int) -> None:
    days = (np.array([day]) for day in (END - 90, END, last_active))
    assert exit_days(np.array([outcome], np.uint8), *days).tolist() == [left]


@pytest.mark.parametrize(("result", "outcome"), [("pass", PASSED), ("distinction", PASSED), ("fail", FAILED)])
def test_a_final_result_is_an_outcome(result: str, outcome: int) -> None:
    event: Completed = {"result": result}  # type: ignore[typeddict-item]
    assert outcome_of(event) == outcome


@settings(deadline=None)
@given(st.integers(-100, 20_000), st.integers(0, 2**64 - 1))
def test_a_snapshot_is_due_on_the_same_weekday_of_each_week(start: int, hash_: int) -> None:
    hashes = np.array([hash_], np.uint64)
    due = [day for day in range(start - 20, start + 100) if is_due(hashes, day, start, start + 70)[0]]
    assert len(due) == 10
    assert set(np.diff(due)) == {7}
    assert start <= due[0] < due[-1] < start + 70


def test_the_days_of_a_week_share_the_snapshots() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, 7000, dtype=np.uint64)
    counts = [is_due(hashes, day, 0, 100).sum() for day in range(7)]
    assert sum(counts) == 7000
    assert min(counts) > 850


def final_slots(hashes: NDArray[np.uint64], weeks: int) -> NDArray[np.int64]:
    """Which week is in each slot at the end, [n, RESERVOIR_SIZE]."""
    slots_held = np.full((len(hashes), RESERVOIR_SIZE), -1)
    for week in range(weeks):
        slots = reservoir_slots(np.full(len(hashes), week), hashes)
        taken = slots >= 0
        slots_held[np.flatnonzero(taken), slots[taken]] = week
    return slots_held


def test_those_that_wait_are_a_uniform_sample_of_all() -> None:
    hashes = np.random.default_rng(1).integers(0, 2**64, 20_000, dtype=np.uint64)
    slots_held = final_slots(hashes, 33)
    counts = np.bincount(slots_held.ravel(), minlength=33)
    assert slots_held.min() == 0
    assert counts / len(hashes) == pytest.approx(RESERVOIR_SIZE / 33, abs=0.015)
    assert (np.diff(np.sort(slots_held, axis=1), axis=1) > 0).all()


def test_fewer_than_the_slots_are_all_kept() -> None:
    slots_held = final_slots(np.arange(5, dtype=np.uint64), RESERVOIR_SIZE)
    assert (slots_held == np.arange(RESERVOIR_SIZE)).all()


def test_a_slot_depends_on_the_enrolment_alone() -> None:
    hashes = np.random.default_rng(2).integers(0, 2**64, 1000, dtype=np.uint64)
    seen = np.arange(1000) % 40
    together = reservoir_slots(seen, hashes)
    apart = np.concatenate([reservoir_slots(seen[n : n + 1], hashes[n : n + 1]) for n in range(1000)])
    np.testing.assert_array_equal(together, apart)


def test_the_sample_weighs_as_much_as_what_it_stands_for() -> None:
    assert [example_weight(seen) for seen in (1, RESERVOIR_SIZE, 2 * RESERVOIR_SIZE, 33)] == [
        1.0,
        1.0,
        2.0,
        33 / RESERVOIR_SIZE,
    ]
