"""The events of a simulated day: sessions at the learners' hours, clicks by kind, submissions; as columns."""

from typing import Any, NamedTuple

import numpy as np

from schemas.activity import ActivityKind
from sources.simulation.cohort import Cohort, Floats, Ints
from sources.simulation.engagement import SimulatedDay
from sources.simulation.plan import Run
from sources.stream import DAY

KIND_SHARES: dict[ActivityKind, float] = {
    "content": 0.31,
    "forum": 0.195,
    "quiz": 0.175,
    "home": 0.175,
    "page": 0.085,
    "resource": 0.025,
    "wiki": 0.015,
    "other": 0.02,
}
"""Shares of the clicks before tastes vary them, which makes the resulting shares more even."""
KINDS: tuple[ActivityKind, ...] = tuple(KIND_SHARES)
SHARES = np.array(list(KIND_SHARES.values()))
CONTENT = KINDS.index("content")

NIGHT_AND_MORNING = (1.0, 0.5, 0.2, 0.1, 0.1, 0.2, 0.6, 1.3, 2.4, 3.6, 4.2, 4.2)
DAY_AND_EVENING = (3.8, 4.0, 4.2, 4.2, 4.1, 3.9, 4.2, 5.2, 5.8, 5.2, 3.6, 2.0)
HOURS = np.array([*NIGHT_AND_MORNING, *DAY_AND_EVENING])
"""Relative frequency of session starts by hour of the learner's day."""

LOG_CLICKS, LOG_CLICKS_SPREAD = 2.16, 1.15
STATE_IN_CLICKS = 0.15
SECONDS_A_CLICK = 55.0
MAX_SESSIONS = 4
MAX_CLICKS = 3_000
OBJECTS = np.array([120, 12, 14, 1, 60, 90, 4, 6])
"""Number of a course's pages, boards, quizzes …, by kind."""


class Events(NamedTuple):
    """Activity events of one run and day, ordered by time; columns [events]."""

    second: Ints
    """Second of the UTC day."""
    learner: Ints
    """Index in the cohort."""
    kind: Ints
    """Index in KINDS; −1 is a submission."""
    object: Ints
    clicks: Ints
    duration: Ints
    """Seconds."""
    session: Ints
    score: Floats
    """In [0, 1]; NaN without a score."""


def of_day(
    run: Run, cohort: Cohort, today: SimulatedDay, rng: np.random.Generator, single_clicks: bool
) -> Events:
    """Events of the active learners on this day, submissions included."""
    active = np.flatnonzero(today.active)
    clicks = _clicks(cohort, today, active, rng)
    sessions = np.minimum(1 + rng.poisson(0.12 * np.sqrt(clicks)), MAX_SESSIONS)
    starts = _starts(cohort, active, rng)
    visits = _visits(cohort.tastes[active], clicks, sessions, starts, rng)
    visits = visits._replace(learner=active[visits.learner])
    handed_in = _handed_in(run, cohort, today, rng)
    if single_clicks:
        visits = _single_clicks(visits)
    columns = [np.concatenate(pair) for pair in zip(visits, handed_in, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return _events_of([column[order] for column in columns])


def _events_of(columns: list[np.ndarray[Any, Any]]) -> Events:
    return Events(*columns)


def _clicks(cohort: Cohort, today: SimulatedDay, active: Ints, rng: np.random.Generator) -> Ints:
    log = LOG_CLICKS + cohort.intensity[active] + STATE_IN_CLICKS * today.state[active]
    clicks = np.exp(log + rng.normal(0, LOG_CLICKS_SPREAD, len(active)))
    return np.clip(np.round(clicks), 1, MAX_CLICKS).astype(np.int64)


def _starts(cohort: Cohort, active: Ints, rng: np.random.Generator) -> Floats:
    """Second of the UTC day [who, session] at which each possible session starts."""
    shape = (len(active), MAX_SESSIONS)
    hours = rng.choice(24, shape, p=HOURS / HOURS.sum()) + rng.random(shape) + cohort.hour[active][:, None]
    return np.asarray((hours % 24) * 3600)


def _visits(tastes: Floats, clicks: Ints, sessions: Ints, starts: Floats, rng: np.random.Generator) -> Events:
    """One row for each active learner and kind, in one of the day's sessions.

    `learner` is an index among the active learners here, not in the cohort.
    """
    shares = SHARES * tastes * rng.gamma(1.2, 1 / 1.2, tastes.shape)
    counts = rng.multinomial(clicks, shares / shares.sum(axis=1, keepdims=True))
    session = np.floor(rng.random(counts.shape) * sessions[:, None]).astype(np.int64)
    pages = np.floor(rng.random(counts.shape) * OBJECTS).astype(np.int64)
    pace = SECONDS_A_CLICK * rng.lognormal(0, 0.4, len(clicks))
    row, kind = np.nonzero(counts)
    count, visit_session = counts[row, kind], session[row, kind]
    duration = np.minimum(count * pace[row], 4 * 3600)
    begins = starts[row, visit_session] + _waited(row, visit_session, duration)
    # A session that would run past midnight is moved to end before it.
    second = np.minimum(begins, DAY - 1 - duration)
    return Events(
        second.astype(np.int64),
        row,
        kind,
        pages[row, kind],
        count,
        np.maximum(duration, 1).astype(np.int64),
        visit_session,
        np.full(len(row), np.nan),
    )


def _waited(row: Ints, session: Ints, duration: Floats) -> Floats:
    """Seconds from a session's start until each of its visits: the durations of the visits before it."""
    key = row * MAX_SESSIONS + session
    order = np.argsort(key, kind="stable")
    spent = np.cumsum(duration[order]) - duration[order]
    first = np.concatenate(([True], np.diff(key[order]) != 0))[: len(order)]
    base = np.maximum.accumulate(np.where(first, spent, 0))
    waited = np.empty_like(spent)
    waited[order] = spent - base
    return waited


def _single_clicks(visits: Events) -> Events:
    """The same clicks as one event each, spread evenly over the visit."""
    visit = np.repeat(np.arange(len(visits.second)), visits.clicks)
    number = np.arange(len(visit)) - np.repeat(np.cumsum(visits.clicks) - visits.clicks, visits.clicks)
    click_s = visits.duration / visits.clicks
    events = _events_of([column[visit] for column in visits])
    return events._replace(
        second=np.minimum(events.second + (number * click_s[visit]).astype(np.int64), DAY - 1),
        clicks=np.ones(len(visit), dtype=np.int64),
        duration=np.maximum(click_s[visit], 1).astype(np.int64),
    )


def _handed_in(run: Run, cohort: Cohort, today: SimulatedDay, rng: np.random.Generator) -> Events:
    """Submissions of active learners who hand in on this day, with their scores."""
    learner, work = np.nonzero((cohort.submits_on == today.day) & today.active[:, None])
    n = len(learner)
    marks = cohort.ability[learner] + rng.normal(0, 0.16, n)
    tests = work >= len(run.deadlines) - len(run.deadlines) // 3
    score: Floats = np.round(np.clip(marks + np.where(tests, 0.03, -0.02), 0.0, 1.0), 2).astype(np.float64)
    hour = rng.choice(24, n, p=HOURS / HOURS.sum()) + rng.random(n) + cohort.hour[learner]
    ones = np.ones(n, dtype=np.int64)
    second = ((hour % 24) * 3600).astype(np.int64)
    return Events(second, learner, -ones, work, ones, ones * 60, ones * MAX_SESSIONS, score)
