"""The commands that need no pipeline, and what they say when something is not there."""

import json
import os
import socket
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner, Result

from cli import experiment, policy, sources
from cli import main as cli
from engine.batch.unknown_fields import unknown_field_rows as unknown_rows
from evaluation.policies import recorded_past
from local.brokers import Broker
from local.rig import Rig
from notifier import topic_reader
from notifier.settings import NotifierSettings
from nudges.experiments import effects, size
from output import screen
from output.folders import claim_folder
from schemas.inbound import event_adapter
from sinks.embedded import EmbeddedStore
from sinks.store import ClickHouseWriter
from streams.relay.settings import RelaySettings
from streams.settings import Settings
from tests.evaluation.folders import write

COMMANDS = [
    "worker",
    "ingest",
    "publish",
    "formats",
    "simulate",
    "replay",
    "check-events",
    "demo",
    "query",
    "doctor",
    "migrate",
    "settings",
    "evaluate",
    "experiment",
    "fairness",
    "new-course",
    "causality",
    "topics",
    "console",
    "console-key",
    "report",
    "why",
    "policy",
    "notifier",
    "relay",
]
RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("HOMEROOM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(screen.console, "width", 200)


def invoke(*arguments: str) -> Result:
    return RUNNER.invoke(cli.app, arguments)


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says on standard error when it ends with 2, through the console script's own main."""
    with pytest.raises(SystemExit) as ended:
        cli.main(lambda: cli.app(arguments))
    assert ended.value.code == 2
    output = capsys.readouterr().err
    assert "Traceback" not in output
    return output


def unused_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def test_these_are_all_commands() -> None:
    commands = cli.app.registered_commands
    single = [
        command.name or command.callback.__name__ for command in commands if command.callback is not None
    ]
    assert sorted([*single, *(str(command.name) for command in cli.app.registered_groups)]) == sorted(
        COMMANDS
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        *([name] for name in COMMANDS),
        ["topics", "create"],
        ["topics", "show"],
        ["policy", "check"],
    ],
)
def test_every_command_explains_itself(arguments: list[str]) -> None:
    result = invoke(*arguments, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output
    assert len(result.output.splitlines()) > 3


HEAVY = {
    *("apprise", "asyncio", "clickhouse_driver", "confluent_kafka", "fastapi", "faust", "jinja2", "numpy"),
    *("matplotlib", "pyarrow", "pydantic_settings", "rich", "river", "scipy", "uvicorn"),
}
"""What commands import in their bodies. (Typer imports pydantic by itself for options of some types.)"""

HELP = f"""
import sys
import cli.main
sys.argv = ["homeroom", *sys.argv[1:], "--help"]
try:
    cli.main.main()
finally:
    print(*sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [[], ["experiment", "size"], ["policy", "simulate"], ["check-events"]])
def test_whoever_asks_for_help_does_not_wait_for_what_takes_long_to_import(arguments: list[str]) -> None:
    """In a process of its own: this one has imported everything."""
    result = subprocess.run(
        [sys.executable, "-c", HELP, *arguments], capture_output=True, text=True, check=True
    )
    assert "Usage: " in result.stdout
    assert result.stderr.split() == []


def test_defaults_that_help_shows_are_those_of_the_modules_that_compute() -> None:
    assert (experiment.POWER, experiment.LEVEL) == (size.POWER, effects.LEVEL)
    assert get_args(policy.Strength) == get_args(recorded_past.Strength)


def test_a_simulated_term_is_written_as_valid_lines(tmp_path: Path) -> None:
    out = tmp_path / "term.jsonl"
    arguments = ["simulate", "--learners", "4", "--courses", "1", "--weeks", "4", "--out"]
    assert invoke(*arguments, str(out)).exit_code == 0
    lines = out.read_bytes().splitlines()
    types = {event_adapter.validate_json(line)["type"] for line in lines}
    assert {"calendar", "enrolled", "activity", "tick"} <= types
    assert invoke(*arguments, "-").stdout.encode().splitlines() == lines, "the same seed, the same bytes"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "--learners", "3", "--out", "t"], "expected at least two"),
        (["simulate", "--weeks", "2", "--out", "t"], "weeks: 2, expected at least 4"),
        (["simulate", "--speed", "0", "--out", "t"], "--speed is 0.0; expected more than 0, and"),
        (["replay"], "give one of PATH, --oulad and --events"),
        (["replay", "--oulad", "nowhere"], "nowhere"),
        (["query", "SELECT 1", "--folder", "nowhere"], "--folder nowhere: there is no store; run"),
        (["experiment", "show", "--folder", "nowhere"], "--folder nowhere: there is no store; run"),
        (["experiment", "size", "--effect", "0"], "effect is 0; expected a difference to be seen"),
    ],
)
def test_what_cannot_be_is_said_in_words(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert words in " ".join(fails(capsys, *arguments).replace("│", " ").split())


@pytest.mark.parametrize("command", [["query", "SELECT 1"], ["migrate"], ["experiment", "show"]])
def test_without_a_store_there_is_nothing_to_ask(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("HOMEROOM_STORE", "")
    assert fails(capsys, *command).startswith("homeroom: HOMEROOM_STORE is empty: there is no store to ")


def test_settings_are_listed_and_secrets_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2-hunter2-hunter2"
    monkeypatch.setenv("HOMEROOM_PSEUDONYM_KEY", secret)
    monkeypatch.setenv("HOMEROOM_STORE", f"clickhouse://me:{secret}@host/db")
    monkeypatch.setenv("HOMEROOM_PARTITIONS", "11")
    output = invoke("settings").output
    assert "HOMEROOM_PARTITIONS" in output
    assert "11" in output
    assert secret not in output
    assert "hunter2" not in output


def test_the_doctor_says_what_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, store = unused_port(), unused_port()
    monkeypatch.setenv("HOMEROOM_BROKER", f"127.0.0.1:{broker}")
    monkeypatch.setenv("HOMEROOM_STORE", f"clickhouse://127.0.0.1:{store}/homeroom")
    result = invoke("doctor")
    assert result.exit_code == 1
    wrong = [line for line in result.output.splitlines() if line.startswith("wrong")]
    assert [line.split()[1] for line in wrong] == ["pseudonyms:", "broker:", "store:"]
    assert str(broker) in wrong[1]
    assert str(store) in wrong[2]
    assert all(line.startswith(("wrong", "ok")) for line in result.output.splitlines())


def test_a_store_that_another_process_has_open_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As while `homeroom demo --serve` runs."""
    with EmbeddedStore(tmp_path / "store"):
        output = fails(capsys, "query", "SELECT 1", "--folder", str(tmp_path))
    assert "in use by another process" in output


def test_a_command_without_a_broker_or_a_store_says_only_its_own_line(tmp_path: Path) -> None:
    """In a process of its own: what the clients' libraries print goes past the test's capture."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOMEROOM_BROKER": f"127.0.0.1:{unused_port()}",
        "HOMEROOM_STORE": f"clickhouse://127.0.0.1:{unused_port()}/homeroom",
        "HOMEROOM_PSEUDONYM_KEY": "a secret of the tests",
    }
    homeroom = Path(sys.executable).with_name("homeroom")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (homeroom, *arguments), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    worker = run("worker")
    assert worker.returncode == 2
    expected = f"homeroom: no Kafka broker answers on {environment['HOMEROOM_BROKER']}: "
    assert worker.stderr.startswith(expected)
    assert worker.stderr.count("\n") == 1
    assert run("doctor").stderr == ""


@pytest.mark.kafka
def test_a_worker_without_its_topics_says_which_and_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, broker: Broker
) -> None:
    monkeypatch.setenv("HOMEROOM_BROKER", broker.address)
    monkeypatch.setenv("HOMEROOM_PREFIX", "absent.")
    monkeypatch.setenv("HOMEROOM_PSEUDONYM_KEY", "a secret of the tests")
    output = fails(capsys, "worker")
    assert "absent.homeroom.events does not exist, and 11 more; see `homeroom topics show`" in output


def test_a_notifier_without_a_broker_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{unused_port()}"
    monkeypatch.setenv("HOMEROOM_BROKER", address)
    monkeypatch.setattr(topic_reader, "BROKER_TIMEOUT_S", 1.0)
    output = fails(capsys, "notifier", "--once")
    assert "homeroom.nudges" in output
    assert "transport failure" in output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an embedded store that ran once."""
    folder = tmp_path_factory.mktemp("data")
    with EmbeddedStore(folder / "store") as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOMEROOM_STORE", address.url())
        assert "up to date" not in invoke("migrate").output
        assert invoke("migrate").output == "up to date\n"
        output = invoke("doctor").output
        assert f"answers on {address}" in output
        assert "migrations: up to date" in output
        assert "risk_now" in invoke("query", "SHOW TABLES").output
        with ClickHouseWriter(address) as writer:
            counts = {"activity.grade": 1_200, "calendar.room": 3}
            writer.write("unknown_fields", unknown_rows(counts, date(2024, 2, 1), 0, 1))
        output = invoke("doctor").output
        assert "field activity.grade: 1,200 records within a week, the last on 2024-02-01" in output
        assert output.index("field activity.grade") < output.index("field calendar.room")
    return folder


def test_a_stopped_store_can_still_be_asked(folder: Path) -> None:
    arguments = ["query", "SELECT count() AS n, 'a' AS word FROM risk_changes", "--folder", str(folder)]
    assert json.loads(invoke(*arguments, "--json").output) == {"n": 0, "word": "a"}


def test_nothing_can_be_changed_by_a_query(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = fails(capsys, "query", "DROP TABLE risk_changes", "--folder", str(folder))
    assert output.startswith("homeroom: ")


def test_a_policy_is_checked_with_the_line_of_every_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("name: mine\neffective_from: 2026-02-01\n", encoding="utf-8")
    assert "campaigns reach-out, in force from 2026-02-01" in invoke("policy", "check", str(file)).output
    file.write_text("name: mine\ncaps:\n  - {most: 0, days: 7}\nquite_hours: null\n", encoding="utf-8")
    output = fails(capsys, "policy", "check", str(file)).splitlines()
    assert "line 3, column 12: caps[0].most: found '0'" in output[0]
    assert "line 4, column 1: quite_hours: is no setting" in output[1]


def test_a_policy_is_tried_on_a_simulated_term(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("name: mine\nnudge_while_warming_up: true\nholdout_share: 0\n", encoding="utf-8")
    output = invoke("policy", "simulate", str(file), "--learners", "40").output
    assert "policy mine-" in output
    assert "level not nudged" in output
    assert "reach-out" in output


def test_nobody_knows_a_learner_of_an_empty_store(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "knows no such learner" in fails(capsys, "why", "ann", "--folder", str(folder))


@pytest.mark.parametrize("arguments", [["demo"], ["demo", "--serve"], ["replay", "--events", "events.jsonl"]])
def test_a_folder_with_somebody_s_papers_is_left_alone(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEROOM_CONSOLE_PORT", str(unused_port()))
    (tmp_path / "papers" / "store").mkdir(parents=True)
    (tmp_path / "papers" / "store" / "thesis.txt").write_text("years of work")
    (tmp_path / "events.jsonl").write_bytes(b"")
    output = fails(capsys, *arguments, "--folder", "papers")
    assert output.count("\n") == 1
    assert "--folder papers: holds things that homeroom did not put there" in output
    assert [path.name for path in (tmp_path / "papers").rglob("*")] == ["store", "thesis.txt"]
    assert (tmp_path / "papers" / "store" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--learners", "3"], "expected at least two"),
        (["demo", "--serve"], "HOMEROOM_CONSOLE_HOST and _PORT"),
    ],
)
def test_a_demo_that_cannot_be_leaves_the_one_before(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with claim_folder(tmp_path / "demo", "demo"):
        (tmp_path / "demo" / "store").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        monkeypatch.setenv("HOMEROOM_CONSOLE_PORT", str(occupied.getsockname()[1]))
        output = " ".join(fails(capsys, *arguments, "--folder", "demo").replace("│", " ").split())
    assert words in output
    assert (tmp_path / "demo" / "store").is_dir()


@pytest.mark.parametrize(
    "arguments",
    [
        ["simulate", "--learners", "4", "--courses", "1", "--weeks", "4", "--out", "thesis"],
        ["replay", "--events", "-", "--summary-json", "thesis"],
        ["report", "--course", "BBB/2014B", "--week", "1", "--out", "thesis"],
        ["evaluate", "--oulad", "oulad", "--test", "2014B", "--out", "e.csv", "--report", "thesis"],
        ["evaluate", "--oulad", "oulad", "--test", "2014B", "--out", "e.csv", "--json", "thesis"],
        ["evaluate", "--oulad", "oulad", "--test", "2014B", "--out", "thesis.csv"],
        ["fairness", "--oulad", "oulad", "--estimates", "e.csv", "--report", "thesis"],
        ["new-course", "--oulad", "oulad", "--json", "thesis"],
        ["causality", "--oulad", "oulad", "--test", "2014B", "--day", "3", "--json", "thesis"],
    ],
)
def test_no_command_writes_over_what_is_there_and_says_so_before_the_work(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "oulad")
    for name in ("thesis", "thesis.csv"):
        (tmp_path / name).write_text("years of work")
    before = sorted(tmp_path.rglob("*"))
    output = fails(capsys, *arguments)
    assert "is there already; expected a new file; --force replaces it" in output
    assert output.count("\n") == 1
    assert (tmp_path / "thesis").read_text() == (tmp_path / "thesis.csv").read_text() == "years of work"
    assert sorted(tmp_path.rglob("*")) == before


def test_force_writes_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "term.jsonl").write_text("old")
    arguments = ["simulate", "--learners", "4", "--courses", "1", "--weeks", "4", "--out", "term.jsonl"]
    assert invoke(*arguments, "--force").exit_code == 0
    assert (tmp_path / "term.jsonl").read_text().startswith("{")


def test_migrations_are_not_taken_back_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedStore(tmp_path / "store") as address:
        monkeypatch.setenv("HOMEROOM_STORE", address.url())
        assert invoke("migrate").exit_code == 0
        output = fails(capsys, "migrate", "--target", "1")
        assert "drops their tables and columns with all that is in them; expected --force with it" in output
        assert invoke("migrate").output == "up to date\n"
        assert "down" in invoke("migrate", "--target", "0", "--force").output


def test_a_result_is_shown_as_it_is_and_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Rich would take for its own words, and more than a line of 80 columns."""
    monkeypatch.setattr(screen.console, "width", 80)
    sql = f"SELECT '[x] [/red] :x:' AS `[bold]`, '{'long ' * 30}' AS b, char(27) || '[2J' AS c"
    output = invoke("query", sql, "--folder", str(folder)).output
    for words in ("[x] [/red] :x:", "[bold]", ("long " * 30).strip(), "\\x1b[2J"):
        assert words in output
    assert "\x1b" not in output
    assert "…" not in output


def test_a_query_is_answered_in_the_form_that_it_names(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql, where = "SELECT number AS n, 'a,b' AS word FROM numbers(2) FORMAT ", ("--folder", str(folder))
    assert invoke("query", sql + "CSV", *where).output == '0,"a,b"\n1,"a,b"\n'
    assert invoke("query", sql + "TSVWithNames", *where).output == "n\tword\n0\ta,b\n1\ta,b\n"
    assert "FORMAT Arrow: expected one of CSV" in fails(
        capsys, "query", sql + "Arrow", "--folder", str(folder)
    )


@pytest.mark.parametrize("width", [80, 60])
def test_settings_are_listed_whole_on_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen.console, "_width", width)
    monkeypatch.setattr(screen.console, "_force_terminal", True)
    output = invoke("settings").output
    for part in (Settings, NotifierSettings, RelaySettings):
        for name in part.model_fields:
            assert f"{part.model_config['env_prefix']}{name.upper()} " in output
    assert "…" not in output


def test_the_release_is_told() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert invoke("--version").output == f"homeroom {project['project']['version']}\n"


def test_what_the_system_refuses_is_told_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "out")

    monkeypatch.setattr(sources, "_write_lines", full)
    output = fails(capsys, "simulate", "--learners", "4", "--out", "out")
    assert output == "homeroom: out: No space left on device\n"


def test_a_replay_of_what_is_no_file_or_no_presentation_starts_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise AssertionError("started")

    monkeypatch.setattr(Rig, "__enter__", started)
    write(tmp_path / "oulad")
    (tmp_path / "false.gz").write_text("{}")
    assert "'gone.jsonl': cannot be read: No such file" in fails(capsys, "replay", "--events", "gone.jsonl")
    assert "expected gzip or Zstandard" in fails(capsys, "replay", "--events", "false.gz")
    output = fails(capsys, "replay", "--oulad", "oulad", "--presentations", "BBB/2099J")
    assert "is not in the folder; expected some of" in " ".join(output.replace("│", " ").split())
