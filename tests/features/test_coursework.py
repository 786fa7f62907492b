"""Hand-ins: the first day, the newest score, and a calendar that changes in the middle of a run."""

import numpy as np
import pytest

from features import coursework
from features.coursework import NO_SCORE, NOT_SUBMITTED, Run, rearrange, submit
from features.ring import NEVER, Rows

START = 19_000


def run(*assessments: str, start: int = START) -> Run:
    due = START + 10 * (np.arange(len(assessments)) + 1)
    return Run("c/r", "c", start, START + 60, due, np.full(len(due), 0.2), assessments)


@pytest.fixture
def rows() -> Rows:
    found = np.zeros(2, np.dtype([*coursework.FIELDS]))
    coursework.clear(found, np.arange(2))
    return found


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


def test_the_first_day_is_kept_and_the_newest_score_taken(rows: Rows) -> None:
    submit(rows, 0, run("a", "b"), "b", START + 3, 0.5)
    submit(rows, 0, run("a", "b"), "b", START + 9, 0.755)
    submit(rows, 0, run("a", "b"), "b", START + 11, None)
    assert cells(rows, 2) == [(None, None), (3, 151)]
    assert rows["last_scored"][0] == 1
    assert rows["last_scored"][1] == NO_SCORE


def test_the_score_may_come_later_than_the_work(rows: Rows) -> None:
    submit(rows, 0, run("a", "b"), "a", START - 2, None)
    submit(rows, 0, run("a", "b"), "b", START + 1, 1.0)
    submit(rows, 0, run("a", "b"), "a", START + 2, 0.0)
    assert cells(rows, 2) == [(-2, 0), (1, 200)]
    assert rows["last_scored"][0] == 0, "a score of nothing is a score"


def test_work_that_the_calendar_does_not_name_has_no_cell(rows: Rows) -> None:
    before = rows.tobytes()
    submit(rows, 0, run("a"), "z", START, 0.5)
    submit(rows, 0, coursework.unknown_run("c/r"), "a", START, 0.5)
    assert rows.tobytes() == before


@pytest.mark.parametrize(("day", "held"), [(START + 10**6, 30_000), (START - 10**6, -30_000)])
def test_absurd_days_are_held(rows: Rows, day: int, held: int) -> None:
    submit(rows, 0, run("a"), "a", day, None)
    assert cells(rows, 1) == [(held, None)]


def test_a_new_calendar_keeps_what_was_handed_in_with_its_work(rows: Rows) -> None:
    old, new = run("a", "b", "c"), run("c", "new", "a", start=START + 2)
    submit(rows, 0, old, "a", START + 5, 0.5)
    submit(rows, 0, old, "b", START + 6, 0.6)
    submit(rows, 0, old, "c", START + 7, 0.7)
    rearrange(rows, np.array([0]), old, new)
    assert cells(rows, 4) == [(5, 140), (None, None), (3, 100), (None, None)]
    assert rows["last_scored"][0] == 0
    rearrange(rows, np.array([0]), new, run("a"))
    assert cells(rows, 2) == [(5, 100), (None, None)]
    assert rows["last_scored"][0] == NO_SCORE, "what was scored last is no longer in the calendar"


def test_the_first_calendar_has_nothing_to_keep(rows: Rows) -> None:
    before = rows.tobytes()
    rearrange(rows, np.arange(2), coursework.unknown_run("c/r"), run("a"))
    assert rows.tobytes() == before
