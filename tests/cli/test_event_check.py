"""``homeroom check-events``: exit codes, where the report goes, what is said of what cannot be checked."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import main as cli
from tests.evaluation.event_check.samples import click, whole_run, write


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("HOMEROOM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli.app, ["check-events", *arguments], input=stdin)


def test_a_readable_sample_ends_with_0(tmp_path: Path) -> None:
    write(tmp_path / "run.jsonl", whole_run())
    result = run("run.jsonl")
    assert result.exit_code == 0, result.output
    assert "What a worker would say" in result.stdout
    assert result.stderr == ""


def test_too_many_refused_records_end_with_1(tmp_path: Path) -> None:
    messages = whole_run()
    write(
        tmp_path / "bad.jsonl", [*messages, *(click(9, f"l{n}", kind="dance") for n in range(len(messages)))]
    )
    result = run("bad.jsonl")
    assert result.exit_code == 1
    number = len(messages)
    assert f"homeroom: {number} of {2 * number} records are refused, a larger share than" in result.stderr
    assert run("bad.jsonl", "--max-refused", "0.5").exit_code == 0
    assert run("bad.jsonl", "--max-refused", "0.49").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.jsonl"], "'nowhere.jsonl': cannot be read: No such file"),
        (["."], ".: is a folder without a file"),
        (["-", "-"], "standard input can be read once"),
        (["-", "--format", "xml"], "--format is 'xml'; expected one of "),
        (["packed.gz"], "is not packed as its name says"),
        (["mine", "--json", "mine"], "mine: is there already"),
    ],
)
def test_what_cannot_be_checked_ends_with_2(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if arguments != ["."]:
        for name in ("packed.gz", "mine"):
            (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(SystemExit) as ended:
        cli.main(lambda: cli.app(["check-events", *arguments]))
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_without_a_file_nothing_is_checked() -> None:
    assert run().exit_code == 2


def test_the_figures_go_to_a_file_or_to_stdout(tmp_path: Path) -> None:
    write(tmp_path / "run.jsonl", whole_run())
    assert run("run.jsonl", "--json", "figures.json").exit_code == 0
    result = run("-", "--json", "-", stdin=(tmp_path / "run.jsonl").read_bytes())
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert run("run.jsonl", "--json", "figures.json", "--force").exit_code == 0


def test_the_clock_is_the_one_that_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "future.jsonl", [click(100_000 / 4, "ann")])  # in 2094
    assert run("future.jsonl").exit_code == 1
    assert run("future.jsonl", "--clock", "replay").exit_code == 0
    assert run("future.jsonl", "--clock", "sundial").exit_code == 2


def test_a_worker_s_settings_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "run.jsonl", [click(0), click(1.1), click(0.9), click(0.95)])
    monkeypatch.setenv("HOMEROOM_LATENESS_HOURS", "0")
    late = json.loads(run("run.jsonl", "--json", "-").stdout)["lateness"]
    assert (late["late"], late["after_close"]) == (2, 2)
    monkeypatch.setenv("HOMEROOM_LATENESS_HOURS", "6")
    assert json.loads(run("run.jsonl", "--json", "-").stdout)["lateness"]["after_close"] == 0
