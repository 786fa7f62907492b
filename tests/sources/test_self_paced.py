"""Self-paced runs of the simulator: a clock for each learner, and the stream never contradicts the truth."""

from collections import defaultdict
from typing import Any

import numpy as np
import orjson
import pytest

from schemas.inbound import event_adapter
from sources.simulator import RespondingTerm, ResponsePlan, Run, SimulationPlan, stream, total, truth
from sources.stream import DAY

PLAN = SimulationPlan((Run("a", "open", 20_000, 40, 150, 10), Run("b", "dated", 20_010, 10, 30)), seed=5)
PACE = 70


@pytest.fixture(scope="module")
def bodies() -> list[dict[str, Any]]:
    return [orjson.loads(message.value) for message in stream(PLAN)]


def by_learner(bodies: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for body in bodies:
        if body.get("course_run") == "a/open" and "learner" in body:
            found[body["learner"]].append(event_adapter.validate_python(body))  # type: ignore[arg-type]
    return found


def day_of(message: dict[str, Any]) -> int:
    return int(message["occurred_at"].timestamp()) // DAY


def test_the_calendar_has_no_end_and_deadlines_of_each_learners_clock(bodies: list[dict[str, Any]]) -> None:
    open_run, dated = (body for body in bodies if body["type"] == "calendar")
    assert "ends_at" not in open_run
    assert "ends_at" in dated
    assert all(0 < deadline["due_after_days"] < PACE for deadline in open_run["deadlines"])
    assert not any("due_at" in deadline for deadline in open_run["deadlines"])


def test_learners_come_on_any_day_and_are_there_for_as_long_as_the_course_takes(
    bodies: list[dict[str, Any]],
) -> None:
    starts = []
    for messages in by_learner(bodies).values():
        days = {
            kind: [day_of(each) for each in messages if each["type"] == kind]
            for kind in ("enrolled", "activity")
        }
        (start,) = days["enrolled"]
        starts.append(start)
        assert all(start < day < start + PACE for day in days["activity"])
    quarters = np.histogram(np.array(starts) - 20_000, bins=4, range=(0, 280))[0]
    assert quarters.min() > len(starts) / 8


def test_the_stream_reveals_the_truth(bodies: list[dict[str, Any]]) -> None:
    hidden, found = truth(PLAN), by_learner(bodies)
    for learner, run, outcome, exit_day in zip(
        hidden.learner, hidden.course_run, hidden.outcome, hidden.exit_day.tolist(), strict=True
    ):
        if run != "a/open":
            continue
        messages = found[learner]
        start = next(day_of(each) for each in messages if each["type"] == "enrolled")
        last = max((day_of(each) for each in messages if each["type"] == "activity"), default=start)
        endings = [
            (each["type"], day_of(each)) for each in messages if each["type"] in ("withdrawn", "completed")
        ]
        if outcome in ("pass", "distinction"):
            assert endings == ([("completed", start + PACE)] if start + PACE < 20_280 else [])
        elif outcome == "withdrawn":
            assert endings == ([("withdrawn", exit_day)] if exit_day < 20_280 else [])
        else:
            assert endings == []
            assert exit_day in (last + 1, -1)


def test_a_dated_run_beside_it_is_as_it_would_be_alone(bodies: list[dict[str, Any]]) -> None:
    alone = [orjson.loads(message.value) for message in stream(SimulationPlan(PLAN.runs[1:], seed=5))]
    assert [body for body in alone if body.get("course_run")] == [
        body for body in bodies if body.get("course_run") == "b/dated"
    ]


def test_how_many_messages_there_will_be() -> None:
    plan = SimulationPlan.self_paced(400, seed=2)
    assert total(plan) == pytest.approx(sum(1 for _ in stream(plan)), rel=0.15)


def test_nobody_responds_to_nudges_in_it() -> None:
    with pytest.raises(ValueError, match="self-paced"):
        RespondingTerm(PLAN, ResponsePlan())
