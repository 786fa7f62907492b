"""Drift that was put into a simulated world, and a challenger that won: from the package to the boards."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evaluation.backtest import Backtest
from features.catalogue import FINGERPRINT
from online_models.trainer import Trainer
from schemas.learning import DayPackage, DayReport
from sinks.address import StoreAddress
from sinks.store import ClickHouseWriter, StoreReader
from sources.simulator import Run, SimulationPlan, stream
from sources.stream import DAY
from streams.trainer_agent import package_rows
from tests.grafana import queries as q
from tests.grafana.macros import View
from tests.online_models.test_challenger import labelled
from tests.stores import fresh_database, real_server_or_embedded
from tests.streams.pipeline import IDENTITY, REPLAY, START


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreAddress]:
    with real_server_or_embedded(tmp_path_factory.mktemp("store")) as address:
        yield address


def shown(store: StoreAddress, packages: list[DayPackage], chosen: str) -> list[tuple[Any, ...]]:
    """What the board *Model* shows of packages in a panel or an annotation."""
    with fresh_database(store) as address:
        with ClickHouseWriter(address) as writer:
            for package in packages:
                for table, columns in package_rows(package).rows.items():
                    writer.write(table, columns)
        first, last = (datetime.fromtimestamp(packages[end].day * DAY, UTC) for end in (0, -1))
        view = View(first, last + timedelta(hours=23), 86_400)
        with StoreReader(address) as reader:
            queries = [*q.panels("model"), *q.annotations("model")]
            (query,) = (query_ for query_ in queries if query_.title == chosen)
            return [*query.run(reader, q.offered("model", reader, view)).rows]


def test_inputs_that_shift_in_the_simulator_are_shown_and_marked(store: StoreAddress) -> None:
    """Two runs are learned from; in the third everybody does less."""
    runs = tuple(Run("a", f"run-{number}", START + 35 * number, 4, 300) for number in range(3))
    shifted = runs[2].starts_on
    packages: list[DayPackage] = []
    backtest = Backtest(REPLAY, IDENTITY, on_day=lambda _day, _processors, package: packages.append(package))
    backtest.run(
        stream(SimulationPlan(runs, seed=3, shift="behaviour", shifts_on=shifted, until=shifted + 9))
    )
    events = [event for package in packages for event in package.events]
    assert [(event.what, event.of) for event in events] == [("inputs_shifted", "a/run-2")]
    assert shifted <= events[0].day < shifted + 9

    day = str(datetime.fromtimestamp(events[0].day * DAY, UTC).date())
    ((on, what, of, figure),) = shown(store, packages, "Alarms about the model")
    assert (on, what, of, figure) == (
        day,
        "inputs_shifted",
        "a/run-2",
        pytest.approx(events[0].value, abs=1e-3),
    )
    ((_, title, text, _),) = shown(store, packages, "Model drifts or is replaced")
    assert (title, text) == ("inputs shifted", "a/run-2")


def test_a_challenger_that_wins_is_told_recorded_and_shown(store: StoreAddress) -> None:
    """What the first feature says is turned round: the model that forgets learns it anew, and wins."""
    trainer, packages = Trainer(1), list[DayPackage]()
    for day in range(24):
        report = DayReport(
            partition=0,
            day=START + day,
            part=0,
            parts=1,
            features=FINGERPRINT,
            examples=labelled(120, day, turned=day >= 8),
        )
        packages += trainer.receive(report)
    promotions = [
        event for package in packages for event in package.events if event.what == "challenger_promoted"
    ]
    assert promotions
    won = next(package for package in packages if package.day == promotions[0].day)
    assert won.model.model_version == promotions[0].of
    assert promotions[0].of.endswith("-p1")
    assert won.metrics["promotions"] == 1
    evidence = [package.metrics["challenger_evidence"] for package in packages if package.day < won.day]
    assert max(evidence) < 2
    assert won.metrics["challenger_rounds"] == 0, "the contest begins anew"

    rows = shown(store, packages, "Alarms about the model")
    assert [row[2] for row in rows if row[1] == "challenger_promoted"] == [
        promotion.of for promotion in reversed(promotions)
    ]
    marks = [row[1:3] for row in shown(store, packages, "Model drifts or is replaced")]
    assert ("challenger promoted", promotions[0].of) in marks
    curve = [row[-1] for row in shown(store, packages, "Evidence for the challenger")]
    assert len(curve) == len(packages)
