"""A course run whose learners respond to nudges.

:class:`World` simulates one run day by day. Between two days its caller may send nudges; from the next day
on they change those learners' log-odds to be active, and sometimes their outcome, by the hidden responses
of :mod:`sources.simulation.responses`. Without nudges a world is the run that the simulator streams, day
for day. Two worlds with one seed differ only by their nudges, so simulating the same days twice gives the
true effect of a nudge.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from sources.simulation import engagement, responses
from sources.simulation.cohort import NEVER, PASS, WITHDRAWN, Bools, Cohort, Floats, Ints, draw
from sources.simulation.engagement import STUDY_FROM, SimulatedDay
from sources.simulation.plan import Run, RunGenerators
from sources.simulation.responses import ResponsePlan, Responses
from sources.simulation.sessions import KINDS

WITHDRAWAL_DELAY = 3
"""Days from a nudge that makes a learner leave to the withdrawal."""


class World:
    """One run with its learners, from the platform's opening to the end.

    ``today`` is the next day to be simulated, relative to the run's start. Observable by a platform:
    ``last_active`` int64 [n], ``−NEVER`` before the first activity; ``enrolled`` and ``situation``. Hidden
    from it: ``truth`` and ``cohort``, whose outcomes nudges change.
    """

    def __init__(self, run: Run, seed: int, plan: ResponsePlan) -> None:
        self.run, self.plan, self.today = run, plan, STUDY_FROM
        self.draws = RunGenerators(seed, run)
        self.cohort = _with_own_fates(draw(run, self.draws, len(KINDS)))
        self.truth: Responses = responses.draw(plan, run.learners, self.draws.responses())
        self.last_active: Ints = np.full(run.learners, -NEVER)
        self.nudges: Ints = np.zeros(run.learners, np.int64)
        self._lift: Floats = np.zeros(run.learners)
        self._fading = 0.5 ** (1 / plan.half_life)
        self._days = engagement.days(run, self.cohort, self.draws, self._lift)

    @property
    def finished(self) -> bool:
        """Whether the last day has been simulated."""
        return self.today >= self.run.days

    def simulate_day(self) -> SimulatedDay:
        """Simulate the next day; returns who was active on it."""
        day = next(self._days)
        self.last_active[day.active] = day.day
        self._lift *= self._fading
        self.today += 1
        return day

    def days(self) -> Iterator[SimulatedDay]:
        """Simulate the remaining days lazily."""
        while not self.finished:
            yield self.simulate_day()

    def enrolled(self) -> Bools:
        """Whether each learner has registered and not withdrawn, bool [n]."""
        enrolled: Bools = (self.cohort.registered < self.today) & (self.cohort.withdrawn >= self.today)
        return enrolled

    def situation(self) -> Ints:
        """1 where the learner missed the newest deadline, else 0; int64 [n]."""
        past = [index for index, due in enumerate(self.run.deadlines) if due < self.today]
        if not past:
            return np.zeros(self.run.learners, np.int64)
        handed_in = self.cohort.submits_on[:, past[-1]]
        handed_in_time = (handed_in < self.today) & (handed_in < self.cohort.stops)
        return (~handed_in_time).astype(np.int64)

    def nudge(self, learners: Ints, variants: Ints) -> None:
        """Send nudges for ``today``: indices of distinct learners int64 [k], and their variants int64 [k]."""
        truth = Responses(
            self.truth.sign[learners], self.truth.size[learners], self.truth.threshold[learners]
        )
        effect = responses.first_effect(
            self.plan, truth, self.situation()[learners], variants, self.nudges[learners]
        )
        self._lift[learners] += effect
        self.nudges[learners] += 1
        fate_changes = truth.threshold < 1 - (1 - self.plan.rescue) ** np.abs(effect)
        self._stay(learners[fate_changes & (effect > 0)])
        self._leave(learners[fate_changes & (effect < 0)])

    def _stay(self, learners: Ints) -> None:
        """Let learners stay who would have stopped."""
        leavers = learners[
            (self.cohort.stops[learners] < NEVER) & (self.cohort.withdrawn[learners] >= self.today)
        ]
        self.cohort.stops[leavers] = NEVER
        self.cohort.withdrawn[leavers] = NEVER
        self.cohort.outcome[leavers] = PASS

    def _leave(self, learners: Ints) -> None:
        """Let learners stop now and withdraw, unless they already have."""
        enrolled = learners[self.cohort.withdrawn[learners] >= self.today]
        self.cohort.stops[enrolled] = np.minimum(self.cohort.stops[enrolled], self.today)
        self.cohort.withdrawn[enrolled] = np.minimum(
            self.cohort.withdrawn[enrolled], self.today + WITHDRAWAL_DELAY
        )
        self.cohort.outcome[enrolled] = WITHDRAWN


def _with_own_fates(cohort: Cohort) -> Cohort:
    """The cohort with copies of the columns that a world changes."""
    return replace(
        cohort,
        outcome=cohort.outcome.copy(),
        stops=cohort.stops.copy(),
        withdrawn=cohort.withdrawn.copy(),
    )
