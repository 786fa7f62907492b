"""A cell of work: hand-ins, attempts, and the grade that counts."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.coursework import (
    CELL,
    FIELDS,
    NO_DAY,
    NO_SCORE,
    cell_day,
    clear,
    counted_scores,
    empty_cells,
    record_grade,
    record_hand_in,
)
from features.ring import NEVER
from schemas.enrolment import Attempts
from schemas.fields import course_of

START = 19_000


@pytest.fixture
def cells() -> Any:
    """One enrolment, one deadline; the first element is the cell."""
    return empty_cells(1)


def counted(cells: Any, rule: str = "best") -> int:
    return int(counted_scores(cells.reshape(1, 1), (rule,))[0, 0])


def test_a_new_enrolment_has_nothing(cells: Any) -> None:
    assert cells["day"][0] == NO_DAY
    assert counted(cells) == NO_SCORE
    rows = np.zeros(2, np.dtype([*FIELDS]))
    clear(rows, np.arange(2))
    assert rows["enrolled"].tolist() == [NEVER, NEVER]


def test_a_cell_takes_twelve_bytes() -> None:
    assert CELL.itemsize == 12


def test_the_first_day_is_kept(cells: Any) -> None:
    for day in (3, 9, 2):
        record_hand_in(cells[0], START + day)
    assert cells["day"][0] == cell_day(START + 2)
    assert cells["attempt"][0] == 3


@pytest.mark.parametrize(("rule", "score"), [("best", 180), ("last", 80), ("first", 120), ("mean", 127)])
def test_the_policy_decides_which_attempt_counts(cells: Any, rule: str, score: int) -> None:
    for order, steps in enumerate((120, 180, 80), start=1):
        record_hand_in(cells[0], START)
        record_grade(cells[0], START, steps, order)
    assert counted(cells, rule) == score
    assert rule in get_args(Attempts)


def test_a_second_grade_of_an_attempt_corrects_it(cells: Any) -> None:
    record_hand_in(cells[0], START)
    record_grade(cells[0], START + 5, 180, 1)
    record_grade(cells[0], START + 6, 90, 2)
    assert [counted(cells, rule) for rule in get_args(Attempts)] == [90] * 4
    assert cells["day"][0] == cell_day(START), "the day is that of the hand-in"


def test_a_grade_may_name_its_attempt(cells: Any) -> None:
    record_hand_in(cells[0], START)
    record_hand_in(cells[0], START + 1)
    record_grade(cells[0], START + 2, 60, 1, attempt=2)
    record_grade(cells[0], START + 3, 160, 2, attempt=1)
    assert [counted(cells, rule) for rule in ("best", "last", "first", "mean")] == [160, 60, 160, 110]


def test_a_zero_for_missing_work_leaves_it_missing(cells: Any) -> None:
    record_grade(cells[0], START, 0, 1)
    assert cells.tobytes() == empty_cells(1).tobytes()


def test_a_zero_for_work_that_was_handed_in_counts(cells: Any) -> None:
    record_hand_in(cells[0], START)
    record_grade(cells[0], START, 0, 1)
    assert counted(cells) == 0


def test_work_done_elsewhere_is_done(cells: Any) -> None:
    record_grade(cells[0], START, 150, 1)
    assert cells["day"][0] == cell_day(START)
    assert cells["attempt"][0] == 0, "nobody saw it handed in, so nobody knows how early"
    assert counted(cells) == 150


@pytest.mark.parametrize("day", [-(10**6), 0, 10**6])
def test_absurd_days_are_clamped(cells: Any, day: int) -> None:
    record_hand_in(cells[0], day)
    assert 0 <= cells["day"][0] < NO_DAY


@given(st.lists(st.integers(0, 200), min_size=1, max_size=300))
def test_any_number_of_attempts_is_counted(scores: list[int]) -> None:
    cells = empty_cells(1)
    for order, steps in enumerate(scores, start=1):
        record_hand_in(cells[0], START)
        record_grade(cells[0], START, steps, order)
    assert min(counted(cells, rule) for rule in get_args(Attempts)) >= 0
    assert counted(cells, "best") >= counted(cells, "mean")
    if len(scores) < 255:
        assert counted(cells, "best") == max(scores)
        assert counted(cells, "last") == scores[-1]
        assert counted(cells, "first") == scores[0]
        assert abs(counted(cells, "mean") - sum(scores) / len(scores)) <= 0.5


@pytest.mark.parametrize(
    ("run", "course"),
    [
        ("BBB/2014B", "BBB"),
        ("Org/C/R", "Org/C"),
        ("course-v1:Org+C+R", "course-v1:Org+C"),
        ("alone", "alone"),
        ("/x", "/x"),
    ],
)
def test_a_run_without_a_calendar_has_the_course_of_its_name(run: str, course: str) -> None:
    assert course_of(run) == course
