"""The twin table: everyday facts of platforms, and what each may do to an estimate."""

import pytest

from schemas.dead_letter import FIELD_REASONS
from tests.engine.twins.facts import TABLE, TWINS, WAITING, Bound, furthest, term
from tests.engine.twins.world import DUE


@pytest.mark.parametrize("bound", TABLE, ids=lambda bound: bound.twin)
def test_a_twin_stays_within_its_bound(bound: Bound) -> None:
    _, own, others = furthest(bound)
    assert abs(own - others) <= bound.most


def gap(name: str, since: float = -99, until: float = 99, original: str | None = None) -> float:
    """The largest distance between a twin's estimates and the original's."""
    told, of = term(), original or TWINS[name][0]
    pairs = zip(told.of(name, since, until), told.of(of, since, until), strict=True)
    return max(abs(one - other) for one, other in pairs)


def test_only_parts_of_records_are_refused() -> None:
    letters = term().letters
    assert {letter.reason for letter in letters} == FIELD_REASONS
    assert {letter.field for letter in letters} == {"score", "session", "progress"}
    assert all(letter.dead_letter_id.endswith(f":{letter.field}") for letter in letters)


@pytest.mark.parametrize(
    "name",
    [
        "graded at once",
        "nought for missing work",
        "enrolled every night",
        "one of two removed",
        "completed by a job",
        "sent again",
        "long names",
        "unknown fields",
    ],
)
def test_it_means_nothing_and_moves_nothing(name: str) -> None:
    assert len(term().of(name)) > 20
    assert gap(name) == 0.0


@pytest.mark.parametrize("name", ["progress every night", "progress fell back"])
def test_progress_is_no_activity_and_the_newest_holds(name: str) -> None:
    assert gap(name, original="progress once") == 0.0


def test_a_wrong_optional_field_is_as_if_it_were_not_there() -> None:
    assert gap("wrong fields", original="without sessions") == 0.0


def test_a_bonus_is_held_at_the_best_score() -> None:
    assert gap("a bonus", original="the best") == 0.0


def test_the_best_attempt_counts() -> None:
    """The second hand-in is an activity of its own, so the two are not the same to the last digit."""
    assert gap("a worse attempt") < 0.02


def test_work_that_waits_for_its_grade_is_neither_earned_nor_lost() -> None:
    told, (original, _) = term(), TWINS["graded later"]
    waiting, known = told.of("graded later"), told.of(original)
    assert max(one - other for one, other in zip(waiting, known, strict=True)) < WAITING
    assert not {"points", "earned", "reachable", "score_mean"} & set(told.reasons("graded later"))


def test_who_comes_back_is_scored_the_next_day() -> None:
    days = term().days("came back")
    assert {10, 13} <= days
    assert not {11, 12} & days
    assert gap_after("came back", 13) < 0.02, "all but the memory of two days is the same"


def gap_after(name: str, day: int) -> float:
    told, original = term(), TWINS[name][0]
    return max(
        abs(one - other) for one, other in zip(told.of(name, day), told.of(original, day), strict=True)
    )


def test_staff_is_not_scored_nor_in_the_cohort() -> None:
    told = term()
    assert told.days("staff") == set()
    assert max(told.days("becomes staff")) == 10
    assert 11 not in told.days("becomes staff")


def test_who_is_excused_has_missed_nothing() -> None:
    """Between the two deadlines the one who is excused stands as before; the other's risk rises."""
    told = term()
    before = told.of("excused", 13, 15)[0]
    assert max(told.of("excused", 15, 24)) - before < 0.03
    assert max(told.of("not handed in", 15, 24)) - max(told.of("excused", 15, 24)) > 0.0
    assert not {"missed", "missed_weight", "missed_last"} & set(told.reasons("excused"))


def test_who_has_more_time_has_missed_nothing_until_then() -> None:
    assert DUE["assessment-2"] == 14
    told = term()
    before = told.of("given time", 13, 15)[0]
    assert max(told.of("given time", 15, 24)) - before < 0.03


def test_a_pause_is_no_silence() -> None:
    told = term()
    assert not {*range(10, 24)} & told.days("paused")
    assert told.of("silent", 24, 25)[0] - told.of("paused", 24, 25)[0] > 0.1
    late = told.days("paused and told late")
    assert {*range(10, 16)} <= late
    assert not {*range(16, 24)} & late


def test_what_was_due_before_they_came_is_not_missed() -> None:
    told = term()
    assert max(told.of("joined late", 12)) < 0.5
    assert not {"missed", "missed_weight", "missed_last"} & set(told.reasons("joined late"))
