"""The twins: copies of learners of one simulated term, each with one everyday fact changed.

All twins live in the same term, so that a learner and the twin are compared under the same model and in the
same cohort. ``TABLE`` says what each fact may do to an estimate; ``python -m benchmarks.twins`` prints it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from tests.engine.twins.world import RUN, Message, Told, at, learners, messages, play, twin

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


def sent_again(own: list[Message]) -> Iterable[Message]:
    """Everything is published a second time after five days, and clicks once more after twenty-five."""
    for message in own:
        yield message
        yield message | {"sent_at": later(message["occurred_at"], 5)}
        if is_click(message):
            yield message | {"sent_at": later(message["occurred_at"], 25)}


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


def silent(own: list[Message]) -> Iterable[Message]:
    """Nothing is heard of them from day 10 to day 24."""
    return (message for message in own if not at(10) <= message["occurred_at"] < at(24))


def paused(own: list[Message]) -> Iterable[Message]:
    yield from silent(own)
    yield fact(own, "pause", 9.5, from_at=at(10), until_at=at(24))


def paused_and_told_late(own: list[Message]) -> Iterable[Message]:
    yield from silent(own)
    yield fact(own, "pause", 15.5, from_at=at(10), until_at=at(24))


def merged(own: list[Message]) -> Iterable[Message]:
    """The learner had another account for twelve days; the merge is published under both names."""
    name = own[0]["learner"]
    for message in own:
        moment = message.get("graded_at") or message["occurred_at"]
        yield message | {"as": f"{name} before"} if moment < at(12) else message
    merge = {"type": "merged", "event_id": "merge", "into": name, "as": f"{name} before"}
    yield merge | {"occurred_at": at(11.5)}
    yield merge | {"occurred_at": at(11.5), "keyed_by": name}


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
    "sent again": (STEADY, sent_again),
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
    "silent": (BUSY, silent),
    "paused": (BUSY, paused),
    "paused and told late": (BUSY, paused_and_told_late),
    "merged": (BUSY, merged),
}


@cache
def term() -> Told:
    everything = messages()
    own = learners(everything)
    for name, (original, change) in TWINS.items():
        everything += twin(own[original], name, change)
    return play(everything)


@dataclass(frozen=True, slots=True)
class Bound:
    """How far a twin's estimates may lie from those it is compared with, on the days of the run before
    ``until``, and what the two are."""

    fact: str
    twin: str
    most: float
    compared_with: str | None = None
    """A learner or another twin; the learner that the twin was made of by default."""
    since: float = -99
    until: float = 99
    later: int = 0
    """How many days later the twin is compared."""

    @property
    def original(self) -> str:
        return self.compared_with or TWINS[self.twin][0]


TABLE = (
    Bound("work is graded by a message of its own, at once", "graded at once", 0.0),
    Bound("work is graded ten days later", "graded later", WAITING),
    Bound("a 0 is entered for missing work", "nought for missing work", 0.0),
    Bound("withdrawn by mistake, enrolled again two days later", "came back", 0.02),
    Bound("enrolled again every night", "enrolled every night", 0.0),
    Bound("an older withdrawal is published late", "one of two removed", 0.0),
    Bound("progress is reported every night", "progress every night", 0.0, "progress once"),
    Bound("progress that fell, in the wrong order", "progress fell back", 0.0, "progress once"),
    Bound("a job writes completions every night", "completed by a job", 0.0),
    Bound("everything is sent again after five days, clicks after 25 too", "sent again", 0.0),
    Bound("work is handed in again, and worse", "a worse attempt", 0.02),
    Bound("a score of 1.05", "a bonus", 0.0, "the best"),
    Bound("wrong optional fields", "wrong fields", 0.0, "without sessions"),
    Bound("names of 200 characters and more", "long names", 0.0),
    Bound("fields that the contract does not know", "unknown fields", 0.0),
    Bound("excused from work that the learner handed in", "excused", WAITING, until=24),
    Bound("ten days more for it, not handed in yet", "given time", WAITING, until=24),
    Bound("becomes staff on day 10: until then", "becomes staff", 0.0),
    Bound("after 14 days of pause, as on its first day", "paused", 0.05, since=10, until=11, later=14),
    Bound("the same pause, told on day 15", "paused and told late", 0.05, "paused", since=24),
    Bound("another account until day 12, merged: from then on", "merged", 0.0, since=12),
)


def furthest(bound: Bound) -> tuple[int, float, float]:
    """The day of the run, from its start, on which the two are furthest apart, and both estimates."""
    told = term()
    own = told.by_day(bound.original, bound.since, bound.until)
    twins = told.by_day(bound.twin, bound.since + bound.later, bound.until + bound.later)
    others = {day - bound.later: estimate for day, estimate in twins.items()}
    day = max(own.keys() & others.keys(), key=lambda day: (abs(own[day] - others[day]), -day))
    return day, own[day], others[day]
