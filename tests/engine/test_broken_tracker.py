"""A tracker that breaks in the middle of a term, seen by the whole pure pipeline."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache

import orjson
import pytest

from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from evaluation.backtest import Backtest
from features.packed_arrays import unpack
from nudges.policy import Policy
from schemas.learning import DayPackage
from schemas.nudge import Nudge
from schemas.quality import DataQualityEvent, DayQuality
from schemas.risk import RiskChange
from sources.simulation.faults import Breakdown, broken
from sources.simulator import Run, SimulationPlan, stream
from sources.stream import DAY, Published
from tests.streams.pipeline import IDENTITY, REPLAY, START, logs_of, play

PAST, NOW = Run("a", "past", START, 5, 150), Run("b", "now", START + 28, 7, 160)
SINCE, UNTIL = START + 28 + 18, START + 28 + 25
PLAN = replace(SimulationPlan((PAST, NOW), seed=5), trackers=("web", "app"), until=UNTIL + 12)
RULES = replace(REPLAY, policy=Policy(holdout_share=0.0, nudge_while_warming_up=True))
LEVELS = ("low", "medium", "high")


@cache
def term() -> list[Published]:
    """The app sends nothing for a week."""
    return list(broken(stream(PLAN), [Breakdown("cut", SINCE * DAY, UNTIL * DAY, source="app")]))


@dataclass
class Recording:
    watched: bool = True
    outputs: Outputs = field(default_factory=Outputs)
    events: list[DataQualityEvent] = field(default_factory=list)
    leaving: dict[int, list[int]] = field(default_factory=dict)
    """By closed day: what the course run's level rests on."""

    def watch(self, _day: int, _processors: list[PartitionProcessor], package: DayPackage) -> None:
        self.events += package.quality.events
        if "b/now" in package.leaving:
            self.leaving[package.day] = unpack(package.leaving["b/now"]).tolist()

    def amend(self, package: DayPackage) -> DayPackage:
        return package if self.watched else package.model_copy(update={"quality": DayQuality()})

    def rises(self) -> list[RiskChange]:
        return [
            change
            for change in self.outputs.risk_changes
            if LEVELS.index(change.level) > LEVELS.index(change.previous_level)
        ]


@cache
def broken_run(watched: bool = True) -> Recording:
    recording = Recording(watched)
    backtest = Backtest(
        RULES, IDENTITY, say=recording.outputs.extend, watch=recording.watch, amend=recording.amend
    )
    backtest.run(term())
    return recording


def within(changes: list[RiskChange]) -> list[RiskChange]:
    """Those that rest on the days of the break, known from their close."""
    return [change for change in changes if SINCE < change.day <= UNTIL and change.course_run == "b/now"]


def test_it_is_told_on_its_day_and_when_it_is_back() -> None:
    events = [event for event in broken_run().events if event.day <= UNTIL]
    assert [(event.day, event.alarm, event.verdict.problem, event.verdict.source) for event in events] == [
        (SINCE, "opened", "quiet", "app"),
        (UNTIL, "closed", "quiet", "app"),
    ]
    assert events[0].verdict.course_runs == ["b/now"]


def test_nothing_rises_and_nobody_is_nudged_while_it_is_broken() -> None:
    assert within(broken_run(watched=False).rises()), "without the watch somebody would"
    assert within(broken_run().rises()) == []
    changes = {change.risk_change_id for change in within(broken_run().outputs.risk_changes)}
    sent = [nudge for nudge in broken_run().outputs.nudges if isinstance(nudge, Nudge)]
    assert [nudge for nudge in sent if nudge.risk_change_id in changes] == []


def test_changes_of_these_days_are_marked_and_decided_as_such() -> None:
    changes = {change.risk_change_id: change for change in within(broken_run().outputs.risk_changes)}
    assert changes, "falls go on"
    assert {change.data_quality for change in changes.values()} == {"suspect"}
    reasons = {
        decision.reason for decision in broken_run().outputs.decisions if decision.risk_change_id in changes
    }
    assert reasons == {"data_quality"}
    others = [
        change for change in broken_run().outputs.risk_changes if change.day <= SINCE or change.day > UNTIL
    ]
    assert {change.data_quality for change in others if change.day < UNTIL + 8} == {"ok"}


def test_these_days_say_nothing_of_the_runs_level() -> None:
    """Exit risk rises by silence that is nobody's, so neither it nor the withdrawals of these days count."""
    messages = [orjson.loads(message.value) for message in term()]
    days = [message["occurred_at"][:10] for message in messages if message["type"] == "withdrawn"]
    broken_days = [str(date(1970, 1, 1) + timedelta(day)) for day in range(SINCE + 1, UNTIL + 1)]
    assert set(days) & set(broken_days), "somebody withdraws on one of them"
    leaving = broken_run().leaving
    assert leaving[SINCE] != leaving[SINCE - 1], "nobody knew when its day began"
    assert all(leaving[day] == leaving[SINCE] for day in range(SINCE, UNTIL + 1))
    assert leaving[UNTIL + 1] != leaving[UNTIL]
    assert broken_run(watched=False).leaving[UNTIL] != leaving[UNTIL]


def test_levels_rise_again_when_enough_was_seen() -> None:
    days = [
        change.day for change in broken_run().rises() if change.course_run == "b/now" and change.day > UNTIL
    ]
    assert days
    assert min(days) >= UNTIL + 7


@pytest.mark.parametrize("partitions", [2, 4])
def test_any_number_of_partitions_gives_the_same(partitions: int) -> None:
    outputs = play(logs_of(term(), partitions), rules=RULES)
    messages = [
        *broken_run().outputs.risk_changes,
        *broken_run().outputs.decisions,
        *broken_run().outputs.nudges,
    ]
    assert sorted(outputs.messages.values(), key=repr) == sorted(messages, key=repr)


def test_a_crash_in_the_middle_changes_nothing() -> None:
    straight = play(logs_of(term()), rules=RULES)
    moments = frozenset((0, step) for step in range(20, 400, 9))
    crashes = frozenset((0, step) for step in range(25, 400, 31))
    assert play(logs_of(term()), rules=RULES, checkpoints=moments, crashes=crashes) == straight
    assert len(straight.messages) > 50
