"""``homeroom experiment``: the quoted size, and effects read back from a real store."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import main as cli
from output import screen
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter
from tests.stores import fresh_database, real_server_or_embedded

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with real_server_or_embedded(tmp_path_factory.mktemp("store")) as address:
        yield address


@pytest.fixture
def outcomes(
    server: StoreAddress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ClickHouseWriter]:
    """A store's empty database, which the settings name."""
    with fresh_database(server) as address, ClickHouseWriter(address) as writer:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOMEROOM_STORE", address.url())
        monkeypatch.setattr(screen.console, "width", 200)
        yield writer


def write(writer: ClickHouseWriter, arm: str, known: int, happened: int, **more: object) -> None:
    row = {
        "outcome": "active_7",
        "course_run": "BBB/2014B",
        "campaign": "reach-out",
        "variant": "" if arm == "holdout" else "plain",
        "arm": arm,
        "first": True,
        "propensity": 0.5,
        "decided": date(2014, 3, 1),
        "known": date(2014, 3, 7),
        "partition": 0,
    } | more
    columns = {name: [value] * known for name, value in row.items()}
    columns |= {
        "decision_id": [f"{arm}{sorted(more.items())}{number}" for number in range(known)],
        "learner": [f"{arm}{number}" for number in range(known)],
        "happened": [number < happened for number in range(known)],
    }
    writer.write("nudge_outcomes", columns)


def cells(output: str, *beginning: str) -> list[str]:
    """The cells of the table's row that begins so."""
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines()]
    return next(row for row in rows if tuple(row[: len(beginning)]) == beginning)


def test_the_size_that_the_project_quotes() -> None:
    result = RUNNER.invoke(cli.app, ["experiment", "size", "--base", "0.44", "--effect", "0.02"])
    assert cells(result.output, "once, at the end") == ["once, at the end", "9,712", "9,712", "19,424"]


def test_nothing_is_claimed_before_anything_is_known(outcomes: ClickHouseWriter) -> None:
    assert "no outcome is known yet" in RUNNER.invoke(cli.app, ["experiment", "show"]).output


def test_effects_come_from_first_exposures_and_say_what_they_are_worth(outcomes: ClickHouseWriter) -> None:
    for _ in range(2):  # a redelivery writes the same rows again
        write(outcomes, "nudged", 1_000, 560)
        write(outcomes, "holdout", 1_000, 440)
    write(outcomes, "nudged", 400, 400, first=False)
    write(outcomes, "nudged", 50, 50, outcome="active_14")
    write(outcomes, "nudged", 1_000, 300, outcome="exit")
    write(outcomes, "holdout", 1_000, 310, outcome="exit")
    shown = RUNNER.invoke(cli.app, ["experiment", "show"]).output
    row = cells(shown, "reach-out", "all", "active_7")
    assert row[3:6] == ["56.0% of 1,000", "44.0% of 1,000", "+12.0"]
    assert row[7] == "helps"
    assert cells(shown, "reach-out", "plain", "active_7")[3:] == row[3:]
    assert cells(shown, "reach-out", "all", "active_14")[3:] == [
        "100.0% of 50",
        "nobody yet",
        "",
        "",
        "not yet known",
        "too few",
    ]
    assert cells(shown, "reach-out", "all", "exit")[7:] == ["not yet known", "could see 5.9 points"]
    write(outcomes, "nudged", 200, 100, variant="learned", propensity=0.3)
    write(outcomes, "nudged", 200, 100, variant="learned", propensity=0.1, course_run="BBB/2014J")
    shown = RUNNER.invoke(cli.app, ["experiment", "show"]).output
    assert cells(shown, "reach-out", "all", "active_7")[3] == "54.3% of 1,400"
    assert "learned" not in shown, "it went to other learners than its siblings"
    once = RUNNER.invoke(cli.app, ["experiment", "show", "--at-the-end"]).output
    assert cells(once, "reach-out", "plain", "active_7")[6] != row[6]


def test_outcomes_can_be_told_apart_on_a_narrow_terminal(
    outcomes: ClickHouseWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(outcomes, "nudged", 50, 50)
    write(outcomes, "nudged", 50, 50, outcome="active_14")
    monkeypatch.setattr(screen.console, "width", 80)
    shown = RUNNER.invoke(cli.app, ["experiment", "show"]).output
    assert "active_7" in shown
    assert "active_14" in shown


def test_a_a_splits_the_nudged_and_finds_nothing(outcomes: ClickHouseWriter) -> None:
    write(outcomes, "nudged", 2_000, 900)
    write(outcomes, "holdout", 500, 0)
    shown = RUNNER.invoke(cli.app, ["experiment", "show", "--a-a"]).output
    row = cells(shown, "reach-out", "all", "active_7")
    halves = [int(cell.split(" of ")[1].replace(",", "")) for cell in row[3:5]]
    assert sum(halves) == 2_000
    assert min(halves) > 900
    assert row[7] == "not yet known"


def test_what_if_everybody_had_got_one_variant(outcomes: ClickHouseWriter) -> None:
    write(outcomes, "nudged", 300, 180, variant="short", propensity=0.6)
    write(outcomes, "nudged", 100, 40, variant="long", propensity=0.2)
    write(outcomes, "holdout", 100, 30, propensity=0.2)
    shown = RUNNER.invoke(cli.app, ["experiment", "instead", "reach-out"]).output
    for name, value in (("short", "60.0 ("), ("long", "40.0 ("), ("no nudge", "30.0 (")):
        assert cells(shown, name)[2].startswith(value), "self-normalised"
    assert cells(shown, "short")[1].startswith("60.0 (")
    write(outcomes, "nudged", 99, 99, variant="seldom", propensity=0.01)
    shown = RUNNER.invoke(cli.app, ["experiment", "instead", "reach-out"]).output
    assert cells(shown, "seldom")[1:] == [*["not yet known"] * 3, "99"]
    wrong = RUNNER.invoke(cli.app, ["experiment", "instead", "no-such"])
    assert wrong.exit_code == 2
