"""Baselines learn what the features hold, and only from what came before the test."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from engine.processor import PartitionProcessor
from evaluation import baselines
from evaluation.backtest import Backtest
from evaluation.figures import figures
from evaluation.outcomes import Bools, Outcomes
from evaluation.snapshots import SnapshotCollector, Snapshots
from features.catalogue import FEATURES, INDEX
from online_models.auc import auc
from online_models.design import RANKED
from schemas.learning import DayPackage
from sources.simulator import stream
from tests.evaluation.tables import outcomes_of
from tests.streams.pipeline import IDENTITY, REPLAY, START, tiny

OVER = 200
COUNT = 1500
SILENCE = INDEX["silence"]


def snapshots(code: str, lost: Bools, event_day: int) -> Snapshots:
    """One snapshot an enrolment; its silence tells who is lost four times in five."""
    rng, count = np.random.default_rng(event_day), len(lost)
    inputs = rng.integers(0, 60, (count, len(FEATURES) + len(RANKED))).astype(np.uint8)
    inputs[:, SILENCE] = np.where(lost ^ (rng.random(count) < 0.2), 30, 5)
    columns = (np.full(count, "AAA"), np.full(count, code), np.arange(count))
    return Snapshots(*columns, np.full(count, 14), np.full(count, event_day), np.full(count, OVER), inputs)


def both(test_at: int) -> tuple[Snapshots, Outcomes, Outcomes]:
    lost = np.arange(COUNT) % 5 < 2
    earlier = outcomes_of(lost.tolist())
    earlier = replace(earlier, presentation=np.full(COUNT, "2013J"))
    train, test = snapshots("2013J", lost, 100), snapshots("2014B", lost, test_at)
    columns = [np.concatenate([getattr(train, name), getattr(test, name)]) for name in Snapshots.__slots__]
    return Snapshots(*columns), earlier, outcomes_of(lost.tolist())


def test_every_method_finds_what_the_features_hold() -> None:
    tables = dict(baselines.estimates(*both(OVER + 10)))
    assert list(tables) == list(baselines.METHODS)
    lost = np.arange(COUNT) % 5 < 2
    for name, table in tables.items():
        risk = table["risk"].to_numpy()
        assert ((risk >= 0) & (risk <= 1)).all()
        assert auc(lost, risk) > 0.7, name


def test_their_tables_are_judged_as_ours_is() -> None:
    tested = both(OVER + 10)[2]
    for _, table in baselines.estimates(*both(OVER + 10)):
        figures_ = figures(table, tested)
        assert figures_.auc_weekly > 0.7
        assert [week.day for week in figures_.by_week] == [14]


def test_recency_is_the_share_lost_after_as_many_days_of_silence() -> None:
    estimates = dict(baselines.estimates(*both(OVER + 10)))["recency"]["risk"].to_numpy()
    train, _, _ = both(OVER + 10)
    silent = train.inputs[:COUNT, SILENCE] == 30
    lost = np.arange(COUNT) % 5 < 2
    assert set(estimates.tolist()) == {lost[silent].mean(), lost[~silent].mean()}


def test_stock_river_has_not_learned_from_a_run_that_has_not_ended() -> None:
    early = dict(baselines.estimates(*both(OVER - 1)))["stock River"]["risk"].to_numpy()
    late = dict(baselines.estimates(*both(OVER)))["stock River"]["risk"].to_numpy()
    assert set(early.tolist()) == {0.5}
    assert len(set(late.tolist())) > 10


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    baselines.check()
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(ImportError, match=r"baselines: lightgbm cannot be loaded .* `make setup-dev`"):
        baselines.check()


def test_a_pass_leaves_weekly_features_of_every_enrolment_in_force() -> None:
    collector = SnapshotCollector()
    scored: dict[int, int] = {}

    def on_day(day: int, processors: list[PartitionProcessor], package: DayPackage) -> None:
        collector.on_day(day, processors, package)
        scored[day] = sum(
            len(scored_cohort.probability) for processor in processors for scored_cohort in processor.scored
        )

    Backtest(REPLAY, IDENTITY, partitions=2, on_day=on_day).run(stream(tiny()))
    snapshots_ = collector.snapshots()
    past = snapshots_.with_codes(["past"])
    assert sorted(set(past.day.tolist())) == [7, 14, 21, 28]
    assert set(past.module.tolist()) == {"a"}
    assert (past.event_day - past.day == START).all()
    assert (past.end_day == START + 28).all()
    first = START + 7
    assert int((snapshots_.event_day == first).sum()) == scored[first], "both partitions, whoever was scored"
    assert snapshots_.inputs.shape == (len(snapshots_), len(FEATURES) + len(RANKED))
