"""Every option of every command, given odd values: an answer in words, never a traceback.

The command tree itself is walked, so an option that is added is tried too. Whatever a command does once its
options are found good (start a broker, a worker, a pass over all data) is replaced by a wall that says
that it got there: what is tried here is what comes before.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import console, doctor, stores
from cli import main as cli
from cli.wiring import ingest as ingesting
from cli.wiring import notifier as notifying
from cli.wiring import relay as relaying
from local.rig import Rig
from notifier import service
from sinks import store
from streams import source_publisher, topics
from streams.settings import SettingsError
from tests.evaluation.folders import write

GOOD: dict[str, list[str]] = {
    "worker": [],
    "notifier": [],
    "relay": [],
    "simulate": ["--learners", "4", "--courses", "1", "--weeks", "4"],
    "replay": ["--oulad", "oulad"],
    "ingest": [],
    "publish": ["events.jsonl"],
    "formats": [],
    "check-events": ["events.jsonl"],
    "demo": ["--learners", "4"],
    "console": [],
    "report": ["--course", "BBB/2014B", "--week", "1"],
    "console-key": ["ann"],
    "query": ["SELECT 1"],
    "why": ["ann"],
    "doctor": [],
    "migrate": [],
    "settings": [],
    "evaluate": ["--oulad", "oulad", "--test", "2014B", "--out", "new.csv"],
    "fairness": ["--oulad", "oulad", "--estimates", "e.csv"],
    "new-course": ["--oulad", "oulad"],
    "causality": ["--oulad", "oulad", "--test", "2014B", "--day", "30"],
    "topics create": [],
    "topics show": [],
    "experiment size": [],
    "experiment show": [],
    "experiment instead": ["reach-out"],
    "policy check": ["policy.yaml"],
    "policy simulate": ["policy.yaml", "--learners", "4"],
}
"""A call of each command that gets as far as the wall."""

ODD = [
    *("", " ", "-", "--", "-1", "0", "3", "1e9", "1e300", "1e-300", "1e400", "nan", "-inf", "٣٣٣"),
    *(
        "99999999999999999999",
        "2014B",
        "2026-02-30",
        "0000B",
        "Mars/Base",
        "[/red]",
        "%s%n{0}{x}",
        "a'b\"c`d;--",
    ),
    *("größer", "\udcff", "a\0b", "line\nbreak", "\x1b[2J", "x" * 300, "x" * 10_000),
    *("..", "/dev/null", "file", "file/in", "folder", "nowhere", "link", "dangling"),
    *("empty.gz", "latin.csv", "latin.yaml", "e.csv", "e.parquet", "oulad"),
]


class WallError(SettingsError):
    """A command's options were good, and it would have begun."""


def _wall(*_: Any, **__: Any) -> Any:
    raise WallError("as far as the wall")


def _options() -> Iterator[tuple[str, str]]:
    def walk(command: Any, path: str) -> Iterator[tuple[str, str]]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, f"{path} {name}".strip())
        if not hasattr(command, "commands"):
            for parameter in command.params:
                if parameter.name != "help" and not getattr(parameter, "is_flag", False):
                    yield path, parameter.opts[0] if parameter.param_type_name == "option" else ""

    yield from walk(typer.main.get_command(cli.app), "")


OPTIONS = list(_options())


@pytest.fixture(autouse=True)
def _folder_and_wall(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A working folder with odd things in it, and the wall."""
    for name in os.environ:
        if name.startswith("HOMEROOM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOMEROOM_PSEUDONYM_KEY", "a secret of the tests")
    monkeypatch.setenv("HOMEROOM_SOURCES", "sources.yaml")
    work = tmp_path / "work"
    (work / "folder").mkdir(parents=True)
    (work / "folder" / "mine").write_text("mine")
    (work / "oulad").symlink_to(OULAD[0])
    for name, content in {
        "file": b"mine",
        "empty.gz": b"",
        "sources.yaml": b"topics: [{name: campus, format: native}]\n",
        "latin.csv": b"learner,name\n\xe4,\xff\n",
        "latin.yaml": b"name: \xe4\n",
        "policy.yaml": b"name: mine\n",
        "events.jsonl": b'{"type": "tick", "occurred_at": "2026-01-01T00:00:00Z"}\n',
        "e.csv": b"code_module,day\nAAA,x\n",
        "e.parquet": b"PAR1",
    }.items():
        (work / name).write_bytes(content)
    (work / "link").symlink_to("folder")
    (work / "dangling").symlink_to("gone")
    monkeypatch.chdir(work)
    monkeypatch.setattr(Rig, "__enter__", _wall)
    for module, name in (
        (source_publisher, "publish"),
        (store, "wait_until_up"),
        (console, "console_keys"),
        (stores, "store_reader"),
        (stores, "store_at"),
        (doctor, "run_checks"),
        (notifying, "show"),
        (ingesting, "publish_files"),
        (topics, "require"),
        (topics, "create"),
        (topics, "describe"),
        (service, "serve"),
        (relaying, "run"),
    ):
        monkeypatch.setattr(module, name, _wall)
    for path in (
        "evaluation.command.estimate",
        "evaluation.causality.stream",
        "evaluation.new_course.compare",
        "evaluation.policies.simulated_term.simulate_term",
    ):
        monkeypatch.setattr(path, _wall)


OULAD: list[Path] = []


@pytest.fixture(scope="module", autouse=True)
def _oulad(tmp_path_factory: pytest.TempPathFactory) -> None:
    OULAD[:] = [write(tmp_path_factory.mktemp("oulad"))]


def answer(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str]:
    """The exit code and what is said, through the console script's own main."""
    with pytest.raises(SystemExit) as ended:
        cli.main(lambda: cli.app(arguments))
    output = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, output.err


def with_value(command: str, option: str, odd: str) -> list[str]:
    """The command's good call with one value replaced; the option added where the call has none of it."""
    arguments = list(GOOD[command])
    if option in arguments:
        index = arguments.index(option)
        del arguments[index : index + 2]
    elif not option and arguments:
        del arguments[0]
    return [*command.split(), *([f"{option}={odd}", *arguments] if option else [*arguments, "--", odd])]


def test_the_calls_are_of_all_commands_and_reach_the_wall(capsys: pytest.CaptureFixture[str]) -> None:
    assert {command for command, _ in OPTIONS} <= GOOD.keys()
    reached = {}
    for command, arguments in GOOD.items():
        code, output = answer(capsys, [*command.split(), *arguments])
        reached[command] = code == 0 or "as far as the wall" in output
    assert [command for command, there in reached.items() if not there] == ["fairness"], (
        "it reads its table first"
    )


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=[" ".join(one).strip() for one in OPTIONS])
def test_an_odd_value_is_an_answer_in_words(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for odd in ODD:
        code, output = answer(capsys, with_value(command, option, odd))
        assert code in (0, 1, 2), (odd, output)
        assert (code == 0) or output.strip(), f"{odd!r}: not a word"
    contents = {name: Path(name).read_bytes() for name in ("file", "folder/mine", "policy.yaml")}
    assert contents == {"file": b"mine", "folder/mine": b"mine", "policy.yaml": b"name: mine\n"}
    assert Path("link").is_symlink()
    assert Path("dangling").is_symlink()
