"""Hand-ins: the first day, the newest score, and calendars that change in the middle of a run."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import coursework
from features.coursework import NOT_SUBMITTED, Run
from features.ring import NEVER, Ints, Rows
from features.unplaced import MAX_NAMES, MAX_WORKS, NO_SCORE, WORK, HandIn, UnplacedWork

START = 19_000


def run(*assessments: str, start: int = START) -> Run:
    due = START + 10 * (np.arange(len(assessments)) + 1)
    return Run("c/r", "c", start, START + 60, due, np.full(len(due), 0.2), assessments)


class Coursework:
    """The functions, with what is kept aside."""

    def __init__(self) -> None:
        self.aside = UnplacedWork()

    def submit(self, rows: Rows, slot: int, of: Run, work: str, day: int, score: float | None) -> None:
        coursework.record_hand_in(rows, slot, of, work, day, score, self.aside)

    def move_to_calendar(self, rows: Rows, slots: Ints, old: Run, new: Run) -> None:
        coursework.move_to_calendar(rows, slots, old, new, self.aside)


@pytest.fixture
def work() -> Coursework:
    return Coursework()


@pytest.fixture
def rows() -> Rows:
    empty = np.zeros(2, np.dtype([*coursework.FIELDS]))
    coursework.clear(empty, np.arange(2))
    return empty


def cells(rows: Rows, count: int) -> list[tuple[int | None, int | None]]:
    """Day since the start and score of the first enrolment's deadlines."""
    days, scores = rows["submitted"][0, :count].tolist(), rows["scores"][0, :count].tolist()
    return [
        (None if day == NOT_SUBMITTED else day, None if score == NO_SCORE else score)
        for day, score in zip(days, scores, strict=True)
    ]


def test_a_new_enrolment_has_nothing(rows: Rows) -> None:
    assert cells(rows, 32) == [(None, None)] * 32
    assert (rows["enrolled"] == NEVER).all()
    assert (rows["last_scored"] == NO_SCORE).all()


def test_the_first_day_is_kept_and_the_newest_score_taken(rows: Rows, work: Coursework) -> None:
    work.submit(rows, 0, run("a", "b"), "b", START + 3, 0.5)
    work.submit(rows, 0, run("a", "b"), "b", START + 9, 0.755)
    work.submit(rows, 0, run("a", "b"), "b", START + 11, None)
    assert cells(rows, 2) == [(None, None), (3, 151)]
    assert rows["last_scored"][0] == 1
    assert rows["last_scored"][1] == NO_SCORE


def test_the_score_may_come_later_than_the_work(rows: Rows, work: Coursework) -> None:
    work.submit(rows, 0, run("a", "b"), "a", START - 2, None)
    work.submit(rows, 0, run("a", "b"), "b", START + 1, 1.0)
    work.submit(rows, 0, run("a", "b"), "a", START + 2, 0.0)
    assert cells(rows, 2) == [(-2, 0), (1, 200)]
    assert rows["last_scored"][0] == 0, "a score of nothing is a score"


def test_work_that_the_calendar_does_not_name_has_no_cell(rows: Rows, work: Coursework) -> None:
    before = rows.tobytes()
    work.submit(rows, 0, run("a"), "z", START, 0.5)
    work.submit(rows, 0, coursework.unknown_run("c/r"), "a", START, 0.5)
    assert rows.tobytes() == before


@pytest.mark.parametrize(("day", "held"), [(START + 10**6, 30_000), (START - 10**6, -30_000)])
def test_absurd_days_are_held(rows: Rows, work: Coursework, day: int, held: int) -> None:
    work.submit(rows, 0, run("a"), "a", day, None)
    assert cells(rows, 1) == [(held, None)]


def test_a_new_calendar_keeps_what_was_handed_in_with_its_work(rows: Rows, work: Coursework) -> None:
    old, new = run("a", "b", "c"), run("c", "new", "a", start=START + 2)
    work.submit(rows, 0, old, "a", START + 5, 0.5)
    work.submit(rows, 0, old, "b", START + 6, 0.6)
    work.submit(rows, 0, old, "c", START + 7, 0.7)
    work.move_to_calendar(rows, np.array([0]), old, new)
    assert cells(rows, 4) == [(5, 140), (None, None), (3, 100), (None, None)]
    assert rows["last_scored"][0] == 0
    work.move_to_calendar(rows, np.array([0]), new, run("a"))
    assert cells(rows, 2) == [(5, 100), (None, None)]
    assert rows["last_scored"][0] == 0, "of what the calendar names it was scored last"
    work.move_to_calendar(rows, np.array([0]), run("a"), run("c", "b"))
    assert cells(rows, 2) == [(7, 140), (6, 120)]
    assert rows["last_scored"][0] == 0


def test_the_first_calendar_has_nothing_to_keep(rows: Rows, work: Coursework) -> None:
    before = rows.tobytes()
    work.move_to_calendar(rows, np.arange(2), coursework.unknown_run("c/r"), run("a"))
    assert rows.tobytes() == before


Step = Run | tuple[int, str, int, float | None]
"""A calendar; or a hand-in: of whom, what, when, its score."""

WORKS = tuple("abcdefgh")
calendars = st.builds(
    lambda works, moved: run(*works, start=START + moved),
    st.lists(st.sampled_from(WORKS), unique=True, max_size=6),
    st.integers(-400, 400),
)
hand_ins = st.tuples(
    st.sampled_from([0, 1]),
    st.sampled_from(WORKS),
    st.integers(START - 9, START + 70),
    st.none() | st.integers(0, 200).map(lambda steps: steps / 200),
)


def after(steps: Sequence[Step]) -> bytes:
    """Two enrolments' columns after calendars and hand-ins, in this order."""
    rows, work, now = np.zeros(2, np.dtype([*coursework.FIELDS])), Coursework(), coursework.unknown_run("c/r")
    coursework.clear(rows, np.arange(2))
    for step in steps:
        if isinstance(step, Run):
            work.move_to_calendar(rows, np.arange(2), now, step)
            now = step
        else:
            slot, name, day, score = step
            work.submit(rows, slot, now, name, day, score)
    return rows.tobytes()


@settings(max_examples=150, deadline=None)
@given(st.lists(calendars | hand_ins, max_size=25), calendars)
def test_the_newest_calendar_decides_whatever_came_between(steps: Sequence[Step], newest: Run) -> None:
    """Empty and partial ones among them, and hand-ins before the first one."""
    alone: list[Step] = [newest, *(step for step in steps if not isinstance(step, Run))]
    assert after([*steps, newest]) == after(alone)


def test_more_scores_than_an_order_can_count_keep_their_order(rows: Rows, work: Coursework) -> None:
    for turn in range(300):
        work.submit(rows, 0, run("a", "b"), "abz"[turn % 3], START + 1, (turn % 200) / 200)
    work.move_to_calendar(rows, np.array([0]), run("a", "b"), run("a", "z", "b"))
    assert rows["last_scored"][0] == 1
    first, third, second = rows["scored"][0, :3].tolist()
    assert first < second < third, "a, b, z was their last turn"


def test_what_is_kept_aside_is_bounded() -> None:
    aside = UnplacedWork()
    for number in range(2_000):
        aside.put(number % 3, "c/r", f"w{number}", HandIn(START + number, 0, 0))
    assert max(len(aside.dump(slot) or b"") for slot in range(3)) == MAX_WORKS * WORK.itemsize
    assert len(aside.names("c/r") or []) == MAX_NAMES
