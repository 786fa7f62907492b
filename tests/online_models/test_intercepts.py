"""A running run's level, from withdrawals and those foretold."""

from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from online_models.intercepts import (
    MAX_SHIFT,
    MILLION,
    PRIOR_WITHDRAWALS,
    SHIFT_WEIGHT,
    Counts,
    RunIntercepts,
    check_counts,
    exit_millionths,
)
from online_models.labels import EXIT_DAYS

RUN, OTHER = "course-a/2026-02", "course-b/2026-02"


def counts(exits: float = 0.0, withdrawn: int = 0, left: int = 0, by_withdrawal: int = 0) -> Counts:
    """exits: those foretold to leave on the day."""
    return np.array([round(exits * EXIT_DAYS * MILLION), withdrawn, left, by_withdrawal])


def with_past(course: str = "course-a", left: int = 10_000, by_withdrawal: int = 10_000) -> RunIntercepts:
    return RunIntercepts(courses={course: np.array([left, by_withdrawal])})


def test_as_many_as_foretold_change_nothing_and_more_or_fewer_move_the_level() -> None:
    for withdrawn, expected in ((90, 0.0), (190, SHIFT_WEIGHT * log(2)), (40, -SHIFT_WEIGHT * log(2))):
        intercepts = with_past()
        intercepts.update({RUN: counts(90, withdrawn)}, [RUN])
        assert intercepts.shifts() == {RUN: pytest.approx(expected, abs=0.002)}
    assert PRIOR_WITHDRAWALS == 10, "the figures above count on it"


def test_only_the_share_that_withdraws_is_expected_to() -> None:
    """Where three of ten who leave withdraw, 30 of 100 foretold are what was to be expected."""
    intercepts = with_past(by_withdrawal=3000)
    intercepts.update({RUN: counts(100, 30)}, [RUN])
    assert intercepts.shifts()[RUN] == pytest.approx(0.0, abs=0.002)


def test_where_nobody_ever_withdraws_the_lack_of_withdrawals_says_nothing() -> None:
    intercepts = with_past(left=400, by_withdrawal=0)
    intercepts.update({RUN: counts(500, 1)}, [RUN])
    assert intercepts.shifts() == {RUN: pytest.approx(SHIFT_WEIGHT * log(11 / 10), abs=1e-6)}


def test_a_course_without_a_past_is_taken_for_like_the_others() -> None:
    intercepts = with_past("course-b", by_withdrawal=5000)
    assert intercepts.share("course-b") == pytest.approx(0.5, abs=0.01)
    assert intercepts.share("course-a") == pytest.approx(0.5, abs=0.01)
    intercepts.update({RUN: counts(left=200, by_withdrawal=20)}, [])
    assert intercepts.share("course-a") == pytest.approx(0.18, abs=0.01), (
        "its own leavers count for more by now"
    )
    assert RunIntercepts().share("course-a") == 0.0


def test_a_run_that_is_over_is_forgotten_and_what_its_course_taught_is_kept() -> None:
    intercepts = RunIntercepts()
    intercepts.update({RUN: counts(50, 100), OTHER: counts(50, 10)}, [RUN, OTHER])
    intercepts.update({RUN: counts(left=60, by_withdrawal=40)}, [OTHER])
    assert list(intercepts.shifts()) == [OTHER]
    assert intercepts.courses["course-a"].tolist() == [60, 40]


def test_withdrawals_alone_without_anything_foretold_shift_nothing() -> None:
    intercepts = with_past()
    intercepts.update({RUN: counts(0, 3)}, [RUN])
    assert intercepts.shifts() == {}


@pytest.mark.parametrize("every", [1, 7, 30])
def test_withdrawals_told_a_month_at_a_time_move_a_level_no_more_than_those_told_daily(every: int) -> None:
    """A registry that has said nothing for weeks may know of many: until its next word nothing is missing."""
    intercepts = with_past()
    for day in range(1, 91):
        intercepts.update({RUN: counts(2, 0 if day % every else 2 * every)}, [RUN])
        assert abs(intercepts.shifts().get(RUN, 0.0)) < 0.02, f"day {day}"


def test_a_registry_that_falls_silent_leaves_a_level_where_it_was() -> None:
    intercepts = with_past()
    intercepts.update({RUN: counts(30, 60)}, [RUN])
    before = intercepts.shifts()
    for _ in range(60):
        intercepts.update({RUN: counts(2)}, [RUN])
    assert intercepts.shifts() == before
    intercepts.update({RUN: counts(0, 60)}, [RUN])
    assert intercepts.shifts()[RUN] < before[RUN], "with its next word all of these days count"


@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 500)), min_size=1, max_size=20))
def test_a_shift_is_bounded_and_the_days_and_partitions_add_up(days: list[tuple[float, int]]) -> None:
    daily, at_once = with_past(), with_past()
    for exits, withdrawn in days:
        daily.update({RUN: counts(exits, withdrawn)}, [RUN])
    at_once.update({RUN: sum((counts(*day) for day in days), counts())}, [RUN])
    if days[-1][1] or not any(withdrawn for _, withdrawn in days):
        assert daily.shifts() == at_once.shifts()
    assert all(abs(shift) <= MAX_SHIFT for shift in daily.shifts().values())


@given(st.lists(st.floats(0, 1).map(lambda one: round(one, 6)), max_size=50))
def test_what_is_foretold_does_not_depend_on_who_sums_it(exits: list[float]) -> None:
    cut = len(exits) // 3
    parts = exit_millionths(np.array(exits[:cut])) + exit_millionths(np.array(exits[cut:]))
    assert parts == exit_millionths(np.array(exits[::-1]))
    assert parts == pytest.approx(sum(exits) * MILLION, abs=1)


@pytest.mark.parametrize("strange", [np.zeros(3, np.int64), np.zeros(4, np.int32), np.array([0, -1, 0, 0])])
def test_counts_of_another_shape_are_refused(strange: np.ndarray) -> None:
    with pytest.raises(ValueError, match="leaving"):
        check_counts(strange)
