"""Every feature against the slow reference, and the promises that make replays equal."""

import dataclasses
import random
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import compute, coursework, ring
from features.bins import Codes
from features.catalogue import FEATURES, INDEX, NAMES
from features.compute import TrackingGaps
from features.compute_coursework import NO_PHASE, Work
from features.coursework import OPEN_END, Run, record_grade, record_hand_in, unknown_run
from features.dates import EXCUSED, dates_of
from features.gradebook import Gradebook
from features.ring import NEVER, Ints, Rows
from features.yardsticks import Yardstick
from schemas.activity import ACTIVITY_KINDS
from schemas.enrolment import Attempts
from tests.features.history import Calendar, Click, Grade, HandIn, History, reference

START = 19_000
FIRST, LAST = START - 20, START + 75
DTYPE = np.dtype([*ring.FIELDS, *coursework.FIELDS])
CALENDAR = Calendar(
    START, START + 60, {"a": (START + 10, 0.25), "b": (START + 25, 0.25), "c": (START + 40, 0.375)}
)


def run_of(calendar: Calendar) -> Run:
    return Run(
        "c/r",
        "c",
        calendar.start,
        calendar.end,
        np.array([due for due, _ in calendar.due.values()]),
        np.array([weight for _, weight in calendar.due.values()]),
        tuple(calendar.due),
        tuple(calendar.attempts.get(name, "best") for name in calendar.due),
    )


RUN = run_of(CALENDAR)


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
grades = st.builds(Grade, days, st.sampled_from([*CALENDAR.due, "unknown"]), st.integers(0, 200))
own_dates = st.dictionaries(
    st.sampled_from([*CALENDAR.due]), st.none() | st.integers(START + 5, START + 60), max_size=2
)
histories = st.builds(
    History,
    st.lists(clicks, max_size=40),
    st.lists(hand_ins, max_size=5, unique_by=lambda hand_in: hand_in.day),
    st.none() | st.integers(FIRST, START + 20),
    st.integers(0, 200),
    st.lists(grades, max_size=4, unique_by=lambda grade: grade.day),
    own_dates,
)
"""Of learners, late joiners among them, with work handed in several times and graded later or elsewhere."""

calendars = st.builds(
    lambda rules: dataclasses.replace(CALENDAR, attempts=dict(zip(CALENDAR.due, rules, strict=True))),
    st.lists(st.sampled_from(get_args(Attempts)), min_size=3, max_size=3),
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
    for today in range(FIRST, day):
        count_day(rows, histories, today)
        ring.open_day(rows, slots, today + 1)
    return rows


def work_of(histories: list[History], day: int, run: Run = RUN) -> Work:
    """The work that the worker would have at the start of ``day``, filled fact by fact."""
    gradebook, slots = Gradebook(), np.arange(len(histories))
    for slot, history in enumerate(histories):
        for event in history.work_before(day):
            order = gradebook.next_order(0, run, slot)
            cell = gradebook.cell(0, run, slot, event.assessment)
            if isinstance(event, HandIn):
                record_hand_in(cell, event.day)
            if event.score is not None:
                record_grade(cell, event.day, event.score, order)
    dates = dates_of(
        run,
        np.array(
            [NEVER if history.enrolled is None else history.enrolled for history in histories], np.int64
        ),
        personal=[
            {name: EXCUSED if date is None else date for name, date in history.dates.items()}
            for history in histories
        ],
    )
    return Work(gradebook.cells(0, slots, len(run.assessments)), dates)


def count_day(rows: Rows, histories: list[History], today: int) -> None:
    clicks = [
        (slot, click)
        for slot, history in enumerate(histories)
        for click in history.clicks
        if click.day == today
    ]
    if clicks:
        ring.count_activities(
            rows,
            np.array([slot for slot, _ in clicks]),
            np.array([click.day for _, click in clicks]),
            np.zeros(len(clicks), np.int64),
            np.array([ACTIVITY_KINDS.index(click.kind) for _, click in clicks]),
            np.array([click.count for _, click in clicks]),
            np.array([click.seconds for _, click in clicks]),
        )


@many
@given(history=histories, day=st.integers(START + 1, LAST), measure=measures, calendar=calendars)
def test_every_feature_is_what_the_catalogue_says(
    history: History, day: int, measure: Yardstick, calendar: Calendar
) -> None:
    run = run_of(calendar)
    rows, work = rows_of([history], day), work_of([history], day, run)
    by_name = compute.values(rows, np.array([0]), run, day, yardstick=measure, work=work)
    assert by_name.keys() == set(NAMES)
    expected = reference(history, calendar, day, FIRST, measure)
    assert {name: float(by_name[name][0]) for name in NAMES} == pytest.approx(
        {name: expected[name] for name in NAMES}, abs=1e-5
    )


def codes(rows: Rows, slots: Ints, day: int = START + 30, work: Work | None = None) -> Codes:
    return compute.features(rows, slots, RUN, day, work=None if work is None else work.select(slots))


@settings(max_examples=20, deadline=None)
@given(
    histories=st.lists(histories, min_size=2, max_size=6),
    chosen=st.randoms(use_true_random=False),
    chunk=st.integers(1, 3),
)
def test_nobody_depends_on_the_others(histories: list[History], chosen: random.Random, chunk: int) -> None:
    rows, work = rows_of(histories, START + 30), work_of(histories, START + 30)
    slots = np.arange(len(histories))
    together = codes(rows, slots, work=work)
    order = np.array(sorted(slots.tolist(), key=lambda _: chosen.random()))
    assert (codes(rows, order, work=work) == together[:, order]).all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compute, "CHUNK", chunk)
        assert (codes(rows, slots, work=work) == together).all()
    for slot in slots:
        alone = codes(
            rows_of([histories[slot]], START + 30), np.array([0]), work=work_of([histories[slot]], START + 30)
        )
        assert (alone[:, 0] == together[:, slot]).all()


@settings(max_examples=20, deadline=None)
@given(history=histories, open_day=st.integers(0, ring.OPEN_DAYS - 1))
def test_open_days_are_not_looked_at(history: History, open_day: int) -> None:
    day = START + 30
    rows = rows_of([history], day)
    before = codes(rows, np.array([0]))
    slot = np.array([0])
    ring.count_activities(rows, slot, np.array([day + open_day]), slot, slot, np.array([50]), np.array([900]))
    assert (codes(rows, slot) == before).all()


def test_a_run_without_a_calendar_is_computed_all_the_same() -> None:
    history = History([Click(START, "quiz", 3, 60)])
    rows = rows_of([history, History()], START + 3)
    by_name = compute.values(rows, np.arange(2), unknown_run("c/r"), START + 3)
    assert by_name["clicks_7"].tolist() == [3, 0]
    assert by_name["silence"].tolist() == [2, 0]
    assert by_name["due"].tolist() == [0, 0]
    assert by_name["phase"].tolist() == [NO_PHASE, NO_PHASE]
    assert all(np.isfinite(value).all() for value in by_name.values())
    assert compute.features(rows, np.arange(2), unknown_run("c/r"), START + 3).shape == (len(FEATURES), 2)


def test_nobody_at_all() -> None:
    assert codes(rows_of([], START + 1), np.array([], np.int64)).shape == (len(FEATURES), 0)


def test_a_late_event_inside_the_ring_counts() -> None:
    """It comes when its day is long closed, and is there the next time."""
    day = START + 30
    rows = rows_of([History()], day)
    slot = np.array([0])
    ring.count_activities(rows, slot, np.array([day - 28]), slot, slot, np.array([4]), slot * 0)
    ring.count_activities(rows, slot, np.array([day - 6]), slot, slot, np.array([2]), slot * 0)
    by_name = compute.values(rows, slot, RUN, day)
    assert (by_name["clicks_28"][0], by_name["clicks_7"][0], by_name["silence"][0]) == (6, 2, 5)
    assert codes(rows, slot, day)[INDEX["clicks_28"], 0] > 0


def shifted(history: History, since: int, days: int) -> History:
    """The same history with everything from ``since`` on so many days later."""
    return dataclasses.replace(
        history,
        clicks=[
            dataclasses.replace(click, day=click.day + days) if click.day >= since else click
            for click in history.clicks
        ],
    )


RECENT = [f"{name}_{window}" for name in ("clicks", "active_days") for window in (1, 3, 7, 14)] + [
    "minutes_7"
]
"""Of windows that hold whole within the days that were seen."""


@settings(max_examples=25, deadline=None)
@given(history=histories, ended=st.integers(1, 12), lasted=st.integers(1, 9))
def test_for_who_was_not_seen_the_clock_stood_still(history: History, ended: int, lasted: int) -> None:
    """As if the days on which nothing was seen had not been: windows and silence."""
    day = START + 50
    since = day - lasted - ended + 1
    plain = dataclasses.replace(
        history, clicks=[click for click in history.clicks if click.day < day - lasted]
    )
    here = rows_of([plain], day - lasted)
    later = rows_of([shifted(plain, since, lasted)], day)
    expected = compute.values(here, np.array([0]), unknown_run("c/r"), day - lasted)
    by_name = compute.values(
        later, np.array([0]), unknown_run("c/r"), day, gaps(*range(since, since + lasted))
    )
    assert {name: by_name[name].tolist() for name in RECENT} == {
        name: expected[name].tolist() for name in RECENT
    }
    if any(click.day >= since - 20 for click in plain.clicks):
        assert by_name["silence"].tolist() == expected["silence"].tolist()


def test_who_was_seen_on_a_broken_day_has_it_like_any_other() -> None:
    day = START + 30
    rows = rows_of([History([Click(day - 3, "quiz", 5, 0)]), History([Click(day - 6, "quiz", 5, 0)])], day)
    by_name = compute.values(rows, np.arange(2), RUN, day, gaps(*range(day - 4, day - 1)))
    assert by_name["clicks_3"].tolist() == [5, 5]
    assert by_name["silence"].tolist() == [1, 2], "of two and five days, one and three were not seen"
    assert compute.values(rows, np.arange(2), RUN, day)["silence"].tolist() == [2, 5]


def test_nobody_missed_a_deadline_around_broken_days() -> None:
    day = START + 30
    both = [History(), History(hand_ins=[HandIn(START + 9, "a", 150)])]
    rows, work = rows_of(both, day), work_of(both, day)
    before = compute.values(rows, np.arange(2), RUN, day, work=work)
    assert before["missed"].tolist() == [1.0, 0.5]
    by_name = compute.values(rows, np.arange(2), RUN, day, gaps(START + 20), work=work)
    assert by_name["missed"].tolist() == [0.5, 0.0], "b was due on day 25"
    assert by_name["points"].tolist() == pytest.approx([0.0, 0.75])
    assert compute.values(rows, np.arange(2), RUN, day, gaps(START + 26), work=work)["missed"][0] == 1.0


def missed(history: History, day: int) -> int:
    by_name = compute.values(rows_of([history], day), np.array([0]), RUN, day, work=work_of([history], day))
    return round(float(by_name["missed"][0] * by_name["due"][0]))


def test_work_is_missed_from_the_learners_own_date_on() -> None:
    given = History(dates={"a": START + 20})
    assert [missed(given, START + day) for day in (10, 19, 20)] == [0, 0, 1]
    sooner = History(dates={"a": START + 5})
    assert [missed(sooner, START + day) for day in (4, 5)] == [0, 1]


def test_nobody_misses_what_they_are_excused_from_or_what_was_due_before_they_came() -> None:
    assert missed(History(dates={"a": None}), START + 30) == 1, "b alone"
    assert missed(History(enrolled=START + 12), START + 30) == 1, "b alone"
    assert missed(History(enrolled=START + 9), START + 30) == 2


def test_work_that_waits_for_its_grade_is_neither_earned_nor_lost() -> None:
    day = START + 12
    both = [History(hand_ins=[HandIn(START + 8, "a", None)]), History(hand_ins=[HandIn(START + 8, "a", 200)])]
    by_name = compute.values(rows_of(both, day), np.arange(2), RUN, day, work=work_of(both, day))
    assert by_name["reachable"].tolist() == pytest.approx([1.0, 1.0])
    assert by_name["points"].tolist() == [0.5, 1.0], "half is what stands for none"
    assert by_name["missed"].tolist() == [0.0, 0.0]


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
    by_name = compute.values(rows, np.arange(1), RUN, day, gaps(*(START + offset for offset in broken)))
    assert (by_name["missed"] * 2).tolist() == missed


def test_a_deadline_is_not_in_doubt_while_another_kind_alone_goes_unseen() -> None:
    day = START + 30
    rows = rows_of([History()], day)
    unseen = TrackingGaps(np.array([START + 20]), np.empty(0, np.int64))
    assert compute.values(rows, np.arange(1), RUN, day, unseen)["missed"].tolist() == [1.0]


OPEN_RUN = dataclasses.replace(
    RUN,
    start=FIRST - 300,
    end=OPEN_END,
    due=np.array([10, 25, 40]),
    is_relative=np.ones(3, bool),
)


def moved(history: History, days: int) -> History:
    """The same learner, so many days later."""
    clicks = [dataclasses.replace(click, day=click.day + days) for click in history.clicks]
    hand_ins = [dataclasses.replace(hand_in, day=hand_in.day + days) for hand_in in history.hand_ins]
    grades = [dataclasses.replace(grade, day=grade.day + days) for grade in history.grades]
    dates = {name: None if day is None else day + days for name, day in history.dates.items()}
    enrolled = None if history.enrolled is None else history.enrolled + days
    return History(clicks, hand_ins, enrolled, history.progress, grades, dates)


@settings(max_examples=40, deadline=None)
@given(histories, st.integers(1, 20), st.integers(FIRST + 1, LAST - 20))
def test_without_an_end_all_days_count_from_the_learners_own_start(
    history: History, days: int, day: int
) -> None:
    before, after = (
        compute.features(
            rows_of([each], as_of), np.array([0]), OPEN_RUN, as_of, work=work_of([each], as_of, OPEN_RUN)
        )
        for each, as_of in ((history, day), (moved(history, days), day + days))
    )
    assert (before == after).all()


def test_without_an_end_there_is_no_share_of_the_run_gone_by() -> None:
    rows = rows_of([History(enrolled=START - 40)], START)
    by_name = compute.values(rows, np.array([0]), OPEN_RUN, START)
    assert (by_name["phase"][0], by_name["lead"][0], by_name["since_submission"][0]) == (NO_PHASE, 0, 40)


def test_days_on_which_a_learner_paused_are_unobserved_for_that_learner_alone() -> None:
    day, away = START + 25, np.arange(START + 9, START + 20)
    history = History([Click(START + back, "quiz", 3, 60) for back in (0, 2, 5, 8, 21)], enrolled=START - 3)
    rows, slots = rows_of([history, history], day), np.arange(2)
    plain = compute.features(rows, slots, RUN, day)
    unobserved = compute.features(rows, slots, RUN, day, TrackingGaps(away, np.empty(0, np.int64)))
    both = compute.features(rows, slots, RUN, day, paused={1: away})
    assert (both == np.stack([plain[:, 0], unobserved[:, 1]], axis=1)).all()
    assert (plain[:, 1] != both[:, 1]).any()
