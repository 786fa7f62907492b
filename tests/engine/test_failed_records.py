"""A record that makes the processor raise, whatever the reason, is a dead letter; the partition goes on."""

from typing import Any

import numpy as np
import pytest

from engine import failed_records
from engine.batch import activities
from engine.batch import decoding as decode
from engine.batch.admission import BatchAdmission, Timing
from engine.day import cohorts, work_facts
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from features.coursework import NO_DAY
from schemas.topics import EVENTS, FEEDBACK
from tests.engine.test_processor import Bench, calendar, click, due, fact, instant, ticks
from tests.streams.pipeline import IDENTITY, batch_of, record

ANN = fact("enrolled", -1, learner="ann")


def bursts_on(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, wrong: Any) -> None:
    """Have a function raise where ``wrong`` is true of its arguments."""
    real = getattr(where, name)

    def defect(*args: Any, **more: Any) -> Any:
        if wrong(*args):
            raise ZeroDivisionError("a test's defect")
        return real(*args, **more)

    monkeypatch.setattr(where, name, defect)


def letters(bench: Bench) -> list[tuple[str, int, str, str]]:
    rows: list[tuple[str, int, str, str]] = [
        (letter.topic, letter.offset, letter.reason, letter.detail) for letter in bench.outputs.dead_letters
    ]
    assert all(
        letter.dead_letter_id == f"{letter.topic}:0:{letter.offset}" for letter in bench.outputs.dead_letters
    )
    return rows


DETAIL = "ZeroDivisionError: a test's defect"


def test_a_record_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its neighbours are read as if it were not there, and so are they when the batches are cut otherwise."""
    bursts_on(monkeypatch, decode, "_validated", lambda _, value, *__: b'"poison"' in value)
    records = [calendar(), ANN, fact("enrolled", -1, learner="poison"), click(0.1), *ticks(2)]
    whole, apart = Bench().feed(records), Bench()
    for single in records:
        apart.feed([single])
    for bench in (whole, apart):
        assert letters(bench) == [(EVENTS.name, 2, "failed", DETAIL)]
        assert bench.processor.state.clock.events == len(records) - 1
        assert bench.processor.applied(EVENTS.name) == len(records) - 1
        assert ("poison", "c/r") not in bench.processor.state.slots
    assert whole.processor.state.clock == apart.processor.state.clock


def test_a_fact_that_cannot_be_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Across a restart too; what it had changed is as it was."""
    records = [calendar(deadlines=due("a")), ANN, click(0.2, learner="ann", kind="submission", object="a")]
    wrong = click(0.3, learner="bob", kind="submission", object="a", score=1.0)
    bench = Bench().feed([*records, wrong, click(0.4, learner="eve", kind="submission", object="a")])
    rows = {key: value for key, value in bench.processor.checkpoint(1) if value is not None}
    bench.processor = PartitionProcessor(0, bench.rules, PartitionState.restore(IDENTITY, rows.items()))
    bursts_on(monkeypatch, work_facts, "record_grade", lambda *_: True)  # of bob's work, after its hand-in
    bench.feed(ticks(3))
    assert letters(bench) == [(EVENTS.name, 3, "failed", DETAIL)]
    state = bench.processor.state
    cells = {key[0]: state.gradebook.cells(0, np.array([slot]), 1)[0, 0] for key, slot in state.slots.items()}
    assert {learner: int(cell["attempt"]) for learner, cell in cells.items()} == {
        "ann": 1,
        "bob": 0,
        "eve": 1,
    }
    assert cells["bob"]["day"] == NO_DAY
    clock = state.clock
    assert (clock.events, clock.dead_letters) == (5 - 1 + 4, 1)


def test_a_calendar_under_which_no_day_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried on nobody first: the run goes on with the calendar that it has."""
    bursts_on(monkeypatch, cohorts, "features", lambda _rows, _slots, run, *_: "poison" in run.assessments)
    bench = Bench().feed([calendar(deadlines=due("a")), ANN, *ticks(2)])
    bench.feed([calendar(at=2.1, deadlines=due("a", "poison")), *ticks(6, 3)])
    assert letters(bench) == [(EVENTS.name, 5, "failed", DETAIL)]
    assert bench.processor.state.runs[0].assessments == ("a",)
    assert bench.risk.keys() == {1, 2, 3, 4, 5}, "and is scored every day"


def test_a_word_that_cannot_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench().feed([calendar(), ANN, *ticks(1)])
    rows = bench.processor._scoring._rows
    bursts_on(monkeypatch, rows, "write_fact", lambda fact, _outputs: fact.learner == "bob")
    common = {"type": "preferences", "occurred_at": instant(0), "opted_out": ["email"]}
    words = [record(common | {"event_id": who, "learner": who}) for who in ("ann", "bob", "eve")]
    bench.outputs.extend(bench.processor.apply_feedback(batch_of(words, topic=FEEDBACK.name)))
    assert letters(bench) == [(FEEDBACK.name, 1, "failed", DETAIL)]
    has_history = {who: bool(bench.processor.state.learners.get(who)) for who in ("ann", "bob", "eve")}
    assert has_history == {"ann": True, "bob": False, "eve": True}
    assert bench.processor.applied(FEEDBACK.name) == 2


def test_what_no_record_alone_makes_raise_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    bursts_on(monkeypatch, activities, "decode_activities", lambda values: len(values) > 1)
    with pytest.raises(ZeroDivisionError):
        failed_records.admit(BatchAdmission(Timing(clock="replay")), batch_of([calendar(), ANN]), -1)
