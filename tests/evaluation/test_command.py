"""``homeroom evaluate`` from a folder to a table, and what it says when it cannot."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyarrow import csv
from rich.console import Console

from cli import main as cli
from evaluation.command import OutputOptions, evaluate
from evaluation.errors import EvaluationError
from tests.sources.oulad_folder import write_csv, write_parquet
from tests.streams.pipeline import REPLAY


def run(folder: Path, test: list[str], out: Path) -> str:
    told = io.StringIO()
    evaluate(folder, test, out, REPLAY, Console(file=told, width=300))
    return told.getvalue()


def test_a_folder_becomes_a_table(tmp_path: Path) -> None:
    out = tmp_path / "new" / "estimates.parquet"
    told = run(write_csv(tmp_path / "oulad"), ["2013J"], out)
    table = pq.read_table(out)
    assert f"{table.num_rows:,} estimates" in told
    assert set(table["code_presentation"].to_pylist()) == {"2013J"}
    assert set(table["code_module"].to_pylist()) == {"AAA", "BBB"}
    found = table.to_pylist()
    first = [row["day"] for row in found if row["id_student"] == 1]
    assert first == list(range(1, 41)), "from the first day of the run to its last"
    left = [row["day"] for row in found if row["id_student"] == 2]
    assert left == list(range(1, 16)), "unregistered on day 15"


def test_both_forms_of_the_folder_and_of_the_table_are_the_same(tmp_path: Path) -> None:
    run(write_csv(tmp_path / "one"), ["2013J", "2014B"], tmp_path / "one.csv")
    run(write_parquet(tmp_path / "two"), ["2013J", "2014B"], tmp_path / "two.parquet")
    assert (
        csv.read_csv(tmp_path / "one.csv").to_pylist() == pq.read_table(tmp_path / "two.parquet").to_pylist()
    )


@pytest.mark.parametrize(
    ("test", "out", "words"),
    [
        ("2019X", "e.csv", "test: '2019X' is not in the folder; expected some of 2013J, 2014B"),
        ("2013J", "e.xlsx", "out: found 'e.xlsx'; expected a name ending in .parquet or .csv"),
    ],
)
def test_what_cannot_be_is_said_at_once_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], test: str, out: str, words: str
) -> None:
    folder = write_csv(tmp_path / "oulad")
    with pytest.raises(EvaluationError) as refused:
        run(folder, [test], tmp_path / out)
    assert str(refused.value) == words
    arguments = ["evaluate", "--oulad", str(folder), "--test", test, "--out", str(tmp_path / out)]
    with pytest.raises(SystemExit) as ended:
        cli.main(lambda: cli.app(arguments))
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"homeroom: {words}\n"
    assert not (tmp_path / out).exists()


def test_the_report_and_its_figures_are_written_beside_the_same_table(tmp_path: Path) -> None:
    folder, told = write_csv(tmp_path / "oulad"), io.StringIO()
    run(folder, ["2013J"], tmp_path / "plain.parquet")
    wanted = OutputOptions(report=tmp_path / "new" / "report.html", figures=tmp_path / "new" / "figures.json")
    evaluate(folder, ["2013J"], tmp_path / "e.parquet", REPLAY, Console(file=told, width=300), wanted)
    assert pq.read_table(tmp_path / "e.parquet").equals(pq.read_table(tmp_path / "plain.parquet"))
    found = json.loads((tmp_path / "new" / "figures.json").read_text(encoding="utf-8"))
    assert found["presentations"] == ["2013J"]
    assert found["homeroom"]["enrolments"] == 9
    assert "How good are the estimates?" in (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert "AUC weekly" in told.getvalue()


def test_baselines_need_runs_that_came_before(tmp_path: Path) -> None:
    folder = write_csv(tmp_path / "oulad")
    with pytest.raises(EvaluationError, match="no presentation of the folder began before"):
        evaluate(folder, ["2013J"], tmp_path / "e.csv", REPLAY, Console(), OutputOptions(baselines=True))
    assert not (tmp_path / "e.csv").exists()
