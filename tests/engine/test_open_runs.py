"""Runs without an end: who is lost is known by a horizon of days, and who has been silent so long is gone."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.day.cohorts import work_of
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from features.coursework import NO_DAY
from online_models.labels import EXIT_DAYS, RESERVOIR_SIZE, snapshot_interval
from schemas.enrolment import INACTIVE_AFTER_DAYS, LEAST_INACTIVE_DAYS, MOST_INACTIVE_DAYS
from schemas.learning import TrainingExample
from tests.engine.test_endings import blind
from tests.engine.test_processor import Bench, calendar, click, fact, sorted_by_time, ticks
from tests.streams.pipeline import IDENTITY, REPLAY, START, Record

HORIZON = INACTIVE_AFTER_DAYS


def open_calendar(at: float = -2, **more: Any) -> Record:
    return calendar(at=at, ends_at=None, **more)


def played(*records: Record, days: int, horizon: int | None = None) -> Bench:
    """One learner of an open run, who registered on its first day."""
    head = [open_calendar(inactive_after_days=horizon), fact("enrolled", 0)]
    return Bench().feed(sorted_by_time([*head, *records, *ticks(days)]))


def by_day(bench: Bench) -> dict[int, TrainingExample]:
    return {example.day - START: example for example in bench.examples}


def test_each_example_says_whether_the_learner_was_active_within_the_horizon() -> None:
    bench = played(*(click(day) for day in (1, 5, 20, 45)), days=130)
    examples = by_day(bench)
    assert examples
    assert {day: example.label for day, example in examples.items()} == {
        day: not any(day <= active < day + HORIZON for active in (1, 5, 20, 45)) for day in examples
    }
    assert {example.matured - example.day for example in bench.examples} == {HORIZON + EXIT_DAYS - 1}
    assert {day for day, example in examples.items() if example.exits} == {
        day for day in examples if day <= 46 < day + EXIT_DAYS
    }


@settings(max_examples=25, deadline=None)
@given(
    st.sets(st.integers(1, 99), max_size=12),
    st.sampled_from([7, 10, 28, 40]),
    st.none() | st.tuples(st.sampled_from(["withdrawn", "pass", "fail"]), st.integers(1, 99)),
)
def test_no_label_lies(active: set[int], horizon: int, ending: tuple[str, int] | None) -> None:
    records = [click(day) for day in sorted(active)]
    if ending is not None:
        kind, result = ("withdrawn", {}) if ending[0] == "withdrawn" else ("completed", {"result": ending[0]})
        records.append(fact(kind, ending[1] + 0.9, **result))
    bench = played(*records, days=100 + horizon + EXIT_DAYS + 4, horizon=horizon)
    for day, example in by_day(bench).items():
        window = range(day, day + horizon)
        matured = day + horizon + EXIT_DAYS - 1
        expected = not active & set(window)
        if ending is not None and ending[0] == "pass":
            expected &= ending[1] > matured
        elif ending is not None and ending[1] in window:
            expected = True
        assert example.label == expected, day
        assert example.weight == snapshot_interval(horizon) / 7


def test_of_a_run_without_a_calendar_nothing_is_learned() -> None:
    """It may just not have come, and learners wait for the start in silence."""
    records = [fact("enrolled", 0), *(click(day) for day in range(1, 40, 3)), *ticks(180)]
    late = sorted_by_time([*records, calendar(at=100, days=220)])
    for stream in (sorted_by_time(records), late):
        bench = Bench().feed(stream)
        assert bench.examples == []
        assert max(bench.risk[day] for day in range(2, 40)) < 0.1, "as in an open run, not as one that ends"


def test_who_is_silent_for_the_horizon_is_gone_until_they_come_back() -> None:
    bench = played(click(1), click(5), click(50.5), days=100)
    assert sorted(bench.risk) == [*range(1, 6 + HORIZON), *range(51, 51 + HORIZON)]
    assert (
        bench.rows("risk_daily")[-1]["day"].toordinal() < bench.rows("progress_daily")[-1]["day"].toordinal()
    )


def test_who_never_comes_is_gone_after_the_horizon() -> None:
    assert sorted(played(days=60, horizon=10).risk) == list(range(1, 10))


def test_who_passed_is_not_scored_any_more() -> None:
    bench = played(click(1), fact("completed", 5, result="pass"), days=90)
    assert max(bench.risk) == 5
    assert {example.label for example in bench.examples} == {False}


def test_of_a_shorter_horizon_no_example_is_made_of_days_that_nobody_can_judge_any_more() -> None:
    shorter = open_calendar(at=70, inactive_after_days=7)
    bench = played(*(click(day) for day in range(1, 90, 10)), shorter, days=130)
    waited = {
        since: {
            example.matured - example.day
            for example in bench.examples
            if (example.matured > START + 72) == since
        }
        for since in (False, True)
    }
    assert waited == {False: {HORIZON + EXIT_DAYS - 1}, True: {7 + EXIT_DAYS - 1}}


def test_unseen_days_are_no_silence() -> None:
    """They make the horizon longer, and put off when somebody is gone."""
    bench = played(click(1), days=5)
    blind(bench, 6, 10)
    bench.feed(ticks(130, since=6))
    assert max(bench.risk) == 1 + HORIZON + 4
    assert {example.matured - example.day for example in bench.examples if example.day <= START + 6} == {
        HORIZON + 4 + EXIT_DAYS - 1
    }


@pytest.mark.parametrize("horizon", [LEAST_INACTIVE_DAYS, 21, 28, 60, MOST_INACTIVE_DAYS])
def test_all_snapshots_that_wait_at_once_have_room(horizon: int) -> None:
    """A snapshot is due at a turn, and the one ``RESERVOIR_SIZE`` turns ago has matured by then."""
    interval = snapshot_interval(horizon)
    assert RESERVOIR_SIZE * interval >= horizon + EXIT_DAYS
    days = 2 * (horizon + EXIT_DAYS) + 3 * interval
    bench = played(*(click(day) for day in range(1, days, 5)), days=days, horizon=horizon)
    taken = sorted(by_day(bench))
    assert {later - earlier for earlier, later in pairwise(taken)} == {interval}


def test_a_restart_changes_no_example() -> None:
    records = sorted_by_time(
        [open_calendar(), fact("enrolled", 0), *(click(day) for day in (1, 9, 30)), *ticks(120)]
    )
    bench, rows = Bench(), dict[bytes, bytes | None]()
    for record in records:
        bench.feed([record])
        rows.update(bench.processor.checkpoint(1))
        stored = [(key, value) for key, value in rows.items() if value is not None]
        bench.processor = PartitionProcessor(0, REPLAY, PartitionState.restore(IDENTITY, stored))
    assert bench.examples == Bench().feed(records).examples


def test_deadlines_count_from_the_registration() -> None:
    deadlines: list[dict[str, Any]] = [{"assessment": "a", "due_after_days": 3, "weight": 1.0}]
    records = [
        open_calendar(deadlines=deadlines),
        *(fact("enrolled", day, learner=who) for who, day in (("early", 0.2), ("late", 30.2))),
        *(click(day, learner="early") for day in range(1, 45)),
        *(click(day, learner="late") for day in range(31, 45)),
        click(5.5, learner="early", kind="submission", object="a"),
        *ticks(45),
    ]
    state = Bench().feed(sorted_by_time(records)).processor.state
    slots = np.array([state.slots[who, "c/r"] for who in ("early", "late")])
    work = work_of(state, state.run_index["c/r"], slots)
    assert (work.dates.due - START).tolist() == [[4, 34]]
    assert (work.cells["day"] != NO_DAY).tolist() == [[True], [False]]
