"""What a cohort makes of its deadlines: counted in parts, measured as a whole."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import INDEX
from features.compute import features
from features.coursework import unknown_run
from features.yardsticks import COUNTED, MIN_EARLY_SPREAD, MIN_SPREAD, Counts, deadline_sums, make_yardstick
from tests.features.history import Click, HandIn, History
from tests.features.test_compute import FIRST, LAST, RUN, START, histories, many, rows_of, work_of

DAY = START + 30


def counted(cohort: list[History], day: int = DAY) -> Counts:
    rows, slots, work = rows_of(cohort, day), np.arange(len(cohort)), work_of(cohort, day)
    return deadline_sums(RUN, work.cells, work.dates, features(rows, slots, RUN, day, work=work), day)


def sums(counts: Counts) -> dict[str, list[int]]:
    return dict(zip(COUNTED, counts.tolist(), strict=True))


@many
@given(cohort=st.lists(histories, max_size=6), day=st.integers(START + 1, LAST), chosen=st.randoms())
def test_parts_of_a_cohort_add_up(cohort: list[History], day: int, chosen: random.Random) -> None:
    """Whatever partition somebody is in."""
    there = [chosen.random() < 0.5 for _ in cohort]
    parts = [
        [history for history, side_of in zip(cohort, there, strict=True) if side_of is side]
        for side in (True, False)
    ]
    assert (counted(cohort, day) == sum(counted(part, day) for part in parts)).all()


@many
@given(cohort=st.lists(histories, max_size=6), day=st.integers(START + 1, LAST))
def test_counts_are_those_of_a_slow_reading(cohort: list[History], day: int) -> None:
    for history in cohort:
        history.grades.clear()
    counts = sums(counted(cohort, day))
    for index, name in enumerate(RUN.assessments):
        first = [
            min((it.day for it in history.hand_ins if it.assessment == name and it.day < day), default=None)
            for history in cohort
        ]
        due = [history.dates.get(name, int(RUN.due[index])) for history in cohort]
        early = [
            0 if date is None else date - 1 - on
            for date, on in zip(due, first, strict=True)
            if on is not None
        ]
        assert counts["handed_in"][index] == len(early)
        assert counts["early"][index] == sum(early)
        assert counts["early_squares"][index] == sum(days * days for days in early)
        active = [
            on is None
            for history, date, on in zip(cohort, due, first, strict=True)
            if any(day - 7 <= click.day < day for click in history.clicks)
            and (on is not None or (date is not None and date > (history.enrolled or FIRST)))
        ]
        assert counts["active"][index] == len(active), "of whom it is required, or who handed it in"
        assert counts["active_missed"][index] == sum(active)


def test_a_miss_says_little_where_the_active_miss_it_too() -> None:
    there, gone = Click(DAY - 2, "content", 5, 60), Click(FIRST, "content", 5, 60)
    handed_in, left = HandIn(START + 8, "a", 150), HandIn(START + 22, "b", 150)
    active = [History([there], [handed_in]) for _ in range(60)] + [
        History([there], [handed_in, left]) for _ in range(40)
    ]
    silent = [History([gone]) for _ in range(40)]
    miss_weight = make_yardstick(RUN, counted(active + silent)).miss_weight
    assert miss_weight[0] > 0.9, "all who are active handed a in"
    assert miss_weight[1] < 0.25, "more than half of them left b out"
    assert miss_weight[2] == pytest.approx(0.0, abs=0.05), "c is not due: nobody has handed it in"
    one = [History([there], [handed_in])]
    rows, slots, work = rows_of(one, DAY), np.array([0]), work_of(one, DAY)
    measure = make_yardstick(RUN, counted(active))
    points = INDEX["points"]
    by_cohort = features(rows, slots, RUN, DAY, yardstick=measure, work=work)[points]
    assert (by_cohort > features(rows, slots, RUN, DAY, work=work)[points]).all()


def test_scores_and_days_are_held_against_the_cohort() -> None:
    easy = [History(hand_ins=[HandIn(START + 4, "a", 180), HandIn(START + 23, "b", 80)]) for _ in range(200)]
    yardstick = make_yardstick(RUN, counted(easy))
    assert yardstick.mean[:2] == pytest.approx([0.9, 0.4], abs=0.01)
    assert yardstick.spread[:2] == pytest.approx([MIN_SPREAD, 0.06], abs=0.02)
    assert yardstick.early[:2] == pytest.approx([5, 1], abs=0.15)
    assert (yardstick.early_spread[:2] >= MIN_EARLY_SPREAD).all()


def test_where_nobody_is_known_all_is_as_in_most_courses() -> None:
    nobody = make_yardstick(RUN)
    assert (nobody.miss_weight > 0.9).all()
    assert nobody.mean.tolist() == pytest.approx([0.7] * 3)
    other = np.zeros((len(COUNTED), 2), np.int64)
    assert (make_yardstick(RUN, other).miss_weight == nobody.miss_weight).all(), "counts of another calendar"
    assert make_yardstick(unknown_run("c/r")).miss_weight.shape == (0,)
    work = work_of([], DAY)
    assert deadline_sums(RUN, work.cells, work.dates, np.zeros((99, 0), np.uint8), 0).sum() == 0
