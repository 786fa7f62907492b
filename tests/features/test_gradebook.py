"""The work of a partition: calendars that change in the middle of a run, growth, and reused slots."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.coursework import CELL, Run, empty_cells, record_grade, record_hand_in, unknown_run
from features.gradebook import Gradebook
from features.unplaced import MAX_NAMES, MAX_WORKS, WORK, UnplacedWork

START = 19_000
BOTH = np.arange(2)


def run(*assessments: str, start: int = START) -> Run:
    due = START + 10 * (np.arange(len(assessments)) + 1)
    return Run("c/r", "c", start, START + 60, due, np.full(len(due), 0.2), assessments)


def submit(book: Gradebook, slot: int, of: Run, work: str, day: int, score: int | None) -> None:
    order = book.next_order(0, of, slot)
    cell = book.cell(0, of, slot, work)
    if cell is not None:
        record_hand_in(cell, day)
        if score is not None:
            record_grade(cell, day, score, order)


def scores(book: Gradebook, of: Run, slot: int = 0) -> list[int]:
    last: list[int] = book.cells(0, np.array([slot]), len(of.assessments))["last"][0].tolist()
    return last


def test_who_handed_nothing_in_has_empty_cells_and_no_bytes() -> None:
    book = Gradebook()
    submit(book, 1, run("a"), "a", START, 100)
    assert book.cells(0, BOTH, 1)[0].tobytes() == empty_cells(1).tobytes()
    assert book.dump(0, 0) == b""
    assert len(book.dump(0, 1)) == CELL.itemsize


def test_a_new_calendar_keeps_work_with_its_name() -> None:
    book, old, new = Gradebook(), run("a", "b", "c"), run("c", "new", "a", start=START + 2)
    for work, score in (("a", 100), ("b", 120), ("c", 140)):
        submit(book, 0, old, work, START + 5, score)
    book.move_to_calendar(0, BOTH, old, new)
    assert scores(book, new) == [140, 255, 100]
    book.move_to_calendar(0, BOTH, new, run("a"))
    assert scores(book, run("a")) == [100]
    book.move_to_calendar(0, BOTH, run("a"), run("c", "b"))
    assert scores(book, run("c", "b")) == [140, 120]


Step = Run | tuple[int, str, int, int | None]
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
    st.none() | st.integers(0, 200),
)


def after(steps: Sequence[Step]) -> bytes:
    """Two enrolments' cells after calendars and hand-ins, in this order."""
    book, now = Gradebook(), unknown_run("c/r")
    for step in steps:
        if isinstance(step, Run):
            book.move_to_calendar(0, BOTH, now, step)
            now = step
        else:
            slot, name, day, score = step
            submit(book, slot, now, name, day, score)
    return book.cells(0, BOTH, len(now.assessments)).tobytes()


@settings(max_examples=150, deadline=None)
@given(st.lists(calendars | hand_ins, max_size=25), calendars)
def test_the_newest_calendar_decides_whatever_came_between(steps: Sequence[Step], newest: Run) -> None:
    """Empty and partial ones among them, and hand-ins before the first one."""
    alone: list[Step] = [newest, *(step for step in steps if not isinstance(step, Run))]
    assert after([*steps, newest]) == after(alone)


@settings(max_examples=50, deadline=None)
@given(st.lists(hand_ins, max_size=25))
def test_what_is_dumped_is_restored(steps: Sequence[tuple[int, str, int, int | None]]) -> None:
    book, back, of = Gradebook(), Gradebook(), run("a", "b", "c")
    for slot, name, day, score in steps:
        submit(book, slot, of, name, day, score)
    for slot in BOTH.tolist():
        if stored := book.dump(0, slot):
            back.restore(0, slot, np.frombuffer(stored, CELL))
        if (works := book.unplaced.dump(slot)) is not None:
            back.unplaced.restore(slot, np.frombuffer(works, WORK))
    back.unplaced.restore_names("c/r", book.unplaced.names("c/r") or [])
    longer = run(*WORKS)
    for each in (book, back):
        each.move_to_calendar(0, BOTH, of, longer)
    assert back.cells(0, BOTH, 8).tobytes() == book.cells(0, BOTH, 8).tobytes()


def test_a_table_grows_and_a_slot_that_is_used_again_has_nothing() -> None:
    book, of = Gradebook(), run("a", "b")
    for slot in range(100):
        submit(book, slot, of, "ab"[slot % 2], START, slot)
    assert [scores(book, of, slot)[slot % 2] for slot in range(100)] == list(range(100))
    book.forget(0, 7)
    assert scores(book, of, 7) == [255, 255]
    submit(book, 200, of, "a", START, 3)
    assert scores(book, of, 200) == [3, 255]
    book.forget_run(0, "c/r")
    assert scores(book, of, 8) == [255, 255]


def test_what_is_kept_aside_is_bounded() -> None:
    aside = UnplacedWork()
    for number in range(2_000):
        cell = aside.cell(number % 3, "c/r", f"w{number}")
        if cell is not None:
            record_hand_in(cell, START + number)
    assert max(len(aside.dump(slot) or b"") for slot in range(3)) == MAX_WORKS * WORK.itemsize
    assert len(aside.names("c/r") or []) == MAX_NAMES
