"""Causality: what is said of a day does not know what came after it."""

from functools import cache

from evaluation.backtest import Backtest
from evaluation.estimates import EstimateCollector
from sources.simulator import Run, SimulationPlan, stream, truth
from sources.stream import SourceMessage, with_ticks
from tests.streams.pipeline import IDENTITY, REPLAY, START, tiny

Row = tuple[str, str, int, int, float, int]
CODES = frozenset({"past", "now"})
STARTS = {"a/past": START, "a/now": START + 21}


@cache
def messages() -> list[SourceMessage]:
    return list(stream(tiny()))


def table_of(events: list[SourceMessage], partitions: int = 1) -> EstimateCollector:
    estimates = EstimateCollector(CODES)
    Backtest(REPLAY, IDENTITY, partitions, on_outputs=estimates.on_outputs, on_day=estimates.on_day).run(
        events
    )
    return estimates


def rows(estimates: EstimateCollector) -> dict[tuple[str, int, int], tuple[float, int]]:
    """(run, learner, event day) → estimate and alert."""
    return {
        (row["code_presentation"], row["id_student"], row["day"] + STARTS["a/" + row["code_presentation"]]): (
            row["risk"],
            row["alert"],
        )
        for row in estimates.table(STARTS).to_pylist()
    }


def test_a_stream_cut_short_says_the_same_bit_by_bit() -> None:
    whole = rows(table_of(messages()))
    for day in (START + 9, START + 30, START + 44):
        past = [event for event in messages() if event.occurred_at < day * 86_400]
        cut = rows(table_of(list(past)))
        before = {key: row for key, row in whole.items() if key[2] < day}
        assert {key: row for key, row in cut.items() if key[2] < day} == before
        assert before


def test_a_changed_future_changes_no_past() -> None:
    """The same learners, but from a day on nobody does anything any more."""
    whole, day = rows(table_of(messages())), START + 33
    silent = with_ticks(
        (
            event
            for event in stream(tiny(), ticks=False)
            if event.occurred_at < day * 86_400 or event.broadcast
        ),
        "test",
    )
    other = rows(table_of(list(silent)))
    assert {key: row for key, row in other.items() if key[2] <= day} == {
        key: row for key, row in whole.items() if key[2] <= day
    }


def test_the_table_has_a_row_for_every_enrolment_and_day_and_marks_the_alerts() -> None:
    estimates = table_of(messages(), partitions=2)
    table = estimates.table(STARTS)
    names = ["code_module", "code_presentation", "id_student", "day", "risk", "exit_risk", "alert"]
    assert table.column_names == names
    assert [str(kind) for kind in table.schema.types] == [
        "string",
        "string",
        "int64",
        "int64",
        "double",
        "double",
        "int64",
    ]
    table_rows = table.to_pylist()
    keys = [(row["code_presentation"], row["id_student"], row["day"]) for row in table_rows]
    assert len(set(keys)) == len(keys)
    assert keys == sorted(keys)
    assert all(0 <= row["risk"] <= 1 for row in table_rows)
    per: dict[tuple[str, int], list[int]] = {}
    for run, learner, day in keys:
        per.setdefault((run, learner), []).append(day)
    for days in per.values():
        assert days == list(range(days[0], days[-1] + 1)), "scored every day, the silent days too"
    alerts = [row for row in table_rows if row["alert"]]
    assert alerts
    assert all(row["risk"] >= REPLAY.levels.high_leave for row in alerts)
    assert len(alerts) == len(estimates._alerts)


def test_who_never_started_is_scored_from_the_first_day() -> None:
    plan = SimulationPlan((Run("a", "past", START, 4, 400),), seed=5)
    hidden = truth(plan)
    never = {
        int(learner.rpartition("-")[2])
        for learner, none, outcome in zip(hidden.learner, hidden.never_started, hidden.outcome, strict=True)
        if none and outcome == "fail"
    }
    assert never, "the plan has some"
    estimates = EstimateCollector(CODES)
    Backtest(REPLAY, IDENTITY, on_outputs=estimates.on_outputs, on_day=estimates.on_day).run(stream(plan))
    table_rows = [row for row in estimates.table(STARTS).to_pylist() if row["id_student"] in never]
    scored = {
        learner: [row["day"] for row in table_rows if row["id_student"] == learner] for learner in never
    }
    assert all(days[-1] == 28 and len(days) >= 20 for days in scored.values())
    for learner in never:
        risks = [row["risk"] for row in table_rows if row["id_student"] == learner]
        assert risks[-1] > risks[0], "silence alone raises it, day by day"
