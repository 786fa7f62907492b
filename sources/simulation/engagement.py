"""The latent engagement of each learner day by day, from which follows who is active."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sources.simulation.cohort import NEVER, Bools, Cohort, Floats
from sources.simulation.plan import OULAD_DAYS, Run, RunGenerators

STUDY_FROM = -14
"""Day, relative to the run's start, on which the platform opens."""

MEMORY = 0.94
"""Autocorrelation of the state from one day to the next: a deviation halves in eleven days."""
SPREAD = 0.9
"""Standard deviation of the state, in log-odds."""
EBB = 2.4
"""Decrease in log-odds by the day on which a learner stops."""
WEEKDAYS = np.array([-0.48, -0.12, 0.26, 0.26, 0.20, 0.02, -0.38])
"""Log-odds by day of the run modulo 7."""
DEADLINE_PULL = (0.55, 0.45, 0.3)
"""Log-odds on the day of a deadline and on the days before it."""
CURIOSITY = -0.1
OPENING = (0.75, 49)
"""Log-odds on the first day, and the days over which they decrease to 0."""
HOLIDAYS = ((70 / OULAD_DAYS, 84 / OULAD_DAYS, -0.85), (196 / OULAD_DAYS, 217 / OULAD_DAYS, -0.45))
"""Start and end as shares of the run, and log-odds."""
MOMENTUM = 0.3
"""Log-odds for having been active the day before."""
WEARINESS = -1.1
"""Log-odds from the first day to the last."""


class SimulatedDay(NamedTuple):
    """Activity on one day; columns [n] over the whole cohort."""

    day: int
    active: Bools
    state: Floats
    """The latent state, in standard deviations; high is engaged."""


def days(
    run: Run, cohort: Cohort, draws: RunGenerators, lift: Floats | None = None
) -> Iterator[SimulatedDay]:
    """Every day from the platform's opening to the end of the run.

    ``lift`` [n] is added to the log-odds. It is read again each day, like the cohort, so that a caller may
    change both in place between two days.
    """
    n = len(cohort.outcome)
    state = draws.day(STUDY_FROM - 1).normal(0, SPREAD, n)
    yesterday = np.zeros(n)
    step = SPREAD * np.sqrt(1 - MEMORY**2)
    for day in range(STUDY_FROM, run.days):
        rng = draws.day(day)
        state = MEMORY * state + rng.normal(0, step, n)
        odds = cohort.drive + state + MOMENTUM * yesterday + _season(run, day) + _ebb(cohort, day)
        if lift is not None:
            odds += lift
        present = (cohort.registered < day) & (day < cohort.stops) & ~cohort.never_started
        present &= ~((cohort.away[:, 0] <= day) & (day < cohort.away[:, 1]))
        active = present & (rng.random(n) < 1 / (1 + np.exp(-odds)))
        handing_in = (cohort.submits_on == day).any(axis=1)
        active |= present & handing_in
        yesterday = active.astype(np.float64)
        yield SimulatedDay(day, active, state / SPREAD)


def _season(run: Run, day: int) -> float:
    """Log-odds common to all learners on this day: weekday, deadline, opening, holidays, weariness."""
    odds = float(WEEKDAYS[day % 7])
    if day < 0:
        return odds + CURIOSITY
    opening, fades = OPENING
    odds += opening * max(0.0, 1 - day / fades) + WEARINESS * day / run.days
    odds += max((pull for ahead, pull in enumerate(DEADLINE_PULL) if day + ahead in run.deadlines), default=0)
    return odds + sum(rest for first, last, rest in HOLIDAYS if first <= day / run.days < last)


def _ebb(cohort: Cohort, day: int) -> Floats:
    days_left = np.where(cohort.stops < NEVER, cohort.stops - day, np.inf)
    return -EBB * np.clip(1 - days_left / cohort.declines, 0, 1)
