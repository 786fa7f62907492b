"""A course run that answers: nudges go in, and the days after them are other days.

:class:`World` moves one run day by day. Between two days its caller may send nudges; those learners'
log-odds to be active, and sometimes their fate, change from the next day on, by the hidden responses of
:mod:`sources.simulation.responses`. A world to which nothing is sent is the run that the simulator streams,
day for day; and two worlds with one seed differ only by what was sent to them, so the true effect of a
nudge is seen by living the same days twice.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sources.simulation import engagement, responses
from sources.simulation.cohort import NEVER, PASS, WITHDRAWN, Bools, Cohort, Floats, Ints, draw
from sources.simulation.engagement import STUDY_FROM, Today
from sources.simulation.plan import Draws, Run
from sources.simulation.responses import ResponsePlan, Responses
from sources.simulation.sessions import KINDS

FAREWELL = 3
"""Days from a nudge that puts a learner off for good to the withdrawal."""


class World:
    """One run with its learners, from the platform's opening to the end.

    ``today`` is the next day to be lived, relative to the run's start. What a platform could see:
    ``last_active`` int64 [n], ``−NEVER`` before the first activity; ``enrolled`` and ``situation``. What
    it could not: ``truth`` and ``cohort``, whose fates nudges change.
    """

    def __init__(self, run: Run, seed: int, plan: ResponsePlan) -> None:
        self.run, self.plan, self.today = run, plan, STUDY_FROM
        self.draws = Draws(seed, run)
        self.cohort = _own(draw(run, self.draws, len(KINDS)))
        self.truth: Responses = responses.draw(plan, run.learners, self.draws.responses())
        self.last_active: Ints = np.full(run.learners, -NEVER)
        self.nudges: Ints = np.zeros(run.learners, np.int64)
        self._lift: Floats = np.zeros(run.learners)
        self._fading = 0.5 ** (1 / plan.half_life)
        self._days = engagement.days(run, self.cohort, self.draws, self._lift)

    @property
    def over(self) -> bool:
        """Whether the last day has been lived."""
        return self.today >= self.run.days

    def live(self) -> Today:
        """Live one day: who was active on it."""
        lived = next(self._days)
        self.last_active[lived.active] = lived.day
        self._lift *= self._fading
        self.today += 1
        return lived

    def days(self) -> Iterator[Today]:
        """Live the days that are left, each when it is asked for."""
        while not self.over:
            yield self.live()

    def enrolled(self) -> Bools:
        """Who has registered and not withdrawn, bool [n]."""
        found: Bools = (self.cohort.registered < self.today) & (self.cohort.withdrawn >= self.today)
        return found

    def situation(self) -> Ints:
        """1 where the newest deadline passed without the learner's work, else 0; int64 [n]."""
        past = [place for place, due in enumerate(self.run.deadlines) if due < self.today]
        if not past:
            return np.zeros(self.run.learners, np.int64)
        handed_in = self.cohort.submits_on[:, past[-1]]
        done = (handed_in < self.today) & (handed_in < self.cohort.stops)
        return (~done).astype(np.int64)

    def nudge(self, who: Ints, variants: Ints) -> None:
        """Send nudges now, before ``today``: places of learners int64 [k], each once, and their variants."""
        truth = Responses(self.truth.sign[who], self.truth.size[who], self.truth.threshold[who])
        effect = responses.first_effect(self.plan, truth, self.situation()[who], variants, self.nudges[who])
        self._lift[who] += effect
        self.nudges[who] += 1
        turned = truth.threshold < 1 - (1 - self.plan.rescue) ** np.abs(effect)
        self._stay(who[turned & (effect > 0)])
        self._leave(who[turned & (effect < 0)])

    def _stay(self, who: Ints) -> None:
        """They would have stopped, and do not."""
        lost = who[(self.cohort.stops[who] < NEVER) & (self.cohort.withdrawn[who] >= self.today)]
        self.cohort.stops[lost] = NEVER
        self.cohort.withdrawn[lost] = NEVER
        self.cohort.outcome[lost] = PASS

    def _leave(self, who: Ints) -> None:
        """They stop now and withdraw, if they have not."""
        there = who[self.cohort.withdrawn[who] >= self.today]
        self.cohort.stops[there] = np.minimum(self.cohort.stops[there], self.today)
        self.cohort.withdrawn[there] = np.minimum(self.cohort.withdrawn[there], self.today + FAREWELL)
        self.cohort.outcome[there] = WITHDRAWN


def _own(cohort: Cohort) -> Cohort:
    """The cohort with fates that can be changed without changing anybody else's."""
    return replace(
        cohort,
        outcome=cohort.outcome.copy(),
        stops=cohort.stops.copy(),
        withdrawn=cohort.withdrawn.copy(),
    )
