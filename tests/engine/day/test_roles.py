"""Who is no learner is counted apart, by day, run and role; who comes back is enrolled in the store too."""

from datetime import date
from typing import Any

from engine.day.aggregates import as_date
from engine.processor import PartitionProcessor
from engine.state.partition_state import PartitionState
from tests.engine.test_processor import Bench, calendar, click, fact, ticks
from tests.streams.pipeline import IDENTITY, START, Record


def of_roles(bench: Bench) -> list[tuple[int, str, str, int, int]]:
    """Day of the run, run, role, enrolments and events."""
    first = as_date(START)
    return [
        ((row["day"] - first).days, row["course_run"], row["role"], row["enrolments"], row["events"])
        for row in bench.rows("other_roles_daily")
    ]


EVERYBODY: list[Record] = [
    calendar(),
    fact("enrolled", -1),
    fact("enrolled", -0.9, learner="tutor", role="staff"),
    click(0.1),
    click(0.2, learner="tutor"),
    click(0.3, learner="tutor", role="staff"),
    click(0.4, actor="system"),
    click(0.5, learner="guest", role="observer"),
    click(1.1, learner="guest", role="observer"),
]


def test_events_and_enrolments_of_others_are_rows_at_the_close() -> None:
    bench = Bench().feed([*EVERYBODY, *ticks(4)])
    assert of_roles(bench) == [
        (-1, "c/r", "staff", 1, 0),
        (0, "c/r", "observer", 1, 1),
        (0, "c/r", "staff", 1, 1),
        (0, "c/r", "system", 0, 1),
        (1, "c/r", "observer", 1, 1),
        (1, "c/r", "staff", 1, 0),
        (2, "c/r", "observer", 1, 0),
        (2, "c/r", "staff", 1, 0),
    ]
    assert bench.processor.state.others == {}


def test_a_restart_loses_none_of_them() -> None:
    bench = Bench().feed(EVERYBODY)
    rows = {key: value for key, value in bench.processor.checkpoint(1) if value is not None}
    state = PartitionState.restore(IDENTITY, rows.items())
    bench.processor = PartitionProcessor(0, bench.rules, state)
    assert (0, "c/r", "staff", 1, 1) in of_roles(bench.feed(ticks(4)))


def test_where_all_are_learners_there_is_no_row() -> None:
    bench = Bench().feed([calendar(), fact("enrolled", -1), click(0.1), *ticks(4)])
    assert bench.rows("other_roles_daily") == []


def outcomes(bench: Bench) -> list[tuple[str, date, Any, int]]:
    return [(row["outcome"], row["day"], row["exit_day"], row["version"]) for row in bench.rows("outcomes")]


def test_an_enrolment_that_goes_on_again_corrects_its_row() -> None:
    records = [calendar(), fact("enrolled", -1), click(0.1), *ticks(2)]
    records += [fact("withdrawn", 2.5), *ticks(5, 3), fact("enrolled", 5.5), *ticks(8, 6)]
    withdrawn, enrolled = outcomes(Bench().feed(records))
    assert withdrawn == ("withdrawn", as_date(START + 2), as_date(START + 2), START + 2)
    assert enrolled == ("enrolled", as_date(START + 5), None, START + 5), "a newer version of the same row"


def test_who_comes_back_on_the_same_day_has_never_gone() -> None:
    records = [calendar(), fact("enrolled", -1), *ticks(2)]
    records += [fact("withdrawn", 2.5), fact("enrolled", 2.6), *ticks(5, 3)]
    bench = Bench().feed(records)
    assert {outcome for outcome, *_ in outcomes(bench)} <= {"enrolled"}
    assert sorted(bench.risk) == [1, 2, 3, 4, 5][: len(bench.risk)]
