"""The twin table: everyday facts of platforms, and what each may do to an estimate.

Each twin is a copy of a learner of one simulated term, with one fact changed. All twins live in the same
term, so that a learner and the twin are compared under the same model and in the same cohort.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cache

import pytest

from schemas.dead_letter import FIELD_REASONS
from tests.engine.twins.world import DUE, RUN, Message, Told, at, learners, messages, play, twin

BUSY, STEADY, SLOW, KEEN = (f"sim-a-now-{number:06}" for number in (47, 36, 10, 6))
"""Learners who handed everything in; the third is seldom there."""
MISSING = "sim-a-now-000018"
"""One who is there often, and handed in nothing for the first deadline."""

WAITING = 0.03
"""How far an estimate may lie from the twin's while a grade is awaited: the features that rest on grades
count what is graded, so the two know different things."""

Change = Callable[[list[Message]], Iterable[Message]]


def later(moment: str, days: float) -> str:
    return (datetime.fromisoformat(moment) + timedelta(days=days)).isoformat()


def is_work(message: Message) -> bool:
    return message.get("kind") == "submission"


def graded_of(message: Message, days: float, **more: object) -> Message:
    kept = {name: message[name] for name in ("learner", "course_run", "object")}
    return {
        "type": "graded",
        "event_id": f"{message['event_id']}/grade/{days}",
        "graded_at": later(message["occurred_at"], days),
        "score": message["score"],
        **kept,
        **more,
    }


def graded_later(own: list[Message]) -> Iterable[Message]:
    """The grade comes ten days after the work, as a message of its own."""
    for message in own:
        if is_work(message):
            yield {name: value for name, value in message.items() if name != "score"}
            if message["occurred_at"] < at(24):
                yield graded_of(message, 10)
        else:
            yield message


def graded_at_once(own: list[Message]) -> Iterable[Message]:
    for message in own:
        if is_work(message):
            yield {name: value for name, value in message.items() if name != "score"}
            yield graded_of(message, 0)
        else:
            yield message


def nought_for_missing(own: list[Message]) -> Iterable[Message]:
    """A teacher enters 0 for the work that was not handed in."""
    yield from own
    yield fact(own, "graded", 7, object="assessment-1", score=0.0)


def fact(own: list[Message], type_: str, day: float, **more: object) -> Message:
    moment = "graded_at" if type_ == "graded" else "occurred_at"
    message = {"type": type_, "event_id": f"{type_}/{day}/{more}"[:100], "learner": own[0]["learner"]}
    return message | {"course_run": RUN, moment: at(day), **more}


def click(own: list[Message], day: float, **more: object) -> Message:
    return fact(own, "activity", day, kind="content", object="made-by-the-test", **more)


def came_back(own: list[Message]) -> Iterable[Message]:
    """Withdrawn by mistake, and enrolled again two days later; published in the wrong order."""
    yield from own
    yield fact(own, "enrolled", 12.6)
    yield fact(own, "withdrawn", 10.5)


def enrolled_every_night(own: list[Message]) -> Iterable[Message]:
    yield from own
    yield from (fact(own, "enrolled", day + 0.1) for day in range(30))


def one_of_two_removed(own: list[Message]) -> Iterable[Message]:
    """An older withdrawal that is published later than the registration that replaced it."""
    yield from own
    first = min(message["occurred_at"] for message in own if message["type"] == "enrolled")
    yield fact(own, "withdrawn", 0) | {"occurred_at": later(first, -1)}


def without_progress(own: list[Message]) -> Iterable[Message]:
    return ({name: value for name, value in message.items() if name != "progress"} for message in own)


def reported_once(own: list[Message]) -> Iterable[Message]:
    yield from without_progress(own)
    yield fact(own, "progress", 0.1, progress=0.3)


def reported_every_night(own: list[Message]) -> Iterable[Message]:
    """A job writes the progress down each night, as messages that are no activity."""
    yield from without_progress(own)
    yield from (fact(own, "progress", day + 0.1, progress=0.3) for day in range(30))


def fell_back(own: list[Message]) -> Iterable[Message]:
    """The platform counted anew, and the progress is less than it was; published in the wrong order."""
    yield from without_progress(own)
    yield fact(own, "progress", 0.1, progress=0.3)
    yield fact(own, "progress", 0.05, progress=0.9)


def completed_by_a_job(own: list[Message]) -> Iterable[Message]:
    """A job writes completions as events, marked as a machine's."""
    yield from own
    yield from (click(own, day + 0.1, actor="system") for day in range(30))


def a_worse_attempt(own: list[Message]) -> Iterable[Message]:
    """Work is handed in again on the same day, and worse."""
    for message in own:
        yield message
        if is_work(message):
            yield message | {"event_id": f"{message['event_id']}/again", "score": 0.0, "count": 1}


def a_bonus(own: list[Message]) -> Iterable[Message]:
    return (message | {"score": 1.05} if is_work(message) else message for message in own)


def the_best(own: list[Message]) -> Iterable[Message]:
    return (message | {"score": 1.0} if is_work(message) else message for message in own)


def with_wrong_fields(own: list[Message]) -> Iterable[Message]:
    """Optional fields that say nothing; those of the original are left out."""
    return (message | {"session": "", "progress": 7} if is_click(message) else message for message in own)


def without_sessions(own: list[Message]) -> Iterable[Message]:
    return (
        {name: value for name, value in message.items() if name not in ("session", "progress")}
        if is_click(message)
        else message
        for message in own
    )


def is_click(message: Message) -> bool:
    return message["type"] == "activity" and not is_work(message)


def with_long_names(own: list[Message]) -> Iterable[Message]:
    return (
        message | {"object": message["object"] + "/x" * 100}
        if is_click(message) and message.get("object")
        else message
        for message in own
    )


def with_what_nobody_knows(own: list[Message]) -> Iterable[Message]:
    return (message | {"mode": "audit", "group": 7} for message in own)


def staff(own: list[Message]) -> Iterable[Message]:
    return (message | {"role": "staff"} if message["type"] == "enrolled" else message for message in own)


def becomes_staff(own: list[Message]) -> Iterable[Message]:
    yield from own
    yield fact(own, "enrolled", 10.5, role="staff")


def not_handed_in(own: list[Message]) -> Iterable[Message]:
    """The second piece of work is not handed in."""
    return (message for message in own if message.get("object") != "assessment-2")


def excused(own: list[Message]) -> Iterable[Message]:
    yield from not_handed_in(own)
    yield fact(own, "extension", 9, object="assessment-2", excused=True)


def given_time(own: list[Message]) -> Iterable[Message]:
    yield from not_handed_in(own)
    yield fact(own, "extension", 9, object="assessment-2", due_at=at(29))


def joined_late(own: list[Message]) -> Iterable[Message]:
    """Enrolled after the first deadline, and active from then on."""
    for message in own:
        if message["type"] == "enrolled":
            yield message | {"occurred_at": at(7)}
        elif message.get("object") != "assessment-1" and message["occurred_at"] > at(7):
            yield message


TWINS: dict[str, tuple[str, Change]] = {
    "graded later": (BUSY, graded_later),
    "graded at once": (BUSY, graded_at_once),
    "nought for missing work": (MISSING, nought_for_missing),
    "came back": (BUSY, came_back),
    "enrolled every night": (BUSY, enrolled_every_night),
    "one of two removed": (BUSY, one_of_two_removed),
    "progress once": (SLOW, reported_once),
    "progress every night": (SLOW, reported_every_night),
    "progress fell back": (SLOW, fell_back),
    "completed by a job": (SLOW, completed_by_a_job),
    "a worse attempt": (STEADY, a_worse_attempt),
    "a bonus": (STEADY, a_bonus),
    "the best": (STEADY, the_best),
    "wrong fields": (KEEN, with_wrong_fields),
    "without sessions": (KEEN, without_sessions),
    "long names": (KEEN, with_long_names),
    "unknown fields": (KEEN, with_what_nobody_knows),
    "staff": (KEEN, staff),
    "becomes staff": (KEEN, becomes_staff),
    "not handed in": (STEADY, not_handed_in),
    "excused": (STEADY, excused),
    "given time": (STEADY, given_time),
    "joined late": (STEADY, joined_late),
}


@cache
def term() -> Told:
    everything = messages()
    own = learners(everything)
    for name, (original, change) in TWINS.items():
        everything += twin(own[original], name, change)
    return play(everything)


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


def test_what_was_due_before_they_came_is_not_missed() -> None:
    told = term()
    assert max(told.of("joined late", 12)) < 0.5
    assert not {"missed", "missed_weight", "missed_last"} & set(told.reasons("joined late"))
