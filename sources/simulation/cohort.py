"""The learners of a run: hidden traits and outcomes, drawn once, as columns.

Outcomes are drawn first, from the OULAD marginals (field notes), then traits given the outcome; the days
follow from the traits. So the truth is known exactly, and its marginals hold by construction.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sources.simulation.plan import FIRST_DAY, OULAD_DAYS, Run, RunGenerators, Shift

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

OUTCOMES = ("pass", "distinction", "fail", "withdrawn")
PASS, DISTINCTION, FAIL, WITHDRAWN = range(4)
SHARES = (0.379, 0.093, 0.216, 0.312)

NEVER = 1 << 20
"""A day that no run reaches."""

ZONES: tuple[tuple[str, int, float], ...] = (
    ("Europe/London", 0, 0.6),
    ("Europe/Berlin", 1, 0.25),
    ("America/New_York", -5, 0.15),
)
"""Name, hours ahead of UTC, share of the learners."""

# Quantile functions: days of a 240-day run.
WITHDRAWAL = ((0, 0.1, 0.25, 0.5, 0.75, 0.9, 1), (0, 8, 17, 66, 137, 183, 232))
SILENCE_BEFORE_WITHDRAWAL = ((0, 0.3, 0.5, 0.75, 0.9, 1), (0, 0, 5, 20, 50, 120))
SILENT_FAIL = ((0, 0.12, 0.3, 0.6, 0.85, 1), (3, 25, 56, 105, 175, 211))
REGISTRATION = ((0, 0.05, 0.25, 0.5, 0.75, 0.95, 1), (FIRST_DAY, -40, -28, -17, -9, -4, -2))

BEFORE_START = 0.26
ABSENT, ABSENCE = 0.13, (15, 45)
"""Share of the learners with one absence of several weeks, and its length in days."""
SPIKE_DAY, SPIKE = 12, 0.05
SILENT_AMONG_FAIL = 0.70
NEVER_STARTED = {"before": 0.15, WITHDRAWN: 0.02, FAIL: 0.04}

# By outcome: PASS, DISTINCTION, FAIL, WITHDRAWN.
DRIVE = np.array([-0.70, -0.25, -1.25, -1.2])
"""Mean log-odds to be active on a day, before all other effects."""
ABILITY = np.array([0.78, 0.93, 0.65, 0.65])
"""Mean of a learner's mean score."""
DILIGENCE = np.array([0.955, 0.975, 0.76, 0.76])
"""Share of the assessments that a present learner hands in."""

LESS_DRIVE, FEWER_CLICKS = 0.8, 0.7
"""Decrease by a shift of the behaviour, in log-odds and in log clicks."""

EXCHANGED = np.array([FAIL, WITHDRAWN, PASS, DISTINCTION])
"""Outcome → the outcome whose habits its learners have where the outcomes shifted."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """All learners of a run, columns [n]. Days are relative to the run's start."""

    outcome: Ints
    registered: Ints
    withdrawn: Ints
    """Day of the withdrawal; NEVER without one."""
    stops: Ints
    """First day from which the learner is inactive for good, before a withdrawal or a fail; NEVER."""
    declines: Ints
    """Days over which the engagement declines before it stops."""
    never_started: Bools
    away: Ints
    """[n, 2] first day of a long absence and the day of return; NEVER without one."""
    drive: Floats
    """The learner's own log-odds to be active."""
    intensity: Floats
    """Log of clicks on an active day, relative to the mean."""
    ability: Floats
    hour: Floats
    """Offset of the learner's hours from the common ones, in hours, time zone included."""
    zone: Ints
    """Index in ZONES."""
    tastes: Floats
    """[n, kinds] factor by which a learner uses a kind more than others."""
    submits_on: Ints
    """[n, deadlines] day on which the work is handed in, if the learner is still present; NEVER."""


def draw(run: Run, draws: RunGenerators, kinds: int, shift: Shift | None = None) -> Cohort:
    """Draw the cohort of `run`, with tastes for a number of `kinds` of activity."""
    rng, n = draws.cohort(), run.learners
    outcome = rng.choice(4, n, p=SHARES)
    registered = _days(rng, n, REGISTRATION, 1.0)
    withdrawn, before = _withdrawals(rng, run, outcome, registered)
    never = _never_started(rng, outcome, before)
    stops = _stops(rng, run, outcome, withdrawn, never)
    habits = EXCHANGED[outcome] if shift == "outcomes" else outcome
    ability = np.clip(ABILITY[habits] + rng.normal(0, 0.12, n), 0.1, 1.0)
    drive = DRIVE[habits] + rng.normal(0, 1.0, n) - (LESS_DRIVE if shift == "behaviour" else 0.0)
    zone = rng.choice(len(ZONES), n, p=[share for _, _, share in ZONES])
    return Cohort(
        outcome=outcome,
        registered=registered,
        withdrawn=withdrawn,
        stops=stops,
        declines=np.clip(rng.lognormal(np.log(24), 0.7, n), 3, 120).astype(np.int64),
        never_started=never,
        away=_absences(rng, run, n),
        drive=drive,
        intensity=rng.normal(0, 0.45, n)
        + 0.15 * (drive - DRIVE.mean())
        - (FEWER_CLICKS if shift == "behaviour" else 0.0),
        ability=ability,
        hour=rng.normal(0, 2.0, n) - np.array([hours for _, hours, _ in ZONES])[zone],
        zone=zone,
        tastes=rng.gamma(2.0, 0.5, (n, kinds)),
        submits_on=_submissions(rng, run, habits),
    )


def _days(
    rng: np.random.Generator, n: int, quantiles: tuple[tuple[float, ...], tuple[float, ...]], scale: float
) -> Ints:
    """Whole days [n] drawn from a quantile function, scaled to the run's length."""
    return np.floor(np.interp(rng.random(n), *quantiles) * scale).astype(np.int64)


def _withdrawals(rng: np.random.Generator, run: Run, outcome: Ints, registered: Ints) -> tuple[Ints, Bools]:
    n, scale = len(outcome), run.days / OULAD_DAYS
    day = _days(rng, n, WITHDRAWAL, scale)
    day = np.where(rng.random(n) < SPIKE, min(SPIKE_DAY, run.days - 1), day)
    before = rng.random(n) < BEFORE_START
    # Between the day after registration and the last day before the start.
    early = registered + 1 + np.floor(rng.random(n) * (-1 - registered)).astype(np.int64)
    withdrew = outcome == WITHDRAWN
    return np.where(withdrew, np.where(before, early, day), NEVER), withdrew & before


def _never_started(rng: np.random.Generator, outcome: Ints, before: Bools) -> Bools:
    chance = np.zeros(len(outcome))
    for code in (WITHDRAWN, FAIL):
        chance[outcome == code] = NEVER_STARTED[code]
    chance[before] = NEVER_STARTED["before"]
    return rng.random(len(outcome)) < chance


def _stops(rng: np.random.Generator, run: Run, outcome: Ints, withdrawn: Ints, never: Bools) -> Ints:
    n, scale = len(outcome), run.days / OULAD_DAYS
    silence = _days(rng, n, SILENCE_BEFORE_WITHDRAWAL, scale)
    # A withdrawal in the first days follows activity, not a long silence.
    silence = np.minimum(silence, np.maximum(withdrawn, 0) // 2)
    silent = (outcome == FAIL) & (rng.random(n) < SILENT_AMONG_FAIL)
    stops = np.where(silent, _days(rng, n, SILENT_FAIL, scale), NEVER)
    stops = np.where(outcome == WITHDRAWN, withdrawn - silence, stops)
    return np.where(never, np.minimum(stops, 0), stops)


def _absences(rng: np.random.Generator, run: Run, n: int) -> Ints:
    first = np.where(rng.random(n) < ABSENT, rng.integers(0, run.days, n), NEVER)
    return np.stack([first, first + rng.integers(*ABSENCE, n)], axis=1)


def _submissions(rng: np.random.Generator, run: Run, outcome: Ints) -> Ints:
    """Days of submission [n, deadlines]: mostly just before the deadline; often early for open tests."""
    due = np.array(run.deadlines)
    n, m = len(outcome), len(due)
    lag = np.round(
        np.interp(rng.random((n, m)), (0, 0.05, 0.2, 0.5, 0.64, 0.9, 1), (-14, -8, -4, -1, 0, 3, 12))
    )
    tests = np.arange(m) >= m - m // 3
    early = tests & (rng.random((n, m)) < 0.42)
    lag = np.where(early, -rng.uniform(5, 0.83 * run.days, (n, m)), lag)
    day = np.minimum(np.maximum(due + lag, 1), run.days - 1).astype(np.int64)
    return np.where(rng.random((n, m)) < DILIGENCE[outcome][:, None], day, NEVER)
