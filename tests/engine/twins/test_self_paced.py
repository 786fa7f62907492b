"""Twins in a run without an end: the same learner, enrolled thirty days later, stands the same."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from evaluation.backtest import Backtest
from online_models import classifier
from schemas.fields import DAY_S
from schemas.learning import DayPackage
from sources.simulator import SimulationPlan, stream
from sources.stream import SourceMessage
from tests.streams.pipeline import REPLAY

PLAN = SimulationPlan.self_paced(260, weeks=34, pace_weeks=8, seed=4)
FIRST = PLAN.runs[0].starts_on
FROZEN = FIRST + 120
"""From this day on the model stays as it is, so that cohort and yardstick alone differ between two days."""

LATER = 30
TWINS = 10
MOST = 0.05
"""How far the twins may be apart: after thirty days the others in the course differ, and with them a
learner's rank among them and what their deadlines are worth."""


def moved(message: dict[str, Any]) -> dict[str, Any]:
    """A twin's message: thirty days later."""
    moment = datetime.fromisoformat(message["occurred_at"]) + timedelta(days=LATER)
    names = {name: f"twin/{message[name]}" for name in ("learner", "event_id")}
    return message | names | {"occurred_at": moment.isoformat()}


def with_twins() -> list[SourceMessage]:
    own: dict[str, list[SourceMessage]] = defaultdict(list)
    everything = list(stream(PLAN))
    for message in everything:
        if message.key is not None:
            own[message.key].append(message)
    since = FROZEN * DAY_S
    chosen = [name for name, messages in own.items() if since <= messages[0].occurred_at < since + 20 * DAY_S]
    for name in chosen[:TWINS]:
        for message in own[name]:
            body = moved(orjson.loads(message.value))
            at = message.occurred_at + LATER * DAY_S
            everything.append(SourceMessage(body["learner"], orjson.dumps(body), False, at))
    return sorted(everything, key=lambda message: (message.occurred_at, message.key is not None))


class Estimates:
    """Each learner's estimates by day, and the day's levels that changed."""

    def __init__(self, rules: Rules = REPLAY) -> None:
        self.by_learner: dict[str, dict[int, float]] = defaultdict(dict)
        self.states: set[str] = set()
        self._frozen: DayPackage | None = None
        self.backtest = Backtest(rules, Identity(b"twins"), on_day=self._note, amend=self._freeze)

    def _freeze(self, package: DayPackage) -> DayPackage:
        if package.day < FROZEN or self._frozen is None:
            self._frozen = package
        return package.model_copy(update={"open_model": self._frozen.open_model})

    def _note(self, day: int, processors: list[PartitionProcessor], _: DayPackage) -> None:
        for processor in processors:
            for scored in processor.scored:
                for slot, probability in zip(
                    scored.cohort.slots.tolist(), scored.probability.tolist(), strict=True
                ):
                    self.by_learner[processor.state.key(slot)[0]][day] = probability


@pytest.fixture(scope="module")
def estimates() -> Iterator[dict[str, dict[int, float]]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classifier, "MIN_EXAMPLES_PER_CLASS", 15)
        told = Estimates()
        told.backtest.run(with_twins())
        yield told.by_learner


def test_a_twin_who_enrols_thirty_days_later_has_the_same_estimates(
    estimates: dict[str, dict[int, float]],
) -> None:
    twins = [name for name in estimates if name.startswith("twin/")]
    assert len(twins) == TWINS
    apart = []
    for name in twins:
        own = {day + LATER: probability for day, probability in estimates[name.removeprefix("twin/")].items()}
        assert own.keys() == estimates[name].keys(), "both are scored on the same days of their clocks"
        apart += [abs(own[day] - estimates[name][day]) for day in own]
    assert 0 < max(apart) < MOST
