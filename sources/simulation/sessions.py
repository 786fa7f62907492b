"""An active day in detail: sessions at the learner's hours, clicks by kind, work handed in; as columns."""

from typing import Any, NamedTuple

import numpy as np

from schemas.activity import ActivityKind
from sources.simulation.cohort import Cohort, Floats, Ints
from sources.simulation.engagement import Today
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
"""Shares of the clicks before tastes vary them, which evens them out a little."""
KINDS: tuple[ActivityKind, ...] = tuple(KIND_SHARES)
SHARES = np.array(list(KIND_SHARES.values()))
CONTENT = KINDS.index("content")

NIGHT_AND_MORNING = (1.0, 0.5, 0.2, 0.1, 0.1, 0.2, 0.6, 1.3, 2.4, 3.6, 4.2, 4.2)
DAY_AND_EVENING = (3.8, 4.0, 4.2, 4.2, 4.1, 3.9, 4.2, 5.2, 5.8, 5.2, 3.6, 2.0)
HOURS = np.array([*NIGHT_AND_MORNING, *DAY_AND_EVENING])
"""How often sessions start in an hour of the learner's day; evenings lead."""

LOG_CLICKS, LOG_CLICKS_SPREAD = 2.16, 1.15
STATE_IN_CLICKS = 0.15
SECONDS_A_CLICK = 55.0
MAX_SESSIONS = 4
MAX_CLICKS = 3_000
OBJECTS = np.array([120, 12, 14, 1, 60, 90, 4, 6])
"""Pages, boards, quizzes … of a course, by kind."""


class Events(NamedTuple):
    """Activity events of one run and day, in order of time; columns [events]."""

    at: Ints
    """Seconds of the day."""
    learner: Ints
    """Place in the cohort."""
    kind: Ints
    """Place in KINDS; −1 is a submission."""
    object: Ints
    clicks: Ints
    duration: Ints
    """Seconds."""
    session: Ints
    score: Floats
    """In [0, 1]; NaN where there is none."""


def of_day(run: Run, cohort: Cohort, today: Today, rng: np.random.Generator, single_clicks: bool) -> Events:
    """What the active learners do on this day, the work they hand in included."""
    who = np.flatnonzero(today.active)
    clicks = _clicks(cohort, today, who, rng)
    sessions = np.minimum(1 + rng.poisson(0.12 * np.sqrt(clicks)), MAX_SESSIONS)
    starts = _starts(cohort, who, rng)
    visits = _visits(cohort.tastes[who], clicks, sessions, starts, rng)
    visits = visits._replace(learner=who[visits.learner])
    handed_in = _handed_in(run, cohort, today, rng)
    if single_clicks:
        visits = _one_by_one(visits)
    both = [np.concatenate(pair) for pair in zip(visits, handed_in, strict=True)]
    order = np.argsort(both[0], kind="stable")
    return _of_columns([column[order] for column in both])


def _of_columns(columns: list[np.ndarray[Any, Any]]) -> Events:
    return Events(*columns)


def _clicks(cohort: Cohort, today: Today, who: Ints, rng: np.random.Generator) -> Ints:
    log = LOG_CLICKS + cohort.intensity[who] + STATE_IN_CLICKS * today.state[who]
    clicks = np.exp(log + rng.normal(0, LOG_CLICKS_SPREAD, len(who)))
    return np.clip(np.round(clicks), 1, MAX_CLICKS).astype(np.int64)


def _starts(cohort: Cohort, who: Ints, rng: np.random.Generator) -> Floats:
    """Second of the UTC day [who, session] at which each possible session starts."""
    shape = (len(who), MAX_SESSIONS)
    hours = rng.choice(24, shape, p=HOURS / HOURS.sum()) + rng.random(shape) + cohort.hour[who][:, None]
    return np.asarray((hours % 24) * 3600)


def _visits(tastes: Floats, clicks: Ints, sessions: Ints, starts: Floats, rng: np.random.Generator) -> Events:
    """One row an active learner and kind, in one of the day's sessions; `learner` counts the active."""
    shares = SHARES * tastes * rng.gamma(1.2, 1 / 1.2, tastes.shape)
    counts = rng.multinomial(clicks, shares / shares.sum(axis=1, keepdims=True))
    session = np.floor(rng.random(counts.shape) * sessions[:, None]).astype(np.int64)
    pages = np.floor(rng.random(counts.shape) * OBJECTS).astype(np.int64)
    pace = SECONDS_A_CLICK * rng.lognormal(0, 0.4, len(clicks))
    row, kind = np.nonzero(counts)
    count, chosen = counts[row, kind], session[row, kind]
    duration = np.minimum(count * pace[row], 4 * 3600)
    begins = starts[row, chosen] + _waited(row, chosen, duration)
    # A session that would run past midnight is moved to end before it.
    at = np.minimum(begins, DAY - 1 - duration)
    return Events(
        at.astype(np.int64),
        row,
        kind,
        pages[row, kind],
        count,
        np.maximum(duration, 1).astype(np.int64),
        chosen,
        np.full(len(row), np.nan),
    )


def _waited(row: Ints, session: Ints, duration: Floats) -> Floats:
    """Seconds from a session's start until each of its visits: those before it, one after another."""
    key = row * MAX_SESSIONS + session
    order = np.argsort(key, kind="stable")
    spent = np.cumsum(duration[order]) - duration[order]
    first = np.concatenate(([True], np.diff(key[order]) != 0))[: len(order)]
    base = np.maximum.accumulate(np.where(first, spent, 0))
    waited = np.empty_like(spent)
    waited[order] = spent - base
    return waited


def _one_by_one(visits: Events) -> Events:
    """The same clicks as an event each, evenly over the visit."""
    place = np.repeat(np.arange(len(visits.at)), visits.clicks)
    nth = np.arange(len(place)) - np.repeat(np.cumsum(visits.clicks) - visits.clicks, visits.clicks)
    each = visits.duration / visits.clicks
    events = _of_columns([column[place] for column in visits])
    return events._replace(
        at=np.minimum(events.at + (nth * each[place]).astype(np.int64), DAY - 1),
        clicks=np.ones(len(place), dtype=np.int64),
        duration=np.maximum(each[place], 1).astype(np.int64),
    )


def _handed_in(run: Run, cohort: Cohort, today: Today, rng: np.random.Generator) -> Events:
    """Work of today's active learners that is due to be handed in today, with its score."""
    learner, work = np.nonzero((cohort.submits_on == today.day) & today.active[:, None])
    n = len(learner)
    marks = cohort.ability[learner] + rng.normal(0, 0.16, n)
    tests = work >= len(run.deadlines) - len(run.deadlines) // 3
    score: Floats = np.round(np.clip(marks + np.where(tests, 0.03, -0.02), 0.0, 1.0), 2).astype(np.float64)
    hour = rng.choice(24, n, p=HOURS / HOURS.sum()) + rng.random(n) + cohort.hour[learner]
    ones = np.ones(n, dtype=np.int64)
    at = ((hour % 24) * 3600).astype(np.int64)
    return Events(at, learner, -ones, work, ones, ones * 60, ones * MAX_SESSIONS, score)
