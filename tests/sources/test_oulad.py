"""OULAD as a stream: each quirk of the tables, the order, the ids, and any subset of presentations."""

import os
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.inbound import event_adapter
from sources.oulad import KINDS, OuladError, OuladFolder, Presentation, start_day
from sources.oulad_tables import OuladTables
from sources.stream import DAY, Published, instant
from tests.required import lacking
from tests.sources.oulad_folder import CLICKS_HEADER, TABLES, write_csv, write_parquet

AAA, BBB, OLD_BBB = Presentation("AAA", "2013J"), Presentation("BBB", "2014B"), Presentation("BBB", "2013J")
START = start_day("2013J")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parquet(tmp_path_factory.mktemp("parquet"))


def bodies(messages: list[Published]) -> list[dict[str, Any]]:
    return [orjson.loads(message.value) for message in messages]


def of(folder: Path, kind: str, run: str = "AAA/2013J") -> list[dict[str, Any]]:
    found = bodies(list(OuladFolder(folder).stream(ticks=False)))
    return [body for body in found if body["type"] == kind and body["course_run"] == run]


def days(messages: list[dict[str, Any]]) -> dict[str, int]:
    """Learner → day since the start of 2013J."""
    at = {body["learner"]: datetime.fromisoformat(body["occurred_at"]) for body in messages}
    return {learner: int(moment.timestamp()) // DAY - START for learner, moment in at.items()}


def test_csv_and_parquet_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert list(OuladFolder(write_csv(tmp_path / "csv")).stream()) == list(OuladFolder(folder).stream())


def test_clicks_in_one_parquet_file_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    import pyarrow.csv as pv

    write_csv(tmp_path)
    pq.write_table(pv.read_csv(tmp_path / "studentVle.csv"), tmp_path / "studentVle.parquet")
    (tmp_path / "studentVle.csv").unlink()
    assert list(OuladFolder(tmp_path).stream()) == list(OuladFolder(folder).stream())


def test_every_message_keeps_the_contract_and_its_own_record(folder: Path) -> None:
    for message in OuladFolder(folder).stream():
        body: Any = event_adapter.validate_json(message.value)
        assert int(body["occurred_at"].timestamp()) == message.occurred_at
        assert message.broadcast == (body["type"] in ("calendar", "tick"))
        assert message.key == (None if message.broadcast else body["learner"])


def test_time_never_goes_back_and_ids_are_unique(folder: Path) -> None:
    messages = list(OuladFolder(folder).stream())
    times = [message.occurred_at for message in messages]
    assert times == sorted(times)
    ids = [body["event_id"] for body in bodies(messages) if body["type"] != "tick"]
    assert len(ids) == len(set(ids))


def test_exact_duplicates_are_events_of_their_own(folder: Path) -> None:
    twice = [body for body in of(folder, "activity") if body["kind"] == "content"]
    assert [body["count"] for body in twice] == [7, 7]
    assert [body["event_id"] for body in twice] == ["AAA/2013J/2", "AAA/2013J/3"]


def test_the_learners_events_are_cut_on_the_day_of_unregistration(folder: Path) -> None:
    mine = [body for body in of(folder, "activity") if body["learner"] == "oulad-2"]
    assert [body["occurred_at"] for body in mine] == [instant((START + 14) * DAY + 12 * 3600)]


def test_who_passed_in_the_end_has_come_back(folder: Path) -> None:
    assert [body["result"] for body in of(folder, "completed") if body["learner"] == "oulad-7"] == ["pass"]
    assert [body for body in of(folder, "withdrawn") if body["learner"] == "oulad-7"] == []
    assert [body["count"] for body in of(folder, "activity") if body["learner"] == "oulad-7"] == [1]


def test_withdrawals_come_when_they_could_be_known(folder: Path) -> None:
    assert days(of(folder, "withdrawn")) == {
        "oulad-8": -44,
        "oulad-2": 15,
        "oulad-5": 20,
        "oulad-4": 40,
        "oulad-6": 40,
    }
    assert {body["occurred_at"][10:] for body in of(folder, "withdrawn")} == {"T20:00:00Z"}


def test_results_come_on_the_evening_of_the_last_day(folder: Path) -> None:
    results = of(folder, "completed")
    assert {body["learner"]: body["result"] for body in results} == {
        "oulad-1": "pass",
        "oulad-3": "fail",
        "oulad-7": "pass",
    }
    assert set(days(results).values()) == {40}


def test_registration_without_a_day_is_day_minus_30_or_the_unregistration(folder: Path) -> None:
    found = days(of(folder, "enrolled"))
    assert (found["oulad-1"], found["oulad-3"], found["oulad-8"]) == (-50, -30, -44)


def test_submissions_carried_over_or_after_the_end_are_left_out(folder: Path) -> None:
    found = [body for body in of(folder, "activity") if body["kind"] == "submission"]
    assert [(body["object"], body["learner"], body.get("score")) for body in found] == [
        ("11", "oulad-1", 0.78),
        ("12", "oulad-1", None),
    ]
    assert "score" not in found[1]


def test_a_tutors_mark_may_come_days_after_the_hand_in(folder: Path) -> None:
    plain, later = (list(OuladFolder(folder, after).stream(ticks=False)) for after in (0, 14))
    before, now = bodies(plain), bodies(later)
    (grade,) = [body for body in now if body["type"] == "graded"]
    assert grade == {
        "type": "graded",
        "event_id": "AAA/2013J/g11-1",
        "learner": "oulad-1",
        "course_run": "AAA/2013J",
        "object": "11",
        "score": 0.78,
        "graded_at": instant((START + 9 + 14) * DAY + 14 * 3_600),
        "source": "oulad",
    }
    event_adapter.validate_python(grade)
    without = [body | {"score": None} if body.get("object") == "11" else body for body in before]
    assert [body for body in now if body is not grade] == [
        {name: value for name, value in body.items() if value is not None} for body in without
    ], "a machine's mark (21, CMA) stays with the hand-in"
    times = [message.occurred_at for message in later]
    assert times == sorted(times)
    assert OuladFolder(folder, 14).total() >= len(list(OuladFolder(folder, 14).stream()))


@pytest.mark.parametrize(("after", "marks"), [(0, 0), (1, 1), (31, 1), (32, 0)])
def test_a_mark_after_the_end_is_left_out(folder: Path, after: int, marks: int) -> None:
    found = bodies(list(OuladFolder(folder, after).stream(ticks=False)))
    assert sum(body["type"] == "graded" for body in found) == marks


def test_the_calendar_precedes_everything_and_leaves_out_exams_without_a_day(folder: Path) -> None:
    (calendar,) = of(folder, "calendar")
    assert calendar["occurred_at"] == instant((START - 50) * DAY)
    assert (calendar["starts_at"], calendar["ends_at"]) == ("2013-10-01T00:00:00Z", "2013-11-10T00:00:00Z")
    assert calendar["deadlines"] == [
        {"assessment": "11", "due_at": instant((START + 11) * DAY), "weight": 0.6},
        {"assessment": "12", "due_at": instant((START + 26) * DAY), "weight": 0.4},
    ]
    first = OuladFolder(folder).stream(ticks=False)
    assert orjson.loads(next(iter(first)).value)["type"] == "calendar"


def test_kinds_are_mapped_and_the_unlisted_are_other(folder: Path) -> None:
    runs = [of(folder, "activity", run) for run in ("AAA/2013J", "BBB/2014B", "BBB/2013J")]
    kinds = {body["object"]: body["kind"] for run in runs for body in run if body["kind"] != "submission"}
    assert kinds == {"501": "home", "502": "content", "503": "quiz", "504": "other", "999": "other"}


def test_nominal_starts() -> None:
    assert instant(start_day("2014B") * DAY) == "2014-02-01T00:00:00Z"
    assert instant(start_day("2013J") * DAY) == "2013-10-01T00:00:00Z"
    with pytest.raises(OuladError, match="code_presentation: '2014X', expected a year and B or J"):
        start_day("2014X")


def test_ticks_are_at_each_days_start_and_pass_the_end(folder: Path) -> None:
    messages = list(OuladFolder(folder).stream())
    ticks = [message.occurred_at for message in messages if orjson.loads(message.value)["type"] == "tick"]
    last = max(message.occurred_at for message in messages if message.key) // DAY
    assert ticks == list(range((START - 50) * DAY, (last + 4) * DAY, DAY))
    assert messages[0].occurred_at == ticks[0]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.sets(st.sampled_from([AAA, BBB, OLD_BBB])))
def test_any_subset_is_the_whole_stream_filtered(folder: Path, chosen: set[Presentation]) -> None:
    source = OuladFolder(folder)
    runs = {each.course_run for each in chosen}
    kept = [
        message for message in source.stream(ticks=False) if orjson.loads(message.value)["course_run"] in runs
    ]
    assert list(source.stream(sorted(chosen), ticks=False)) == kept


def test_the_folder_has_the_presentations_whose_clicks_are_there(tmp_path: Path) -> None:
    assert OuladFolder(write_parquet(tmp_path / "all")).presentations == (AAA, OLD_BBB, BBB)
    assert OuladFolder(write_parquet(tmp_path / "one", {("BBB", "2014B")})).presentations == (BBB,)
    assert OuladFolder(write_csv(tmp_path / "csv")).presentations == (AAA, OLD_BBB, BBB)


def test_total_is_close_and_never_too_small(folder: Path) -> None:
    source = OuladFolder(folder)
    for chosen in (None, [BBB], []):
        count = len(list(source.stream(chosen)))
        assert count <= source.total(chosen) <= count + 25


def test_an_unknown_presentation_is_named(folder: Path) -> None:
    with pytest.raises(OuladError, match="ZZZ/2013J is not in the folder, found AAA/2013J, BBB/2013J"):
        list(OuladFolder(folder).stream([Presentation("ZZZ", "2013J")]))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OuladError, match="nowhere: no such folder"):
        OuladFolder(tmp_path / "nowhere")


@pytest.mark.parametrize("name", [*TABLES, "studentVle"])
def test_a_missing_table_is_named(tmp_path: Path, name: str) -> None:
    (write_csv(tmp_path) / f"{name}.csv").unlink()
    with pytest.raises(OuladError, match=f"table {name} is missing, expected"):
        OuladFolder(tmp_path)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_missing_column_is_named(tmp_path: Path, write: Any) -> None:
    write(tmp_path)
    if write is write_csv:
        path = tmp_path / "courses.csv"
        path.write_text(path.read_text().replace("module_presentation_length", "length"))
    else:
        table = pq.read_table(tmp_path / "courses.parquet")
        pq.write_table(table.drop_columns("module_presentation_length"), tmp_path / "courses.parquet")
    with pytest.raises(
        OuladError, match="courses: column module_presentation_length is missing, found code_"
    ):
        list(OuladFolder(tmp_path).stream())


@pytest.mark.parametrize(
    ("name", "row", "error"),
    [
        ("studentVle", '"AAA","2013J",1,501,5,0', r"studentVle.sum_click: 0 in row 10 of its presentation"),
        (
            "studentVle",
            '"AAA","2013J",1,501,?,3',
            r"studentVle.date: missing in row .*, expected a whole number",
        ),
        ("studentVle", '"AAA","2013J",1,501,soon,3', r"studentVle: .*soon"),
        ("studentAssessment", "11,1,3,0,101", r"studentAssessment.score: 101.0, expected 0 to 100"),
        ("studentInfo", '"AAA","2013J",77,"F","Left"', r"studentInfo.final_result: 'Left', expected Pass, "),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, name: str, row: str, error: str) -> None:
    path = write_csv(tmp_path) / f"{name}.csv"
    path.write_text(path.read_text() + row + "\n")
    with pytest.raises(OuladError, match=error):
        list(OuladFolder(tmp_path).stream())


def test_all_columns_of_the_click_table_are_needed(tmp_path: Path) -> None:
    path = write_csv(tmp_path) / "studentVle.csv"
    path.write_text(path.read_text().replace("sum_click", "clicks"))
    with pytest.raises(OuladError, match="studentVle: column sum_click is missing"):
        list(OuladFolder(tmp_path).stream())
    assert CLICKS_HEADER.endswith("sum_click")


REAL = Path(os.environ.get("HOMEROOM_OULAD", Path(__file__).parents[3] / "shared" / "data" / "oulad"))


@pytest.fixture(scope="module")
def real() -> OuladFolder:
    if not REAL.is_dir():
        lacking("oulad", f"no OULAD data in {REAL}: set HOMEROOM_OULAD to a folder with it")
    return OuladFolder(REAL)


@pytest.mark.oulad
def test_a_real_presentation_keeps_the_contract(real: OuladFolder) -> None:
    smallest = min(real.presentations, key=lambda each: real.total([each]))
    latest, count, seen = 0, 0, set()
    for message in real.stream([smallest]):
        assert message.occurred_at >= latest
        latest, count = message.occurred_at, count + 1
        body: Any = event_adapter.validate_json(message.value)
        if body["type"] != "tick":
            assert body["event_id"] not in seen
            seen.add(body["event_id"])
    assert 0.97 * real.total([smallest]) <= count <= real.total([smallest])


@pytest.mark.oulad
@pytest.mark.usefixtures("real")
def test_real_activity_types_all_have_a_kind() -> None:
    types = set(OuladTables(REAL).table("vle")["activity_type"].to_pylist())
    assert types <= set(KINDS)


@pytest.mark.oulad
def test_the_real_presentations_together_begin_in_order(real: OuladFolder) -> None:
    times = [message.occurred_at for message in islice(real.stream(), 100_000)]
    assert times == sorted(times)
