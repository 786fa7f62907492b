"""What a day's close says in numbers, against the events that it came from."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from engine.day.aggregates import as_date
from schemas.fields import DAY_S
from tests.streams import pipeline as p

Row = dict[str, Any]
Rows = Mapping[str, list[Row]]

ENDINGS = {"withdrawn": "withdrawn", "pass": "passed", "distinction": "passed", "fail": "failed"}


def rows_of(outputs: p.Said) -> Rows:
    """All rows by table; one that came twice is there once."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for table, *cells in outputs.placed:
        rows[table].append(dict(cells))
    return rows


def total(rows: Iterable[Row], by: tuple[str, ...], *names: str) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Sums of columns by others."""
    totals: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(names))
    for row in rows:
        for index, name in enumerate(names):
            totals[tuple(row[column] for column in by)][index] += row[name]
    return {key: tuple(sums) for key, sums in totals.items()}


@pytest.fixture(scope="module")
def rows() -> Rows:
    return rows_of(p.play(p.logs_of(p.term())))


@pytest.fixture(scope="module")
def messages() -> list[Row]:
    contents = []
    for message in p.term():
        content = json.loads(message.value) | {"day": as_date(int(message.occurred_at) // DAY_S)}
        if "learner" in content:
            content["learner"] = p.IDENTITY.learner(content["learner"])
        contents.append(content)
    return contents


def test_activity_by_kind_is_that_of_the_events(rows: Rows, messages: list[Row]) -> None:
    counted: Counter[tuple[str, date, str, str]] = Counter()
    for message in messages:
        if message["type"] == "activity":
            counted[message["course_run"], message["day"], message["kind"], message["learner"]] += (
                message.get("count", 1)
            )
    expected: dict[tuple[str, date, str], list[int]] = defaultdict(lambda: [0, 0])
    for (run, day, kind, _), clicks in counted.items():
        expected[run, day, kind][0] += min(clicks, 255)
        expected[run, day, kind][1] += 1
    totals = total(rows["activity_daily"], ("course_run", "day", "kind"), "clicks", "active")
    assert len(totals) > 100
    assert totals == {key: tuple(sums) for key, sums in expected.items()}


def test_progress_ends_with_everybodys_outcome(rows: Rows, messages: list[Row]) -> None:
    for run in {row["course_run"] for row in rows["progress_daily"]}:
        *_, before_last, last = sorted(
            (row for row in rows["progress_daily"] if row["course_run"] == run), key=lambda row: row["day"]
        )
        of_run = [message for message in messages if message.get("course_run") == run]
        kinds = Counter(message["type"] for message in of_run)
        results = Counter(ENDINGS[message["result"]] for message in of_run if message["type"] == "completed")
        assert last["enrolled"] == kinds["enrolled"]
        assert (last["withdrawn"], last["failed"], last["passed"]) == (
            kinds["withdrawn"],
            results["failed"],
            results["passed"],
        )
        assert last["started"] == len(
            {message["learner"] for message in of_run if message["type"] == "activity"}
        )
        assert last["enrolled"] >= last["started"] >= last["handed_in"] >= last["half_way"] > 0
        assert before_last["pending"] >= last["pending"] == 0
        assert last["course"] == "a"


def test_outcomes_are_those_that_were_said(rows: Rows, messages: list[Row]) -> None:
    expected = {
        (message["course_run"], message["learner"]): ENDINGS[str(message.get("result", message["type"]))]
        for message in messages
        if message["type"] in ("withdrawn", "completed")
    }
    assert {(row["course_run"], row["learner"]): row["outcome"] for row in rows["outcomes"]} == expected
    active = [message for message in messages if message["type"] == "activity"]
    last = {(message["course_run"], message["learner"]): message["day"] for message in active}
    for row in rows["outcomes"]:
        if row["outcome"] == "withdrawn":
            assert row["exit_day"] == row["day"]
        elif row["exit_day"] is not None:
            assert row["outcome"] == "failed"
            assert row["exit_day"] == last[row["course_run"], row["learner"]] + timedelta(days=1)


def test_a_cohort_is_all_there_in_its_first_week_and_never_grows(rows: Rows) -> None:
    cohorts = defaultdict(list)
    for row in sorted(rows["retention_weekly"], key=lambda row: row["week"]):
        assert row["cohort"].isoweekday() == 1
        cohorts[row["course_run"], row["cohort"]].append(row)
    assert len(cohorts) > 3
    for weeks in cohorts.values():
        first = weeks[0]
        assert [row["week"] for row in weeks] == list(range(len(weeks)))
        assert first["active"] == first["learners"] > 0
        assert all(row["learners"] == first["learners"] >= row["active"] for row in weeks)


def test_levels_count_what_was_said(rows: Rows) -> None:
    levels = total(rows["risk_daily"], ("day", "course_run"), "low", "medium", "high")
    enrolled = {
        (as_date((row["day"] - date(1970, 1, 1)).days + 1), row["course_run"]): row["enrolled"]
        for row in rows["engagement_daily"]
    }
    assert {key: sum(counts) for key, counts in levels.items()} == enrolled
    changes, daily = rows["risk_changes"], rows["risk_daily"]
    assert sum(row["raised"] for row in daily) == sum(row["level"] == "high" for row in changes) > 0
    assert sum(row["lowered"] for row in daily) == sum(row["previous_level"] == "high" for row in changes)
    assert all(0 < row["expected_lost"] < row["low"] + row["medium"] + row["high"] for row in daily)


def without_partition(rows: Iterable[Row]) -> list[str]:
    return sorted(repr(row | {"partition": 0}) for row in rows)


KEYS = {
    "activity_daily": ("course_run", "kind", "day"),
    "progress_daily": ("course_run", "day"),
    "retention_weekly": ("course_run", "cohort", "week"),
    "risk_daily": ("course_run", "day"),
}
AMOUNTS = {
    "activity_daily": ("clicks", "active"),
    "progress_daily": ("enrolled", "started", "handed_in", "half_way", "passed", "pending"),
    "retention_weekly": ("learners", "active"),
    "risk_daily": ("low", "medium", "high", "raised", "lowered"),
}


def test_partitions_add_up_to_the_whole(rows: Rows) -> None:
    parts = rows_of(p.play(p.logs_of(p.term(), 3)))
    for table, by in KEYS.items():
        assert total(parts[table], by, *AMOUNTS[table]) == total(rows[table], by, *AMOUNTS[table]), table
    assert without_partition(parts["outcomes"]) == without_partition(rows["outcomes"])


def test_what_is_said_again_after_a_crash_is_the_same(rows: Rows) -> None:
    again = rows_of(
        p.play(p.logs_of(p.term()), checkpoints=frozenset({(0, 20)}), crashes=frozenset({(0, 45)}))
    )
    for table in (*KEYS, "outcomes"):
        assert sorted(map(repr, again[table])) == sorted(map(repr, rows[table])), table
