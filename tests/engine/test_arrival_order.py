"""Whatever order messages arrive in, within the lateness that is allowed, the estimates are the same."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import DAY_S
from sources.stream import instant
from tests.engine.twins.world import FIRST, RUN, Message, moment_of, play
from tests.streams.pipeline import REPLAY

DAYS = 9
LATENESS = REPLAY.timing.lateness / DAY_S
LEARNERS = ("ann", "bob", "cem", "dia", "eve")


def message(type_: str, day: float, learner: str | None = None, /, **more: Any) -> Message:
    name = "graded_at" if type_ == "graded" else "occurred_at"
    found = {"type": type_, "event_id": f"{type_}/{day}/{learner}/{sorted(more)}", name: at(day)} | more
    return found if learner is None else found | {"learner": learner, "course_run": RUN}


def at(day: float) -> str:
    return instant(round((FIRST + day) * DAY_S))


def calendar(day: float, **dates: float) -> Message:
    deadlines: list[dict[str, Any]] = [
        {"assessment": name, "due_at": at(due), "weight": 0.3} for name, due in dates.items()
    ]
    deadlines += [
        {"assessment": "a", "due_at": at(4), "weight": 0.3, "section": "evening", "attempts": "mean"},
        {"assessment": "b", "due_at": at(8), "weight": 0.3, "learner": "bob"},
    ]
    run = {"course": "a", "course_run": RUN, "starts_at": at(0), "ends_at": at(60)}
    return message("calendar", day, deadlines=deadlines, **run)


MERGED = message("merged", 5.4, "fay-1", into="fay")
del MERGED["course_run"]
MERGES = ("fay-1", "fay")

FIRST_OF_ALL = [message("tick", -2.0), calendar(-2.0, a=3)]
TICKS = [message("tick", float(day)) for day in range(DAYS + 4)]
WORDS: list[Message] = [
    calendar(2.2, a=3, b=5),
    calendar(6.7, a=3, b=6, c=7),
    *(message("enrolled", -1.5 + 0.1 * number, who) for number, who in enumerate(LEARNERS)),
    *(
        message("activity", day + 0.07 * number, who, kind="content", object=f"page-{day}", count=2 + number)
        for number, who in enumerate(LEARNERS)
        for day in range(0, DAYS, 1 + number % 3)
    ),
    # work: handed in again, graded late, graded twice, for nothing, before and after the calendar names it
    *(message("activity", day, "ann", kind="submission", object="a") for day in (1.1, 1.9, 2.6)),
    *(
        message("graded", day, "ann", object="a", score=score)
        for day, score in ((1.5, 0.9), (2.1, 0.4), (5.5, 0.6))
    ),
    message("activity", 3.3, "bob", kind="submission", object="b", score=0.7, progress=0.2),
    message("graded", 4.4, "bob", object="a", score=0.0),
    message("graded", 5.4, "cem", object="c", score=0.8, attempt=2),
    message("extension", 2.4, "cem", object="a", due_at=at(6)),
    message("extension", 2.9, "cem", object="a", excused=True),
    message("extension", 4.9, "dia", object="b", due_at=at(8)),
    message("progress", 3.1, "dia", progress=0.6),
    message("progress", 3.6, "dia", progress=0.1),
    # enrolments and roles that change
    message("withdrawn", 3.2, "dia"),
    message("enrolled", 3.8, "dia", section="evening"),
    message("enrolled", 4.1, "eve", role="staff"),
    message("activity", 5.1, "eve", kind="forum", role="learner"),
    message("activity", 5.2, "bob", kind="quiz", actor="system"),
    message("activity", 5.3, "guest", kind="quiz", role="observer"),
    message("completed", 6.6, "bob", result="fail"),
    # pauses that are told, become shorter, are taken back, and are told after they began
    message("pause", 1.7, "cem", from_at=at(3), until_at=at(7)),
    message("pause", 2.3, "cem", from_at=at(3), until_at=at(5.5)),
    message("pause", 2.7, "eve", from_at=at(3), until_at=None),
    message("pause", 3.4, "eve", from_at=at(3), until_at=at(3)),
    message("pause", 6.2, "dia", from_at=at(5), until_at=at(8)),
    message("withdrawn", 6.1, "bob"),
    message("completed", 7.6, "ann", result="pass"),
    message("enrolled", 7.9, "ann"),
    # two accounts that are merged, told under both names, and what still comes under the old one
    message("enrolled", -0.9, "fay-1", section="evening"),
    *(message("activity", day + 0.31, "fay-1", kind="wiki", object=f"w-{day}") for day in range(7)),
    message("activity", 5.7, "fay", kind="wiki", object="w-5"),
    message("activity", 7.1, "fay", kind="submission", object="b"),
    message("graded", 6.8, "fay-1", object="b", score=0.9),
    MERGED,
    MERGED | {"keyed_by": "fay"},
]


def outcome(order: Callable[[Message], Any]) -> tuple[object, ...]:
    told = play([*FIRST_OF_ALL, *WORDS, *TICKS], order)
    state = told.state
    others = sorted(state.others.items())
    roles = {key: int(state.rows["role"][slot]) for key, slot in state.slots.items()}
    return told.estimates, told.cohort_sizes, others, roles, told.letters


IN_ORDER = outcome(moment_of)


def test_the_term_has_all_that_may_happen() -> None:
    estimates, _, _, roles, letters = IN_ORDER
    assert isinstance(estimates, dict)
    assert isinstance(roles, dict)
    assert set(estimates) == {*LEARNERS, *MERGES}
    assert max(day - FIRST for day in estimates["fay-1"]) == 5
    assert min(day - FIRST for day in estimates["fay"]) == 7
    assert len(set(roles.values())) > 1
    assert letters == []
    days = {day - FIRST for day in estimates["dia"]}
    assert 4 in days, "who comes back on the day of the withdrawal is scored at its end"
    assert max(day - FIRST for day in estimates["bob"]) == 6
    assert not {3, 4, 5} & {day - FIRST for day in estimates["cem"]}
    assert not {7} & days
    assert {5, 6, 8} <= days, "told on day 6"


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(0, LATENESS * 0.99), min_size=len(WORDS), max_size=len(WORDS)))
def test_the_order_of_arrival_changes_nothing(delays: list[float]) -> None:
    late = {id(word): delay * DAY_S for word, delay in zip(WORDS, delays, strict=True)}

    def arrival(each: Message) -> tuple[float, int]:
        moment = datetime.fromisoformat(moment_of(each)).timestamp()
        return moment + late.get(id(each), 0.0), 0 if each["type"] == "tick" else 1

    assert outcome(arrival) == IN_ORDER
