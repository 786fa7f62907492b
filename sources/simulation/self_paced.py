"""A self-paced run: no end, learners who begin on any day, and the same course on each one's own clock.

Learners are drawn, and their days simulated, as those of a dated run that lasts as long as the course takes
one of them; then each is moved to the day on which they begin. So the hidden truth is that of a dated run:
who passes is active to the end of the own clock, and the platform says so on that day; who withdraws says so
too; who fails just stops, and nobody says anything.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sources.simulation import engagement
from sources.simulation.cohort import NEVER, Cohort, Ints, draw
from sources.simulation.engagement import STUDY_FROM, SimulatedDay
from sources.simulation.plan import Run, RunGenerators, Shift


def draw_cohort(run: Run, draws: RunGenerators, kinds: int, shift: Shift | None = None) -> Cohort:
    """The cohort of a self-paced run, its days relative to the run's start. Arguments as of ``draw``."""
    cohort, starts = draw(run.own, draws, kinds, shift), _starts(run, draws)
    return replace(
        cohort,
        registered=starts,
        withdrawn=_moved(np.maximum(cohort.withdrawn, 1), starts),
        stops=_moved(cohort.stops, starts),
        away=_moved(cohort.away, starts[:, None]),
        submits_on=_moved(cohort.submits_on, starts[:, None]),
    )


def simulated_days(
    run: Run, draws: RunGenerators, kinds: int, shift: Shift | None = None
) -> Iterator[SimulatedDay]:
    """Every day of the run; who is active follows from each learner's own day."""
    own = run.own
    days = list(engagement.days(own, _on_own_clock(draw(own, draws, kinds, shift)), draws))
    active, states = np.array([day.active for day in days]), np.array([day.state for day in days])
    learners, starts = np.arange(run.learners), _starts(run, draws)
    for day in range(STUDY_FROM, run.days):
        own_day = day - starts
        index = np.clip(own_day - STUDY_FROM, 0, len(days) - 1)
        present = (own_day > 0) & (own_day < own.days)
        yield SimulatedDay(day, active[index, learners] & present, states[index, learners])


def _on_own_clock(cohort: Cohort) -> Cohort:
    """The cohort as one that registers on its day 0."""
    return replace(cohort, registered=np.full(len(cohort.registered), -1))


def _starts(run: Run, draws: RunGenerators) -> Ints:
    """The day of the run on which each learner begins, [n]."""
    return draws.starts().integers(0, run.days, run.learners)


def _moved(days: Ints, starts: Ints) -> Ints:
    return np.where(days < NEVER, days + starts, NEVER)
