"""Every feature against the slow reference, and the promises that make replays equal."""

import dataclasses
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import compute, coursework, ring
from features.bins import Codes
from features.catalogue import FEATURES, INDEX, NAMES
from features.compute import TrackingGaps
from features.coursework import Run, unknown_run
from features.ring import NEVER, Ints, Rows
from features.unplaced import UnplacedWork
from features.yardsticks import Yardstick
from schemas.activity import ACTIVITY_KINDS
from tests.features.history import Calendar, Click, HandIn, History, reference

START = 19_000
FIRST, LAST = START - 20, START + 75
DTYPE = np.dtype([*ring.FIELDS, *coursework.FIELDS])
CALENDAR = Calendar(
    START, START + 60, {"a": (START + 10, 0.25), "b": (START + 25, 0.25), "c": (START + 40, 0.375)}
)
RUN = Run(
    "c/r",
    "c",
    CALENDAR.start,
    CALENDAR.end,
    np.array([due for due, _ in CALENDAR.due.values()]),
    np.array([weight for _, weight in CALENDAR.due.values()]),
    tuple(CALENDAR.due),
)


def gaps(*days: int) -> TrackingGaps:
    """Days of which nothing was seen."""
    return TrackingGaps(np.array(days, np.int64), np.array(days, np.int64))


many = settings(max_examples=60, deadline=None)

days = st.integers(FIRST, LAST - 1)
clicks = st.builds(
    Click,
    days,
    st.sampled_from(ACTIVITY_KINDS),
    st.one_of(st.integers(1, 9), st.integers(200, 3000)),
    st.one_of(st.just(0), st.integers(1, 40_000)),
)
hand_ins = st.builds(
    HandIn, days, st.sampled_from([*CALENDAR.due, "unknown"]), st.none() | st.integers(0, 200)
)
histories = st.builds(
    History,
    st.lists(clicks, max_size=40),
    st.lists(hand_ins, max_size=5, unique_by=lambda one: one.day),
    st.none() | st.integers(FIRST, START + 20),
    st.integers(0, 200),
)

measures = st.builds(
    lambda *columns: Yardstick(*(np.array(column) for column in columns)),
    *(
        st.lists(st.floats(least, most), min_size=3, max_size=3)
        for least, most in ((0, 1), (0, 1), (0.05, 1), (-20, 20), (1, 9))
    ),
)


def rows_of(histories: list[History], day: int) -> Rows:
    """The columns that the worker would have at the start of ``day``, filled day by day."""
    rows = np.zeros(len(histories), DTYPE)
    slots = np.arange(len(histories))
    ring.clear(rows, slots)
    coursework.clear(rows, slots)
    for slot, history in enumerate(histories):
        rows["enrolled"][slot] = NEVER if history.enrolled is None else history.enrolled
        rows["progress"][slot] = history.progress
        for one in sorted(history.hand_ins, key=lambda one: one.day):
            if one.day < day:
                score = None if one.score is None else one.score / 200
                coursework.record_hand_in(rows, slot, RUN, one.assessment, one.day, score, UnplacedWork())
    for today in range(FIRST, day):
        count_day(rows, histories, today)
        ring.open_day(rows, slots, today + 1)
    return rows


def count_day(rows: Rows, histories: list[History], today: int) -> None:
    found = [
        (slot, one) for slot, history in enumerate(histories) for one in history.clicks if one.day == today
    ]
    if found:
        ring.count_activities(
            rows,
            np.array([slot for slot, _ in found]),
            np.array([one.day * 86_400 + 5 for _, one in found]),
            np.array([ACTIVITY_KINDS.index(one.kind) for _, one in found]),
            np.array([one.count for _, one in found]),
            np.array([one.seconds for _, one in found]),
        )


@many
@given(history=histories, day=st.integers(START + 1, LAST), measure=measures)
def test_every_feature_is_what_the_catalogue_says(history: History, day: int, measure: Yardstick) -> None:
    found = compute.values(rows_of([history], day), np.array([0]), RUN, day, yardstick=measure)
    assert found.keys() == set(NAMES)
    expected = reference(history, CALENDAR, day, FIRST, measure)
    assert {name: float(found[name][0]) for name in NAMES} == pytest.approx(
        {name: expected[name] for name in NAMES}, abs=1e-5
    )


def codes(rows: Rows, slots: Ints, day: int = START + 30) -> Codes:
    return compute.features(rows, slots, RUN, day)


@settings(max_examples=20, deadline=None)
@given(
    histories=st.lists(histories, min_size=2, max_size=6),
    chosen=st.randoms(use_true_random=False),
    chunk=st.integers(1, 3),
)
def test_nobody_depends_on_the_others(histories: list[History], chosen: random.Random, chunk: int) -> None:
    rows = rows_of(histories, START + 30)
    slots = np.arange(len(histories))
    together = codes(rows, slots)
    order = np.array(sorted(slots.tolist(), key=lambda _: chosen.random()))
    assert (codes(rows, order) == together[:, order]).all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compute, "CHUNK", chunk)
        assert (codes(rows, slots) == together).all()
    for slot in slots:
        assert (codes(rows, np.array([slot]))[:, 0] == together[:, slot]).all()


@settings(max_examples=20, deadline=None)
@given(history=histories, open_day=st.integers(0, ring.OPEN_DAYS - 1))
def test_open_days_are_not_looked_at(history: History, open_day: int) -> None:
    day = START + 30
    rows = rows_of([history], day)
    before = codes(rows, np.array([0]))
    one = np.array([0])
    ring.count_activities(
        rows, one, np.array([(day + open_day) * 86_400]), one, np.array([50]), np.array([900])
    )
    assert (codes(rows, one) == before).all()


def test_a_run_without_a_calendar_is_computed_all_the_same() -> None:
    history = History([Click(START, "quiz", 3, 60)])
    rows = rows_of([history, History()], START + 3)
    found = compute.values(rows, np.arange(2), unknown_run("c/r"), START + 3)
    assert found["clicks_7"].tolist() == [3, 0]
    assert found["silence"].tolist() == [2, 0]
    assert found["due"].tolist() == found["phase"].tolist() == [0, 0]
    assert all(np.isfinite(value).all() for value in found.values())
    assert compute.features(rows, np.arange(2), unknown_run("c/r"), START + 3).shape == (len(FEATURES), 2)


def test_nobody_at_all() -> None:
    assert codes(rows_of([], START + 1), np.array([], np.int64)).shape == (len(FEATURES), 0)


def test_a_late_event_inside_the_ring_counts() -> None:
    """It comes when its day is long closed, and is there the next time."""
    day = START + 30
    rows = rows_of([History()], day)
    one = np.array([0])
    ring.count_activities(rows, one, np.array([(day - 28) * 86_400]), one, np.array([4]), one * 0)
    ring.count_activities(rows, one, np.array([(day - 6) * 86_400]), one, np.array([2]), one * 0)
    found = compute.values(rows, one, RUN, day)
    assert (found["clicks_28"][0], found["clicks_7"][0], found["silence"][0]) == (6, 2, 5)
    assert codes(rows, one, day)[INDEX["clicks_28"], 0] > 0


def shifted(history: History, since: int, days: int) -> History:
    """The same history with everything from ``since`` on so many days later."""
    return dataclasses.replace(
        history,
        clicks=[
            dataclasses.replace(one, day=one.day + days) if one.day >= since else one
            for one in history.clicks
        ],
    )


RECENT = [f"{name}_{window}" for name in ("clicks", "active_days") for window in (1, 3, 7, 14)] + [
    "minutes_7"
]
"""Of windows that hold whole within the days that were seen."""


@settings(max_examples=25, deadline=None)
@given(history=histories, at=st.integers(1, 12), lasted=st.integers(1, 9))
def test_for_who_was_not_seen_the_clock_stood_still(history: History, at: int, lasted: int) -> None:
    """As if the days on which nothing was seen had not been: windows and silence."""
    day = START + 50
    since = day - lasted - at + 1
    plain = dataclasses.replace(history, clicks=[one for one in history.clicks if one.day < day - lasted])
    here = rows_of([plain], day - lasted)
    later = rows_of([shifted(plain, since, lasted)], day)
    expected = compute.values(here, np.array([0]), unknown_run("c/r"), day - lasted)
    found = compute.values(later, np.array([0]), unknown_run("c/r"), day, gaps(*range(since, since + lasted)))
    assert {name: found[name].tolist() for name in RECENT} == {
        name: expected[name].tolist() for name in RECENT
    }
    if any(one.day >= since - 20 for one in plain.clicks):
        assert found["silence"].tolist() == expected["silence"].tolist()


def test_who_was_seen_on_a_broken_day_has_it_like_any_other() -> None:
    day = START + 30
    rows = rows_of([History([Click(day - 3, "quiz", 5, 0)]), History([Click(day - 6, "quiz", 5, 0)])], day)
    found = compute.values(rows, np.arange(2), RUN, day, gaps(*range(day - 4, day - 1)))
    assert found["clicks_3"].tolist() == [5, 5]
    assert found["silence"].tolist() == [1, 2], "of two and five days, one and three were not seen"
    assert compute.values(rows, np.arange(2), RUN, day)["silence"].tolist() == [2, 5]


def test_nobody_missed_a_deadline_around_broken_days() -> None:
    day = START + 30
    rows = rows_of([History(), History(hand_ins=[HandIn(START + 9, "a", 150)])], day)
    before = compute.values(rows, np.arange(2), RUN, day)
    assert before["missed"].tolist() == [1.0, 0.5]
    found = compute.values(rows, np.arange(2), RUN, day, gaps(START + 20))
    assert found["missed"].tolist() == [0.5, 0.0], "b was due on day 25"
    assert found["points"].tolist() == pytest.approx([0.0, 0.75])
    assert compute.values(rows, np.arange(2), RUN, day, gaps(START + 26))["missed"][0] == 1.0


@pytest.mark.parametrize(
    ("broken", "missed"),
    [
        ([24], [1]),  # the eve of b's deadline on day 25
        ([18], [1]),  # a week before it
        ([17], [2]),  # earlier
        ([25], [2]),  # it was due at the start of the day
        ([3, 4], [1]),  # a's, on day 10
        ([2], [2]),
        ([9, 18], [0]),
    ],
)
def test_a_deadline_is_in_doubt_within_a_week_of_broken_days_and_no_other(
    broken: list[int], missed: list[int]
) -> None:
    day = START + 30
    rows = rows_of([History()], day)
    found = compute.values(rows, np.arange(1), RUN, day, gaps(*(START + one for one in broken)))
    assert (found["missed"] * 2).tolist() == missed


def test_a_deadline_is_not_in_doubt_while_another_kind_alone_goes_unseen() -> None:
    day = START + 30
    rows = rows_of([History()], day)
    unseen = TrackingGaps(np.array([START + 20]), np.empty(0, np.int64))
    assert compute.values(rows, np.arange(1), RUN, day, unseen)["missed"].tolist() == [1.0]
