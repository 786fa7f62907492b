"""What is said up to a day rests on the tables as they were on that day, whatever they say of later ones."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from evaluation.causality import PassRecord, check, compare
from evaluation.errors import CausalityError
from evaluation.one_pass import stream
from evaluation.truncation import write_truncated
from sources.oulad import OuladFolder, start_day
from tests.evaluation.folders import CODES, LENGTH, write
from tests.sources.oulad_folder import write_csv, write_parquet
from tests.streams.pipeline import REPLAY

QUIET = Console(file=io.StringIO(), width=200)


def record_of(folder: Path, until: int) -> PassRecord:
    record = PassRecord(until)
    stream(OuladFolder(folder), REPLAY, QUIET, on_outputs=record.on_outputs, on_day=record.on_day)
    return record


def test_nothing_said_before_the_cut_changes(tmp_path: Path) -> None:
    """On learners enough that a model serves the second run."""
    printed = io.StringIO()
    folder = write(tmp_path / "oulad")
    (difference,) = check(folder, "2014B", [30], REPLAY, Console(file=printed, width=200))
    assert difference.estimates > 10_000
    assert difference.changes > 20
    assert "0 days of runs and 0 changes differ" in printed.getvalue()


@pytest.mark.parametrize("form", [write_csv, write_parquet])
@pytest.mark.parametrize("day", [1, 9, 16, 39])
def test_nor_on_the_folder_with_every_quirk(tmp_path: Path, form: type, day: int) -> None:
    (difference,) = check(form(tmp_path / "oulad"), "2013J", [day], REPLAY, QUIET)
    assert difference.estimates > 0


def test_a_difference_is_found_and_named(tmp_path: Path) -> None:
    """The same folder, but for one click more on day 12 of the second run."""
    plain = write(tmp_path / "one")
    changed = write(tmp_path / "two")
    path = changed / "studentVle_ds" / "code_module=BBB" / "code_presentation=2014B" / "part-0.parquet"
    table = pq.read_table(path, partitioning=None)
    more = pa.table(
        {"id_student": [11_003], "id_site": [11], "date": [12], "sum_click": [50]}, schema=table.schema
    )
    pq.write_table(pa.concat_tables([table, more]).sort_by("date"), path)
    until = start_day("2014B") + 20
    difference = compare(record_of(plain, until), record_of(changed, until), "2014B", 20)
    assert difference.differing[0] == ("BBB/2014B", start_day("2014B") + 13)
    assert bool(difference)


def test_the_cut_folder_holds_nothing_of_later_days(tmp_path: Path) -> None:
    cut_day = start_day("2014B") + 30
    full, truncated = write(tmp_path / "whole"), tmp_path / "short"
    write_truncated(full, cut_day, truncated)
    begun = {code: cut_day - start_day(code) for code in CODES}

    def rows(folder: Path, name: str) -> list[dict[str, Any]]:
        table_rows: list[dict[str, Any]] = pq.read_table(folder / name).to_pylist()
        return table_rows

    for row in rows(truncated, "studentRegistration.parquet"):
        left = row["date_unregistration"]
        assert left is None or left < begun[str(row["code_presentation"])]
    results = {
        code: {
            row["final_result"]
            for row in rows(truncated, "studentInfo.parquet")
            if row["code_presentation"] == code
        }
        for code in CODES
    }
    assert results == {"2013J": {"Pass", "Fail", "Withdrawn"}, "2014B": {None, "Withdrawn"}}
    clicks = pq.read_table(truncated / "studentVle_ds").to_pandas()
    assert clicks[clicks.code_presentation == "2014B"].date.max() == 29
    assert clicks[clicks.code_presentation == "2013J"].date.max() == LENGTH - 1
    handed_in = {
        row["date_submitted"]
        for row in rows(truncated, "studentAssessment.parquet")
        if int(row["id_student"]) % 10_000 >= 1000
    }
    assert max(handed_in) < 30
    early = tmp_path / "early"
    write_truncated(full, start_day("2014B") - 10, early)
    assert len(OuladFolder(early).presentations) == 4, "also those of which there are no clicks yet"
    registered = np.array(
        [
            row["date_registration"]
            for row in rows(early, "studentRegistration.parquet")
            if row["code_presentation"] == "2014B"
        ]
    )
    assert registered.max() < -10


@pytest.mark.parametrize(
    ("test", "day", "words"),
    [
        ("2019X", 5, "test: '2019X' is not in the folder; expected one of 2013J, 2014B"),
        ("2013J", 0, "day: found 0; expected 1 or more"),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path: Path, test: str, day: int, words: str) -> None:
    with pytest.raises(CausalityError, match=words):
        check(write_csv(tmp_path / "oulad"), test, [day], REPLAY, QUIET)
