"""Every query of every board, on the real engine, over what the real pipeline wrote.

Over several time ranges and choices of the variables: no error, nothing empty that should not be, what each
kind of panel needs of its rows, and the right figures.
"""

import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from grafana.clickhouse import Shape
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, Result, StoreReader
from sinks.tables import FILLED_BY_VIEWS, TABLES
from tests.grafana import queries as q
from tests.grafana.macros import ALL, View
from tests.streams import pipelines as p

NUMBERS = re.compile(r"(Nullable\()?(U?Int|Float)")
HOSTILE = "o'hara) OR 1=1 --"
BACKSLASHES = "\\' OR 1=1 --"
"""Grafana's quoting of values that were chosen from a list does not hold these off; the typed one's must."""


def everything(view: View) -> View:
    return view


def four_weeks(view: View) -> View:
    middle = view.start + (view.end - view.start) / 2
    return replace(view, start=middle - timedelta(days=28), end=middle)


def the_last_day(view: View) -> View:
    return replace(view, start=view.end - timedelta(days=1), interval=3600)


def nothing_yet(view: View) -> View:
    return replace(view, start=view.end + timedelta(days=30), end=view.end + timedelta(days=60))


def one_of_each(view: View) -> View:
    first = {name: values[:1] for name, values in view.offered.items() if values and name != "learner"}
    return replace(view, chosen=dict(view.chosen) | first)


def hostile(view: View) -> View:
    return replace(view, chosen=dict.fromkeys(view.offered, (HOSTILE,)) | {"learner": (BACKSLASHES,)})


RANGES = (everything, four_weeks, the_last_day, nothing_yet)
SEEN = [(span, everything) for span in RANGES] + [(everything, one_of_each), (four_weeks, hostile)]
"""Time ranges with everything chosen, and choices over a time range."""


@pytest.mark.parametrize(("span", "choice"), SEEN)
@pytest.mark.parametrize("board", q.BOARDS)
def test_every_query_answers_in_its_form(
    reader: StoreReader, base: Callable[[str], View], board: str, span: Any, choice: Any
) -> None:
    view = choice(q.offered(board, reader, span(base(board))))
    found = [
        f"{query}: {problem}"
        for query in (*q.panels(board), *q.annotations(board))
        for problem in problems(query, query.run(reader, view))
    ]
    assert found == []


def problems(query: q.Query, result: Result) -> Iterator[str]:
    """What keeps a kind of panel from showing an answer."""
    rows = result.rows
    if query.shape == Shape.TIME_SERIES or query.kind == "annotation":
        if result.columns[0] != "time" or not result.types[0].startswith(("DateTime", "Nullable(DateTime")):
            yield f"begins with {result.columns[0]} {result.types[0]}, expected a time"
        times = [row[0] for row in rows]
        if times != sorted(times):
            yield "times are not in ascending order"
    if query.shape == Shape.TIME_SERIES:
        numbers = [bool(NUMBERS.match(kind)) for kind in result.types[1:]]
        if not any(numbers):
            yield f"has no number among {result.types}"
        labels = [
            (row[0], *(cell for cell, no in zip(row[1:], numbers, strict=True) if not no)) for row in rows
        ]
        if len(set(labels)) < len(labels):
            yield "has a series with two values at one time"
    if query.kind == "annotation" and not {"title", "text", "tags"} <= set(result.columns):
        yield f"has columns {result.columns}"
    if query.kind == "stat" and not (len(rows) <= 1 and len(result.columns) == 1):
        yield f"has {len(rows)} rows of {len(result.columns)} columns, expected one value"
    if query.kind == "bargauge" and len(rows) != 1:
        yield f"has {len(rows)} rows, expected one"
    if query.kind == "trend" and [row[0] for row in rows] != sorted(row[0] for row in rows):
        yield "is not in the order of its x"


@pytest.mark.parametrize("board", q.BOARDS)
def test_no_panel_is_empty_over_the_whole_run(
    reader: StoreReader, base: Callable[[str], View], board: str
) -> None:
    view = q.offered(board, reader, base(board))
    empty = [
        str(query)
        for query in (*q.variables(board), *q.panels(board), *q.annotations(board))
        if is_empty(query, query.run(reader, view))
    ]
    assert set(empty) <= QUIET


UNTOLD = ("Policy reloaded", "Source quiet or mad", "Model drifts or is replaced")
DRIFT = {
    "model: Inputs unlike what was learned (timeseries)",
    "model: Features unlike what was learned (timeseries)",
    "model: Alarms about the model (table)",
}
RARE_RECORDS = {"pipeline: Breaks of topics' logs (table)", "pipeline: Events of the sources by name (table)"}
QUIET = DRIFT | RARE_RECORDS | {f"{board}: {name} (annotation)" for board in q.BOARDS for name in UNTOLD}
"""The run had one policy, sources that work and speak the contract, whole logs, and too few learners to
drift. What shows otherwise is below, or drawn in ``render``."""


def is_empty(query: q.Query, result: Result) -> bool:
    """No rows, or a number that is none."""
    if query.kind in ("stat", "bargauge"):
        return not result.rows or any(plain(cell) is None for cell in result.rows[0])
    return not result.rows


@pytest.mark.parametrize("board", q.BOARDS)
def test_tables_have_the_columns_that_their_settings_name(
    reader: StoreReader, base: Callable[[str], View], board: str
) -> None:
    view = q.offered(board, reader, base(board))
    results = {query.title: query.run(reader, view) for query in q.panels(board) if query.kind == "table"}
    for panel in q.BOARDS[board]["panels"]:
        if panel["type"] != "table":
            continue
        columns = results[panel["title"]].columns
        for override in panel["fieldConfig"]["overrides"]:
            if (
                override["matcher"]["id"] == "byName"
            ):  # the others as Grafana matches them: render/test_drawn.py
                assert override["matcher"]["options"] in columns, panel["title"]
        for field in re.findall(r"__data\.fields\.(\w+)", json.dumps(panel)):
            assert field in columns, panel["title"]


def test_the_figures_are_those_of_the_run(reader: StoreReader, base: Callable[[str], View]) -> None:
    outcome, packages = p.straight().outcome, p.straight().packages
    raised = sum(p.field_of(value, "level") == "high" for value in outcome.risk_changes.values())
    reasons, decisions = (
        [p.field_of(value, field) for value in outcome.decisions.values()] for field in ("reason", "decision")
    )
    model = json.loads(packages[max(packages)])["metrics"]
    messages = [json.loads(message.value) for message in p.stream()]
    kinds = [message["type"] for message in messages]
    expected = {
        ("risk", "Raised to high"): raised,
        ("interventions", "Sent"): decisions.count("send"),
        ("interventions", "Held back"): decisions.count("hold"),
        ("interventions", "Holdout"): reasons.count("holdout"),
        ("engagement", "New"): kinds.count("enrolled"),
        ("engagement", "Withdrawn"): kinds.count("withdrawn"),
        ("model", "AUC"): pytest.approx(model["auc"]),
        ("model", "Calibration error"): pytest.approx(model["ece"]),
        ("model", "Learned from"): model["examples"],
        ("pipeline", "Raised to high"): raised,
        ("pipeline", "Dead letters"): 2,
    }
    shown = {}
    for (board, title), value in expected.items():
        view = q.offered(board, reader, base(board))
        (query,) = (panel for panel in q.panels(board) if (panel.title, panel.kind) == (title, "stat"))
        shown[board, title] = query.run(reader, view).rows[0][0]
        assert value == shown[board, title], (board, title)


@pytest.mark.parametrize(("board", "title"), [("risk", "Movers of the day"), ("learner", "What was said")])
def test_a_rise_is_shown_with_what_would_bring_it_down(
    reader: StoreReader, base: Callable[[str], View], board: str, title: str
) -> None:
    """Beside the reasons, what the risk change itself said of each."""
    changes = [json.loads(value)["reasons"] for value in p.straight().outcome.risk_changes.values()]
    expected: dict[str, set[str]] = {}
    for reasons in changes:
        text = "; ".join(reason["text"] for reason in reasons)
        helps = "; ".join(reason["relief"] for reason in reasons if reason["relief"])
        expected.setdefault(text, set()).add(helps)
    (query,) = (panel for panel in q.panels(board) if panel.title == title)
    helped = (
        "SELECT max(occurred_at) FROM risk_changes WHERE notEmpty(arrayFilter(one -> one != '', reliefs))"
    )
    view = replace(base(board), end=reader.query(helped).rows[0][0]) if board == "risk" else base(board)
    result = query.run(reader, q.offered(board, reader, view))
    shown = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
    assert all(row["would_help"] in expected[row["reasons"]] for row in shown)
    assert any(row["would_help"] for row in shown)


def test_rows_that_came_twice_change_nothing(
    reader: StoreReader, base: Callable[[str], View], filled: StoreAddress
) -> None:
    """As after a crash whose batches were cut in another way, which no token can tell.

    Minutes later, so that a time of writing would move, and before the store has merged as well as after:
    then what came first is gone from the tables whose rows are replaced.
    """
    before = answers(reader, base)
    again = [name for name in TABLES if name not in (*FILLED_BY_VIEWS, "pipeline_health")]
    with ClickHouseWriter(filled) as writer:
        writer.command("SYSTEM STOP MERGES")  # one at the wrong moment would hide what is to be shown
        for name in again:
            listed = ", ".join(f"`{column}`" for column in TABLES[name].columns)
            writer.command(
                f"INSERT INTO {name} ({listed}, ingested_at) SELECT {listed}, now() + INTERVAL 5 MINUTE "
                f"FROM {name} SETTINGS insert_deduplicate = 0, async_insert = 0"
            )
        assert writer.command("SELECT count() > uniqExact(risk_change_id) FROM risk_changes") == [(1,)]
        after = answers(reader, base)
        writer.command("SYSTEM START MERGES")
        for name in (*again, *FILLED_BY_VIEWS):
            writer.command(f"OPTIMIZE TABLE {name} FINAL")
        assert writer.command("SELECT count() = uniqExact(risk_change_id) FROM risk_changes") == [(1,)]
        merged = answers(reader, base)
    assert [name for name in before if before[name] != after[name]] == []
    assert [name for name in before if before[name] != merged[name]] == []


def answers(reader: StoreReader, base: Callable[[str], View]) -> dict[str, list[Any]]:
    """Every board's answers over the whole run, rounded where a sum's order shows."""
    return {
        str(query): [tuple(map(plain, row)) for row in query.run(reader, view).rows]
        for board in q.BOARDS
        for view in (q.offered(board, reader, base(board)),)
        for query in (*q.variables(board), *q.panels(board), *q.annotations(board))
    }


def plain(cell: Any) -> Any:
    if isinstance(cell, float):
        return None if math.isnan(cell) else round(cell, 9)
    return cell


def test_another_policy_is_marked_on_its_day(reader: StoreReader, filled: StoreAddress, whole: View) -> None:
    day = reader.query("SELECT toStartOfDay(max(decided_at)) + INTERVAL 1 DAY FROM nudge_ledger").rows[0][0]
    with ClickHouseWriter(filled) as writer:
        row = {"decision_id": "x", "decided_at": day, "policy_version": "second-1", "decision": "hold"}
        writer.write("nudge_ledger", {name: [value] for name, value in row.items()})
    (query,) = (
        annotation for annotation in q.annotations("interventions") if annotation.title == "Policy reloaded"
    )
    later = replace(whole, end=whole.end + timedelta(days=7))
    ((marked_on, _, policy, _),) = query.run(reader, q.offered("interventions", reader, later)).rows
    assert (marked_on, policy) == (day, "second-1")


def test_drift_is_shown_and_marked(reader: StoreReader, filled: StoreAddress, whole: View) -> None:
    day = whole.end.date()
    metrics = {
        "input_shift/course-a/2026-02-02": 0.12,
        "event/inputs_shifted/course-a/2026-02-02": 0.12,
        "intercept/course-a/2026-02-02": -0.3,
        **{f"feature_shift/f{number}": number / 100 for number in range(12)},
    }
    with ClickHouseWriter(filled) as writer:
        days, models = [day] * len(metrics), ["m"] * len(metrics)
        columns: dict[str, list[Any]] = {"metric": [*metrics], "value": [*metrics.values()]}
        writer.write("model_metrics", columns | {"day": days, "model_version": models})
    view = q.offered("model", reader, whole)
    rows_by_title = {
        query.title: query.run(reader, view).rows for query in (*q.panels("model"), *q.annotations("model"))
    }
    assert rows_by_title["Inputs unlike what was learned"][-1][1:] == ("course-a/2026-02-02", 0.12)
    foretold = [row[1:] for row in rows_by_title["Course runs above or below what was predicted"]]
    assert ("course-a/2026-02-02", -0.3) in foretold
    features = [(feature, shift) for _, feature, shift in rows_by_title["Features unlike what was learned"]]
    assert features == sorted((f"f{number}", number / 100) for number in range(4, 12))
    assert rows_by_title["Alarms about the model"][0] == (
        str(day),
        "inputs_shifted",
        "course-a/2026-02-02",
        0.12,
    )
    ((_, title, text, _),) = rows_by_title["Model drifts or is replaced"]
    assert (title, text) == ("inputs shifted", "course-a/2026-02-02")


def test_a_source_that_is_quiet_is_marked(reader: StoreReader, filled: StoreAddress, whole: View) -> None:
    occurred_at = whole.start + timedelta(days=9)
    row = {
        "event_id": "x",
        "occurred_at": occurred_at,
        "alarm": "opened",
        "problem": "quiet",
        "source": "lms",
    }
    with ClickHouseWriter(filled) as writer:
        writer.write("data_quality", {name: [value] for name, value in row.items()})
    (query,) = (
        annotation for annotation in q.annotations("risk") if annotation.title == "Source quiet or mad"
    )
    ((time, title, text, _),) = query.run(reader, q.offered("risk", reader, whole)).rows
    assert (time, title) == (occurred_at, "A source: quiet")
    assert "lms" in text


def test_all_means_what_the_variable_offers(reader: StoreReader, base: Callable[[str], View]) -> None:
    """A course that is chosen alone leaves only its runs, also where all runs are chosen."""
    every = q.offered("risk", reader, base("risk"))
    single_course = q.offered("risk", reader, replace(base("risk"), chosen={"course": ("course-a",)}))
    assert every.chosen["course_run"] == single_course.chosen["course_run"] == (ALL,)
    assert set(single_course.offered["course_run"]) < set(every.offered["course_run"])
    (query,) = (panel for panel in q.panels("risk") if panel.title == "Learners estimated")
    assert query.run(reader, single_course).rows[0][0] < query.run(reader, every).rows[0][0]
