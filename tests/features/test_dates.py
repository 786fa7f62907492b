"""Whose dates count: one learner's before a section's, and that before everybody's."""

import dataclasses

import numpy as np
import pytest

from features.coursework import Run
from features.dates import EXCUSED, NO_DATE, dates_of, own_starts
from features.ring import NEVER

START = 19_000
RUN = Run("c/r", "c", START, START + 60, START + np.array([10, 20]), np.full(2, 0.5), ("a", "b"))
OTHERS = dataclasses.replace(
    RUN,
    other_dates={
        ("section", "evening"): {"a": START + 12, "b": START + 22},
        ("learner", "l1"): {"a": START + 15},
    },
)
NOBODY = np.full(3, NEVER, np.int64)


def test_where_nobody_has_dates_of_their_own_there_is_one_column() -> None:
    dates = dates_of(RUN, NOBODY)
    assert dates.due.tolist() == [[START + 10], [START + 20]]
    assert dates.required.all()
    assert dates.select(np.array([1])) is dates


def test_the_most_personal_date_counts() -> None:
    dates = dates_of(
        OTHERS,
        NOBODY,
        learners=["l0", "l1", "l2"],
        sections=["evening", "evening", ""],
        personal=[{"b": START + 30}, {}, {}],
    )
    assert (dates.due - START).tolist() == [[12, 15, 10], [30, 22, 20]]
    assert (dates.select(np.array([2, 1])).due - START).tolist() == [[10, 15], [20, 22]]


def test_who_is_excused_owes_nothing() -> None:
    dates = dates_of(RUN, NOBODY, personal=[{}, {"a": EXCUSED}, {"a": NO_DATE}])
    assert dates.required.tolist() == [[True, False, True], [True] * 3]
    assert dates.due[0].tolist() == [START + 10, NO_DATE, NO_DATE]


@pytest.mark.parametrize(("enrolled", "required"), [(9, True), (10, False), (30, False)])
def test_what_was_due_before_the_registration_is_not_required(enrolled: int, required: bool) -> None:
    dates = dates_of(RUN, np.array([NEVER, START + enrolled]))
    assert bool(dates.required[0, -1]) is required
    assert dates.required[0, 0], "nobody said when the first one came"


def test_a_date_of_ones_own_after_the_registration_is_required() -> None:
    dates = dates_of(RUN, np.array([START + 12]), personal=[{"a": START + 14}])
    assert dates.required.tolist() == [[True], [True]]


def test_work_that_only_a_section_has_is_due_for_nobody_else() -> None:
    run = dataclasses.replace(
        RUN, due=np.array([NO_DATE, START + 20]), other_dates={("section", "s"): {"a": START + 5}}
    )
    dates = dates_of(run, NOBODY, sections=["s", "", "t"])
    assert dates.due[0].tolist() == [START + 5, NO_DATE, NO_DATE]


OWN_CLOCKS = dataclasses.replace(
    RUN,
    due=np.array([8, START + 20]),
    is_relative=np.array([True, False]),
    other_dates={("section", "dated"): {"a": START + 50}},
    other_relative={("section", "evening"): {"a": 15}, ("learner", "l1"): {"a": 3, "b": 31}},
)


def test_a_deadline_may_count_from_each_learners_own_start() -> None:
    enrolled, first_active = (
        np.array([START - 9, START + 5, NEVER, NEVER]),
        np.array([NEVER, START, START + 7, NEVER]),
    )
    starts = own_starts(OWN_CLOCKS, enrolled, first_active)
    assert starts.tolist() == [START, START + 5, START + 7, NEVER]
    dates = dates_of(OWN_CLOCKS, enrolled, starts=starts)
    assert dates.due[0].tolist() == [START + 8, START + 13, START + 15, NO_DATE]
    assert dates.due[1].tolist() == [START + 20] * 4
    assert dates.required.all()
    assert dates.select(np.array([1])).due[:, 0].tolist() == [START + 13, START + 20]


def test_sections_learners_and_extensions_come_first_there_too() -> None:
    dates = dates_of(
        OWN_CLOCKS,
        np.full(5, START + 5),
        learners=["l0", "l1", "l2", "l3", "l4"],
        sections=["evening", "evening", "dated", "", ""],
        personal=[{}, {}, {}, {"a": START + 40}, {"a": EXCUSED}],
    )
    assert (dates.due[0] - START).tolist() == [20, 8, 50, 40, NO_DATE - START]
    assert (dates.due[1] - START).tolist() == [20, 36, 20, 20, 20]
    assert dates.required[0].tolist() == [True, True, True, True, False]


def test_a_deadline_that_falls_into_a_pause_waits_for_as_long_as_it_lay_in_it() -> None:
    pauses = [
        [],
        [(START + 8, START + 15)],
        [(START + 10, NO_DATE)],
        [(START + 9, START + 20), (START + 20, START + 24)],
    ]
    dates = dates_of(RUN, np.full(4, NEVER, np.int64), pauses=pauses)
    assert dates.due[0].tolist() == [START + 10, START + 17, START + 10, START + 25]
    assert dates.due[1].tolist() == [START + 20, START + 20, NO_DATE, START + 31]
    assert dates.required.all()
