"""A pause is no silence: nobody is scored in it, and its days are not held against the learner."""

from typing import Any

import numpy as np
import pytest

from engine.day.cohorts import work_of
from engine.day.pauses import MAX_PAUSES, pauses_of
from engine.rules import Rules
from features.dates import NO_DATE
from nudges.levels import LevelSettings
from online_models.labels import EXIT_DAYS, SILENCE_HORIZON
from schemas.enrolment import INACTIVE_AFTER_DAYS
from schemas.fields import DAY_S
from tests.engine.test_processor import EAGER, Bench, calendar, click, fact, instant, sorted_by_time, ticks
from tests.streams.pipeline import REPLAY, START, Record

LONG = instant(400)
"""The end of a run whose share gone by hardly changes in a month."""

QUICK = Rules(
    timing=REPLAY.timing,
    levels=LevelSettings(
        medium_enter=0.5,
        medium_leave=0.49,
        high_enter=0.52,
        high_leave=0.51,
        confirm_days=1,
        unsure_days=1,
        unsure_band=0.0,
    ),
    policy=EAGER.policy.model_copy(update={"caps": ()}),
)


def pause(since: float, until: float | None, at: float | None = None, **more: Any) -> Record:
    days: dict[str, Any] = {
        "from_at": instant(since),
        "until_at": None if until is None else instant(until),
    }
    return fact("pause", since - 0.5 if at is None else at, **days, **more)


def played(*records: Record, days: int = 40, rules: Rules = REPLAY, **run: Any) -> Bench:
    """One learner who is active on every day up to the tenth."""
    head = [calendar(**run), fact("enrolled", -1), *(click(day + 0.5) for day in range(10))]
    return Bench(rules).feed(sorted_by_time([*head, *records, *ticks(days)]))


def test_nobody_is_scored_in_a_pause_and_stands_afterwards_as_before() -> None:
    paused, silent = played(pause(10, 24), days=31, ends_at=LONG), played(days=31, ends_at=LONG)
    assert not set(range(10, 24)) & paused.risk.keys()
    assert paused.risk.keys() | set(range(10, 24)) == silent.risk.keys()
    assert paused.risk[24] == pytest.approx(silent.risk[10], abs=0.02), "but for the share of the run gone by"
    assert silent.risk[24] > paused.risk[24] + 0.05
    assert paused.risk[30] == pytest.approx(silent.risk[16], abs=0.03), "then silence counts on"


def test_in_a_pause_no_level_changes_and_nothing_is_sent() -> None:
    bench = played(pause(10.5, 30), days=29, rules=QUICK, ends_at=LONG)
    days = {change.day - START for change in bench.outputs.risk_changes}
    assert not {day for day in days if day > 10}
    silent = played(days=29, rules=QUICK, ends_at=LONG)
    assert {change.day - START for change in silent.outputs.risk_changes} - days
    assert len(bench.outputs.nudges) < len(silent.outputs.nudges)


@pytest.mark.parametrize(
    ("since", "until", "cancelled"), [(0, None, True), (0, 60, True), (0, 1, False), (40, 39, False)]
)
def test_what_was_planned_is_cancelled_unless_the_pause_is_over(
    since: float, until: float | None, cancelled: bool
) -> None:
    bench = played(days=28, rules=QUICK, ends_at=LONG)
    sendings = bench.processor.state.learners["l"]["sendings"]
    sendings[-1][0] += 9 * DAY_S  # as a digest would be
    bench.feed([pause(since, until, at=28.1), *ticks(31, 28)])
    cancels = [decision.reason for decision in bench.outputs.decisions if decision.decision == "cancel"]
    assert cancels == (["paused"] if cancelled else [])
    assert [nudge.type for nudge in bench.outputs.nudges].count("nudge_cancelled") == cancelled


def test_a_pause_that_is_told_late_holds_from_the_next_close_on() -> None:
    early, late = played(pause(10, 24)), played(pause(10, 24, at=15.2))
    assert late.risk.keys() - early.risk.keys() == set(range(10, 16))
    assert {day: late.risk[day] for day in early.risk} == early.risk


def test_one_that_is_told_when_it_is_over_holds_too() -> None:
    early, late = played(pause(10, 24)), played(pause(10, 24, at=26.2))
    assert {late.risk[day] for day in range(27, 40)} == {early.risk[day] for day in range(27, 40)}
    assert late.risk[26] > late.risk[27]


@pytest.mark.parametrize(
    ("until", "since"),
    [(10, None), (9, None), (12, 12), (12.4, 13), (40, 40)],
    ids=["taken back", "backwards", "shorter", "within a day", "longer"],
)
def test_the_newest_of_those_with_the_same_begin_holds(until: float, since: int | None) -> None:
    bench = played(pause(10, 24), pause(10, until, at=9.9), pause(10, 17, at=2.2), days=45)
    scored = {day for day in bench.risk if day >= 10}
    assert scored == set(range(10 if since is None else since, 45))


def test_without_an_end_it_lasts() -> None:
    bench = played(pause(10, None))
    assert max(bench.risk) == 9
    bench.feed([pause(10, 43, at=41.5), *ticks(49, since=41)])
    assert sorted(bench.risk)[-6:] == list(range(43, 49))


def test_a_deadline_in_it_is_due_later() -> None:
    work = [
        {"assessment": name, "due_at": instant(day), "weight": 0.5} for name, day in (("a", 12), ("b", 30))
    ]
    bench = played(pause(10, 24), deadlines=work)
    state = bench.processor.state
    dates = work_of(state, 0, np.array([state.slots["l", "c/r"]])).dates
    assert (dates.due - START).tolist() == [[26], [30]]


def test_where_no_result_comes_a_pause_at_the_end_makes_no_loss() -> None:
    """Of who is silent at the end of the run without one, silence decides."""
    for records, labels in (((), {True}), ((pause(11, None),), set()), ((pause(11, 20),), {True})):
        bench = played(*records, days=60 + SILENCE_HORIZON + 3)
        assert {example.label for example in bench.examples} == labels


def test_in_a_run_without_an_end_it_makes_the_horizon_longer() -> None:
    bench = played(pause(12, 32), days=120, ends_at=None)
    assert max(bench.risk) == 9 + INACTIVE_AFTER_DAYS + 20
    waited = {example.day - START: example.matured - example.day + 1 for example in bench.examples}
    assert waited
    for day, days in waited.items():
        assert days == INACTIVE_AFTER_DAYS + EXIT_DAYS + (20 if day < 32 else 0)
    assert {example.label for example in bench.examples if example.day - START >= 11} == {True}


def test_only_the_latest_pauses_are_kept() -> None:
    many = [
        pause(0.1 * number, 0.1 * number + 0.05, at=0.5 + number / 1000) for number in range(MAX_PAUSES + 20)
    ]
    (attributes,) = played(*many).processor.state.attributes.values()
    assert len(attributes["pauses"]) == MAX_PAUSES
    assert pauses_of({"pauses": [[0, START, NO_DATE, 1], [1, START, START, 1]]}) == [(START, NO_DATE)]


def test_it_is_in_the_learners_history() -> None:
    facts = [
        row for row in played(pause(10, 24), pause(30, None)).rows("learner_facts") if row["fact"] == "pause"
    ]
    assert [row["detail"] for row in facts] == ["2024-10-14/2024-10-28", "2024-11-03/.."]
