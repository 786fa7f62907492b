"""One partition's state: what is stored is what there was."""

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.state.earlier_layouts import LAYOUTS, WORK_6
from engine.state.errors import StateIncompleteError, StateMismatchError
from engine.state.partition_state import PartitionState
from engine.state.row_keys import MARK
from engine.state.row_layout import ROW
from engine.state.run_calendar import run_from_calendar
from features.coursework import CELL, FIRST_DAY, NO_DAY, OPEN_END, record_grade, record_hand_in
from features.event_days import event_days
from features.ring import NEVER
from features.unplaced import WORK
from online_models.labels import OPEN, PASSED, RESERVOIR_SIZE, WITHDRAWN
from online_models.recommender import Trail
from online_models.trainer import Trainer
from tests.streams.pipeline import IDENTITY, REPLAY, START, activity, batch_of, record

DAY_S = 86_400


def checkpoint(state: PartitionState, rows: dict[bytes, bytes]) -> None:
    """Apply a checkpoint to the rows stored so far; the mark must come last."""
    changed = list(state.checkpoint(1))
    assert changed[-1][0] == MARK
    for key, value in changed:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value


def restored(rows: dict[bytes, bytes]) -> PartitionState:
    return PartitionState.restore(IDENTITY, rows.items())


def same(first_state: PartitionState, second_state: PartitionState) -> None:
    """Whether two states hold the same, in whatever places."""
    assert first_state.slots.keys() == second_state.slots.keys()
    for key in first_state.slots:
        first, second = first_state.slots[key], second_state.slots[key]
        assert first_state.rows[first].tobytes() == second_state.rows[second].tobytes(), key
        assert first_state.pseudonyms[first] == second_state.pseudonyms[second]
        assert (
            first_state.runs[first_state.run_of[first]].name
            == second_state.runs[second_state.run_of[second]].name
        )
        assert trail(first_state, first) == trail(second_state, second), key
        assert work(first_state, first) == work(second_state, second), key
        assert first_state.attributes.get(first) == second_state.attributes.get(second), key
    assert first_state.clock == second_state.clock
    assert first_state.facts == second_state.facts
    assert first_state.learners == second_state.learners
    assert first_state.exposures == second_state.exposures
    assert first_state.calendars == second_state.calendars
    assert first_state.hourly_counters == second_state.hourly_counters
    assert first_state.others == second_state.others
    assert (first_state.ids.today, first_state.ids.before) == (
        second_state.ids.today,
        second_state.ids.before,
    )


def work(state: PartitionState, slot: int) -> tuple[bytes, bytes | None]:
    return state.gradebook.snapshot(int(state.run_of[slot]), slot)


def submit(state: PartitionState, slot: int, name: str, day: int, score: int | None) -> None:
    """Hand in a piece of work; score in half percents."""
    index = int(state.run_of[slot])
    order = state.gradebook.next_order(index, state.runs[index], slot)
    cell = state.gradebook.cell(index, state.runs[index], slot, name)
    record_hand_in(cell, day)
    if score is not None:
        record_grade(cell, day, score, order)
    state.mark_changed(np.array([slot]))


def trail(state: PartitionState, slot: int) -> Trail:
    ((_, trail_),) = state.trails.export([slot])
    return trail_


def touched(state: PartitionState, learner: str, run: str, probability: float = 0.5) -> int:
    slot = state.slot(learner, run)
    state.rows["probability"][slot], state.rows["is_estimated"][slot] = probability, 1
    state.mark_changed(np.array([slot]))
    return slot


def calendar(run: str = "c/r") -> dict[str, Any]:
    return {
        "type": "calendar",
        "event_id": "k",
        "course": "c",
        "course_run": run,
        "time": 5,
        "starts_at": START * DAY_S,
        "ends_at": (START + 28) * DAY_S,
        "deadlines": [
            {"assessment": "late", "due_at": (START + 20) * DAY_S + 1, "weight": 0.6},
            {"assessment": "soon", "due_at": (START + 7) * DAY_S, "weight": 0.4},
        ],
    }


def test_a_row_is_small() -> None:
    assert ROW.itemsize <= 1536


def test_everything_comes_back() -> None:
    state = PartitionState(IDENTITY, capacity=2)
    for number in range(9):
        touched(state, f"l{number}", f"c/{number % 2}", number / 10)
    state.set_calendar(calendar("c/1"))
    state.set_exposures(("l1", "c/r"), [["decision", 7, 0.9, True, [1, 0]]])
    state.set_exposures(("l2", "c/r"), [["decision"]])
    state.set_exposures(("l2", "c/r"), [])
    state.set_learner("l1", {"timezone": "Europe/Berlin", "opted_out": ["email"]})
    state.add_fact({"event_id": "f", "time": 7, "type": "withdrawn"})
    submit(state, state.slots["l3", "c/1"], "essay", START, 100)
    submit(state, state.slots["l3", "c/1"], "soon", START + 1, None)
    state.set_attributes(state.slots["l5", "c/1"], {"section": "evening", "dates": {"soon": [START, 9]}})
    state.others[("c/1", "staff", START)] = 3
    assert state.ids.add_if_new("a")
    state.ids.close_day(0)
    assert state.ids.add_if_new("b")
    state.hourly_counters[("c/1", "quiz", 3, 4)] = [1, 2, 3]
    state.clock.today, state.clock.newest, state.clock.applied = START, 77, {"homeroom.events": 12}
    state.clock.events, state.clock.duplicates, state.clock.dead_letters = 1, 2, 3
    rows: dict[bytes, bytes] = {}
    checkpoint(state, rows)
    back = restored(rows)
    same(state, back)
    run = back.runs[back.run_index["c/1"]]
    assert (run.start, run.end, run.due.tolist()) == (START, START + 28, [START + 7, START + 21])
    assert (run.assessments, run.weights.tolist()) == (("soon", "late"), [0.4, 0.6])
    ((index, cell),) = back.gradebook.unplaced.pop_named(back.slots["l3", "c/1"], "c/1", ["other", "essay"])
    assert (index, int(cell["last"]), int(cell["day"])) == (1, 100, START - FIRST_DAY)


def test_nothing_stored_is_a_new_state() -> None:
    assert restored({}).clock.today is None


def test_only_what_changed_is_written() -> None:
    state = PartitionState(IDENTITY)
    touched(state, "a", "c/r")
    touched(state, "b", "c/r")
    rows: dict[bytes, bytes] = {}
    checkpoint(state, rows)
    touched(state, "b", "c/r", 0.9)
    again = [key for key, _ in state.checkpoint(1)]
    assert len(again) == 2
    assert b"b" in again[0]
    assert [key for key, _ in state.checkpoint(1)] == [MARK]


def test_an_id_is_known_until_the_second_day_closes() -> None:
    state = PartitionState(IDENTITY)
    rows: dict[bytes, bytes] = {}
    assert state.ids.add_if_new("a")
    checkpoint(state, rows)
    for _ in range(2):
        assert not state.ids.add_if_new("a")
        assert not restored(rows).ids.add_if_new("a")
        state.ids.close_day(0)
        checkpoint(state, rows)
    assert restored(rows).ids.add_if_new("a")
    assert state.ids.add_if_new("a")


def test_taken_facts_are_deleted() -> None:
    state = PartitionState(IDENTITY)
    rows: dict[bytes, bytes] = {}
    for name, time in (("late", 9), ("b", 3), ("a", 3)):
        state.add_fact({"event_id": name, "time": time})
    checkpoint(state, rows)
    assert [fact["event_id"] for fact in state.pop_facts_before(9)] == ["a", "b"]
    checkpoint(state, rows)
    assert restored(rows).facts.keys() == {"late"}


def test_a_place_let_go_is_used_again_and_clean() -> None:
    state = PartitionState(IDENTITY)
    slot = touched(state, "a", "c/old")
    submit(state, slot, "essay", START, 100)
    state.set_attributes(slot, {"section": "s"})
    rows: dict[bytes, bytes] = {}
    checkpoint(state, rows)
    state.drop(np.array([slot]))
    assert len(state.used_slots()) == 0
    assert touched(state, "b", "c/new", 0.0) == slot
    assert state.rows["first_active"][slot] == NEVER
    assert work(state, slot) == (b"", None)
    assert slot not in state.attributes
    checkpoint(state, rows)
    same(state, restored(rows))
    assert state.slots.keys() == {("b", "c/new")}


def test_who_comes_back_after_being_let_go_is_stored() -> None:
    state = PartitionState(IDENTITY)
    rows: dict[bytes, bytes] = {}
    slot = touched(state, "a", "c/r")
    checkpoint(state, rows)
    state.drop(np.array([slot]))
    touched(state, "a", "c/r", 0.7)
    checkpoint(state, rows)
    same(state, restored(rows))
    assert state.slots.keys() == {("a", "c/r")}


def test_a_silent_row_that_aged_is_stored_as_it_is() -> None:
    """Who is not in force is not scored, but a day's end changes the row all the same."""
    processor = PartitionProcessor(0, REPLAY, PartitionState(IDENTITY))
    lines = [
        {"type": "calendar", "event_id": "k", "course": "c", "course_run": "c/r"}
        | {"occurred_at": "2024-01-01T00:00:00Z", "starts_at": "2024-06-01T00:00:00Z"}
        | {"ends_at": "2024-09-01T00:00:00Z", "deadlines": []},
        activity("a", "2024-01-02T00:00:00Z", duration_s=60),
    ]
    trainer = Trainer(1)
    processor.apply(batch_of([record(line) for line in lines]))
    _close_until(processor, trainer, 5)
    rows: dict[bytes, bytes] = {}
    checkpoint(processor.state, rows)
    _close_until(processor, trainer, 40)
    checkpoint(processor.state, rows)
    assert processor.state.rows["old_clicks"][0] == 1
    same(processor.state, restored(rows))


def _close_until(processor: PartitionProcessor, trainer: Trainer, days: int) -> None:
    """Close what is due up to a number of days after the start of 2024."""
    while True:
        processor.advance_clock(1_704_067_200 + days * DAY_S)
        if processor.due is None:
            return
        packages = [package for report in processor.close() for package in trainer.receive(report)]
        processor.advance(packages[0])


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(keys=st.sets(st.tuples(NAMES, NAMES), min_size=1, max_size=6))
def test_any_names_come_back(keys: set[tuple[str, str]]) -> None:
    state = PartitionState(IDENTITY, capacity=1)
    for learner, run in keys:
        touched(state, learner, run)
    rows: dict[bytes, bytes] = {}
    checkpoint(state, rows)
    same(state, restored(rows))


@pytest.mark.parametrize(("name", "value"), [("version", 0), ("features", "other")])
def test_rows_of_another_release_are_refused_in_words(name: str, value: object) -> None:
    state = PartitionState(IDENTITY)
    rows: dict[bytes, bytes] = {}
    checkpoint(state, rows)
    rows[MARK] = orjson.dumps(orjson.loads(rows[MARK]) | {name: value})
    with pytest.raises(StateMismatchError, match=f"{value}.*expected.*replay the events"):
        restored(rows)


def _earlier_row(version: int, value: bytes) -> bytes:
    """An enrolment's row with its cells as an earlier version wrote it."""
    row = np.zeros(1, LAYOUTS[version])
    now, cells = np.frombuffer(value[: ROW.itemsize], ROW), np.frombuffer(value[ROW.itemsize :], CELL)
    for name in set(row.dtype.names or ()) & set(ROW.names or ()):
        row[name] = now[name]
    row["submitted"], row["scores"], row["last_scored"] = -(2**15), 255, 255
    for index in np.flatnonzero(cells["day"] != NO_DAY).tolist():
        row["submitted"][0, index] = int(cells["day"][index]) + FIRST_DAY - START
        row["scores"][0, index] = cells["last"][index]
        if version == 6:
            row["scored"][0, index] = cells["order"][index]
    if cells["order"].any():
        row["last_scored"] = cells["order"].argmax()
    return row.tobytes()


def _earlier_works(value: bytes) -> bytes:
    now = np.frombuffer(value, WORK)
    works = np.zeros(len(now), WORK_6)
    for name, source in (("name", "name"), ("day", "day"), ("score", "last"), ("order", "order")):
        works[name] = now[source]
    return works.tobytes()


def as_version_6(rows: dict[bytes, bytes], version: int = 6) -> dict[bytes, bytes]:
    """Rows as an earlier release wrote them: work of fixed width within the row, nobody but learners."""
    mark = orjson.loads(rows[MARK]) | {"version": version}
    mark["sections"].pop("others", None)
    written = {}
    for key, value in rows.items():
        if key[:2] == b"e|":
            written[key] = _earlier_row(version, value)
        elif key[:2] == b"w|":
            written[key] = _earlier_works(value)
        elif key[:2] != b"a|" and key != b"s|others":
            written[key] = value
    return written | {MARK: orjson.dumps(mark)}


def as_version_5(rows: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Scores without an order, too; the mark held the sections and named the id rows."""
    written = as_version_6(rows, 5)
    mark = orjson.loads(written[MARK])
    older, newer, following = mark.pop("id_rows")
    for name in mark.pop("sections"):
        mark[name] = orjson.loads(written.pop(b"s|" + name.encode()))
    mark["chunk"] = following
    mark["id_chunks"] = [
        [f"i|{number}" for number in range(*ends)] for ends in ((older, newer), (newer, following))
    ]
    return written | {MARK: orjson.dumps(mark)}


def with_work() -> PartitionState:
    """Learners with and without hand-ins, some that the calendar does not name."""
    state = PartitionState(IDENTITY)
    state.set_calendar(calendar("c/r"))
    for number in range(3):
        slot = touched(state, f"l{number}", "c/r")
        for day, name in enumerate(("late", "soon", "essay")[: number + 1]):
            submit(state, slot, name, START + day, 100 + day)
    touched(state, "nobody", "c/r")
    return state


def test_rows_of_version_6_are_read_and_written_anew() -> None:
    state, rows = with_work(), dict[bytes, bytes]()
    checkpoint(state, rows)
    before = as_version_6(rows)
    back = restored(before)
    same(state, back)
    anew: dict[bytes, bytes] = {}
    checkpoint(back, anew)
    lengths = {len(value) - ROW.itemsize for key, value in anew.items() if key[:2] == b"e|"}
    assert lengths == {0, 2 * CELL.itemsize}
    same(back, restored(before | anew))


def test_rows_of_version_5_tell_which_score_came_last_and_no_more() -> None:
    state, rows = with_work(), dict[bytes, bytes]()
    checkpoint(state, rows)
    back = restored(as_version_5(rows))
    cells = back.gradebook.cells(0, np.array([back.slots[f"l{number}", "c/r"] for number in range(3)]), 2)
    assert cells["order"].tolist() == [[0, 2], [2, 1], [2, 1]]
    assert cells["last"].tolist() == [[255, 100], [101, 100], [101, 100]]


@pytest.mark.parametrize(
    ("outcome", "status", "result"),
    [(OPEN, OPEN, OPEN), (WITHDRAWN, WITHDRAWN, OPEN), (PASSED, OPEN, PASSED)],
)
def test_the_one_outcome_of_version_6_becomes_a_status_and_a_result(
    outcome: int, status: int, result: int
) -> None:
    state, rows = PartitionState(IDENTITY), dict[bytes, bytes]()
    slot = touched(state, "a", "c/r")
    state.rows["outcome"][slot], state.rows["outcome_day"][slot] = outcome, START
    checkpoint(state, rows)
    row = restored(as_version_6(rows)).rows[0]
    assert (row["outcome"], row["status"], row["result"]) == (outcome, status, result)
    since = 0 if outcome == OPEN else START * DAY_S
    assert max(row["status_at"], row["result_at"]) == since


def test_cells_of_another_calendar_are_refused_in_words() -> None:
    state, rows = with_work(), dict[bytes, bytes]()
    checkpoint(state, rows)
    rows = {
        key: value + bytes(CELL.itemsize) if key[:2] == b"e|" and len(value) > ROW.itemsize else value
        for key, value in rows.items()
    }
    with pytest.raises(StateMismatchError, match="has 3 cells of work; expected 2"):
        restored(rows)


@pytest.mark.parametrize(
    ("dates", "start", "end"),
    [
        ({"ends_at": 253_402_300_800}, START, OPEN_END),
        ({"ends_at": None}, START, OPEN_END),
        ({"starts_at": -62_135_647_200}, 10_957, START + 28),
        ({"starts_at": 253_402_300_800}, 47_482, START + 28),
        ({"ends_at": 0}, START, 0),
    ],
)
def test_a_calendar_that_was_stored_before_dates_had_a_range_is_a_run(
    dates: dict[str, int | None], start: int, end: int
) -> None:
    run = run_from_calendar(calendar("c/r") | dates, event_days())
    assert (run.start, run.end) == (start, end)


def test_of_work_that_is_listed_twice_the_later_deadline_holds() -> None:
    twice = [{"assessment": "a", "due_at": (START + day) * DAY_S, "weight": 0.5} for day in (9, 3)]
    run = run_from_calendar(calendar("c/r") | {"deadlines": twice}, event_days())
    assert (run.assessments, run.due.tolist()) == (("a",), [START + 9])


def test_a_row_of_another_length_is_refused_in_words() -> None:
    state = PartitionState(IDENTITY)
    touched(state, "a", "c/r")
    rows: dict[bytes, bytes] = {}
    checkpoint(state, rows)
    rows = {key: value[:-1] if key.startswith(b"e|") else value for key, value in rows.items()}
    with pytest.raises(StateMismatchError, match=f"bytes; expected {ROW.itemsize}"):
        restored(rows)


def test_pseudonyms_are_keyed_and_tell_nothing() -> None:
    first, second = Identity(b"one"), Identity(b"other")
    assert first.learner("ann") == first.learner("ann")
    assert (
        len(
            {first.learner("ann"), second.learner("ann"), first.learner("bob"), first.enrolment("ann", "c/r")}
        )
        == 4
    )
    assert all(
        len(name) == 16 and int(name, 16) >= 0 for name in (first.learner("ann"), first.enrolment("a", "b"))
    )
    assert "one" not in repr(first)


def test_what_a_pending_example_takes_is_what_the_docs_say() -> None:
    pending = sum(ROW[name].itemsize for name in ROW.names or () if name.startswith("snap_"))
    text = Path("docs/evaluation.md").read_text()
    assert f"A snapshot that waits takes {pending // RESERVOIR_SIZE} bytes" in text
    assert f"{pending} of its {ROW.itemsize:,} bytes" in text
    for page in ("README.md", "docs/architecture.md"):
        assert f"{ROW.itemsize:,} bytes" in Path(page).read_text()


def test_rows_of_the_release_before_are_read_and_gone_on_with() -> None:
    state = PartitionState(IDENTITY)
    touched(state, "a", "c/r")
    state.hourly_counters[("c/r", "quiz", 3, 4)] = [1, 2, 3]
    state.source_counters.count_duplicate("moodle", "c/r", START * DAY_S)
    state.withdrawal_counts.count_exits("c/r", 3, 1)
    rows: dict[bytes, bytes] = {}
    for event_id in ("a", "b", "c"):
        assert state.ids.add_if_new(event_id)
        checkpoint(state, rows)
        if event_id == "b":
            state.ids.close_day(0)
    old = as_version_5(rows)
    back = restored(old)
    same(state, back)
    assert back.source_counters.as_json() == state.source_counters.as_json()
    assert back.withdrawal_counts.as_json() == state.withdrawal_counts.as_json()
    assert not any(back.ids.add_if_new(event_id) for event_id in ("a", "b", "c"))
    assert back.ids.add_if_new("d")
    checkpoint(back, old)
    same(back, restored(old))
    back.ids.close_day(0)
    back.ids.close_day(0)
    checkpoint(back, old)
    assert [key for key in old if key.startswith(b"i|")] == []


@pytest.mark.parametrize("lost", [b"s|tallies", b"s|counters"])
def test_rows_that_the_topic_has_lost_are_told(lost: bytes) -> None:
    state = PartitionState(IDENTITY)
    rows: dict[bytes, bytes] = {}
    checkpoint(state, rows)
    message = r"lost rows: the mark .*other \w+ than are there; .*`homeroom topics create`"
    with pytest.raises(StateIncompleteError, match=message):
        restored({key: value for key, value in rows.items() if key != lost})
    with pytest.raises(StateIncompleteError, match="lost rows"):
        restored(rows | {lost: b"[1]"})
