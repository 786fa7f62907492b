"""The simulator: the same plan gives the same bytes, and the stream never contradicts the truth."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import Any, cast

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.inbound import event_adapter
from sources.simulator import NO_EXIT, Run, SimulationPlan, stream, total, truth
from sources.stream import DAY, Published

START = 20_000
RUN = Run("maths", "spring", START, 10, 150)
OTHER = Run("music", "spring", START + 3, 8, 60)
PLAN = SimulationPlan((RUN, OTHER), seed=5)


@pytest.fixture(scope="module")
def messages() -> list[Published]:
    return list(stream(PLAN))


@pytest.fixture(scope="module")
def bodies(messages: list[Published]) -> list[dict[str, Any]]:
    return [orjson.loads(message.value) for message in messages]


def test_every_message_keeps_the_contract_and_its_own_record(messages: list[Published]) -> None:
    for message in messages:
        body: Any = event_adapter.validate_json(message.value)
        assert int(body["occurred_at"].timestamp()) == message.occurred_at
        assert message.broadcast == (body["type"] in ("calendar", "tick"))
        assert message.key == (None if message.broadcast else body["learner"])


def test_time_never_goes_back_and_ids_are_unique(
    messages: list[Published], bodies: list[dict[str, Any]]
) -> None:
    times = [message.occurred_at for message in messages]
    assert times == sorted(times)
    ids = [body["event_id"] for body in bodies if body["type"] != "tick"]
    assert len(ids) == len(set(ids))


def test_the_seed_decides(messages: list[Published]) -> None:
    assert list(stream(PLAN)) == messages
    assert list(islice(stream(replace(PLAN, seed=6)), 500)) != messages[:500]


def test_a_run_is_the_same_whichever_others_are_in_the_plan(messages: list[Published]) -> None:
    alone = [message.value for message in stream(SimulationPlan((RUN,), seed=5), ticks=False)]
    among = [message.value for message in messages if b'"course_run":"maths/spring"' in message.value]
    assert alone == among


@settings(max_examples=8, deadline=None)
@given(until=st.integers(START - 50, START + 80))
def test_a_stream_cut_short_is_the_beginning_of_the_whole(until: int) -> None:
    small = SimulationPlan((replace(RUN, learners=20),), seed=5)
    whole = [message for message in stream(small, ticks=False) if message.occurred_at < until * DAY]
    assert list(stream(replace(small, until=until), ticks=False)) == whole


def test_single_clicks_are_the_sessions_clicks_one_by_one() -> None:
    plan = SimulationPlan((replace(RUN, learners=40),), seed=5)

    def clicks(detail: Any) -> tuple[Counter[tuple[str, str, str]], int]:
        counts: Counter[tuple[str, str, str]] = Counter()
        events = 0
        for message in stream(replace(plan, detail=detail), ticks=False):
            body = orjson.loads(message.value)
            if body["type"] == "activity":
                events += 1
                counts[body["learner"], body["kind"], body["occurred_at"][:10]] += body["count"]
        return counts, events

    (by_click, clicked), (by_session, sessions) = clicks("clicks"), clicks("sessions")
    assert by_click == by_session
    assert clicked > 3 * sessions


def test_the_stream_reveals_the_truth_and_nothing_contradicts_it(bodies: list[dict[str, Any]]) -> None:
    hidden = truth(PLAN)
    fate = {learner: place for place, learner in enumerate(hidden.learner)}
    said: dict[str, str] = {}
    last: dict[str, int] = {}
    for body in bodies:
        event: Any = event_adapter.validate_python(body)
        day = int(event["occurred_at"].timestamp()) // DAY
        if body["type"] == "activity":
            assert body["learner"] not in said, "active after leaving"
            last[body["learner"]] = day
        elif body["type"] == "withdrawn":
            said[body["learner"]] = "withdrawn"
            assert hidden.exit_day[fate[body["learner"]]] == day
        elif body["type"] == "completed":
            said[body["learner"]] = body["result"]
    assert [said[learner] for learner in hidden.learner] == hidden.outcome
    assert [learner not in last for learner in hidden.learner] == hidden.never_started.tolist()
    for learner, outcome, exit_day in zip(hidden.learner, hidden.outcome, hidden.exit_day, strict=True):
        if outcome == "fail" and exit_day != NO_EXIT:
            assert last[learner] + 1 == exit_day
        if outcome in ("pass", "distinction"):
            assert exit_day == NO_EXIT
    assert hidden.lost.tolist() == [outcome in ("fail", "withdrawn") for outcome in hidden.outcome]


def test_submissions_name_deadlines_of_the_calendar_and_are_scored_once(bodies: list[dict[str, Any]]) -> None:
    due = {
        (body["course_run"], deadline["assessment"])
        for body in bodies
        if body["type"] == "calendar"
        for deadline in body["deadlines"]
    }
    handed_in = [body for body in bodies if body.get("kind") == "submission"]
    assert {(body["course_run"], body["object"]) for body in handed_in} == due
    assert all("score" in body for body in handed_in)
    once = Counter((body["learner"], body["object"]) for body in handed_in)
    assert set(once.values()) == {1}


def test_better_results_come_with_better_scores_and_more_days(bodies: list[dict[str, Any]]) -> None:
    hidden = truth(PLAN)
    outcome = dict(zip(hidden.learner, hidden.outcome, strict=True))
    scores: dict[str, list[float]] = {}
    for body in bodies:
        if body.get("kind") == "submission":
            scores.setdefault(outcome[body["learner"]], []).append(body["score"])
    means = [np.mean(scores[name]) for name in ("distinction", "pass", "fail")]
    assert means == sorted(means, reverse=True)


def test_progress_only_grows(bodies: list[dict[str, Any]]) -> None:
    latest: dict[str, float] = {}
    for body in bodies:
        if "progress" in body:
            assert body["progress"] >= latest.get(body["learner"], 0.0)
            latest[body["learner"]] = body["progress"]
    assert max(latest.values()) > 0.3


def test_a_terms_past_runs_end_before_the_present_ones_are_under_way() -> None:
    plan = SimulationPlan.term(learners=400, courses=2, weeks=12, elapsed=0.5)
    assert sum(run.learners for run in plan.runs) == 400
    past, present = plan.runs[::2], plan.runs[1::2]
    assert [run.course for run in past] == [run.course for run in present]
    for before, now in zip(past, present, strict=True):
        assert before.starts_on + before.days == now.starts_on + 14
    results = {
        orjson.loads(message.value)["course_run"]
        for message in stream(plan, ticks=False)
        if b'"type":"completed"' in message.value
    }
    assert results == {run.course_run for run in past}


@pytest.mark.parametrize("detail", ["sessions", "clicks"])
@pytest.mark.parametrize("elapsed", [0.5, 1.0])
def test_total_is_about_right(detail: Any, elapsed: float) -> None:
    plan = SimulationPlan.term(learners=600, weeks=12, detail=detail, elapsed=elapsed)
    count = sum(1 for _ in stream(plan))
    assert 0.8 * count <= total(plan) <= 1.25 * count


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: SimulationPlan(()), r"runs: \(\), expected at least one"),
        (lambda: SimulationPlan((RUN, RUN)), "runs: .*expected each course and run once"),
        (lambda: SimulationPlan((replace(RUN, weeks=1),)), "runs: .*weeks=1.*expected weeks ≥ 4"),
        (lambda: replace(PLAN, detail=cast(Any, "none")), "detail: 'none', expected 'clicks' or 'sessions'"),
        (lambda: SimulationPlan.term(learners=3), "learners: 3, expected at least two for each of 2 courses"),
        (lambda: SimulationPlan.term(elapsed=2), "past, elapsed: 0.4, 2, expected shares"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(make: Any, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        make()
