"""Enrolments and runs that end other than planned: what is learned of them, and that state is let go."""

import pytest

from online_models.labels import FORGOTTEN_AFTER, SILENCE_HORIZON
from schemas.quality import DayQuality, QualityVerdict
from tests.engine.test_processor import Bench, calendar, click, fact, sorted_by_time, ticks
from tests.streams.pipeline import START


def learned(bench: Bench) -> float:
    return bench.packages[-1].metrics["examples"]


@pytest.mark.parametrize("result", [None, "fail"])
def test_who_never_starts_is_estimated_every_day_and_learned_as_lost(result: str | None) -> None:
    ends = [] if result is None else [fact("completed", 30.5, result=result)]
    records = [calendar(days=30), fact("enrolled", -1), *ends]
    bench = Bench().feed(sorted_by_time([*records, *ticks(30 + SILENCE_HORIZON + 3)]))
    assert sorted(bench.risk) == list(range(1, 31))
    assert bench.examples
    assert {example.label for example in bench.examples} == {True}
    assert not any(example.exits for example in bench.examples), "who never came did not leave"
    assert learned(bench) == len(bench.examples)


def test_who_withdraws_before_the_start_is_nobodys_example() -> None:
    records = [calendar(days=30), fact("enrolled", -2), fact("withdrawn", -1)]
    bench = Bench().feed(sorted_by_time([*records, *ticks(34)]))
    assert (bench.examples, bench.risk) == ([], {})


@pytest.mark.parametrize(("announced", "matured"), [(20, 25), (40, 40)])
def test_a_run_that_ends_early_is_learned_from_when_that_is_known(announced: int, matured: int) -> None:
    """Said before its new end, or long after it."""
    shorter = calendar(days=25, at=announced)
    records = [calendar(days=60), shorter, fact("enrolled", -1), click(1), click(9)]
    bench = Bench().feed(sorted_by_time([*records, fact("withdrawn", 22), *ticks(66)]))
    assert {example.matured - START for example in bench.examples} == {matured}
    assert {example.label for example in bench.examples} == {True}
    assert max(bench.risk) <= 25


def test_in_a_run_that_ended_early_nobody_is_estimated_any_more() -> None:
    records = [
        calendar(days=60),
        calendar(days=25, at=20),
        fact("enrolled", -1),
        *(click(day) for day in range(40)),
    ]
    bench = Bench().feed(sorted_by_time([*records, *ticks(45)]))
    assert max(bench.risk) == 25


def blind(bench: Bench, since: int, until: int) -> None:
    """Nothing was seen of the run on these days of it."""
    verdict = QualityVerdict(
        source="lms",
        course_run=None,
        kind=None,
        problem="quiet",
        since=START + since,
        observed=0,
        expected=9,
        surprise=20,
        course_runs=["c/r"],
    )
    package = bench.packages[-1].model_copy(
        update={"day": START + until - 1, "quality": DayQuality(verdicts=[verdict])}
    )
    bench.processor.state.unobserved_days.update(package)


@pytest.mark.parametrize(
    ("since", "until", "labels"),
    [
        (31, 33, set()),  # of thirty silent days two were the tracker's
        (31, 32, {True}),
        (40, 45, set()),
        (20, 30, {True}),  # before their last day
        (60, 70, {True}),  # after the end
    ],
)
def test_where_no_result_comes_unseen_days_are_no_silence(since: int, until: int, labels: set[bool]) -> None:
    records = [calendar(days=60), fact("enrolled", -1), click(1), click(30.5)]
    bench = Bench().feed(sorted_by_time([*records, *ticks(59)]))
    blind(bench, since, until)
    bench.feed(ticks(60 + SILENCE_HORIZON + 3, since=60))
    assert {example.label for example in bench.examples} == labels


def test_who_fails_did_not_leave_on_unseen_days() -> None:
    records = [calendar(days=60), fact("enrolled", -1), click(1), click(30.5)]
    failed = fact("completed", 60.5, result="fail")
    for since, left in ((40, False), (10, True)):
        bench = Bench().feed(sorted_by_time([*records, *ticks(59)]))
        blind(bench, since, since + 5)
        bench.feed(sorted_by_time([failed, *ticks(63, since=60)]))
        assert {example.label for example in bench.examples} == {True}
        assert any(example.exits for example in bench.examples) == left


def test_a_result_that_comes_after_the_horizon_changes_nothing() -> None:
    late = fact("completed", 30 + SILENCE_HORIZON + 10, result="pass")
    records = [calendar(days=30), fact("enrolled", -1), click(1), click(25), late]
    bench = Bench().feed(sorted_by_time([*records, *ticks(30 + SILENCE_HORIZON + 13)]))
    assert bench.examples == [], "of who was there to the end nothing is known"
    assert bench.processor.state.slots == {}


def test_where_no_calendar_ever_comes_an_enrolment_is_let_go_after_a_year_of_nothing() -> None:
    records = [fact("enrolled", -1), click(1), fact("enrolled", -1, learner="other")]
    bench = Bench().feed(sorted_by_time([*records, *ticks(FORGOTTEN_AFTER)]))
    assert len(bench.processor.state.slots) == 2
    bench.feed(ticks(FORGOTTEN_AFTER + 5, since=FORGOTTEN_AFTER + 1))
    assert bench.processor.state.slots == {}
    assert bench.examples == []
