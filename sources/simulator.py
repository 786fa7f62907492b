"""The learner simulator: seeded terms with hidden truth, resembling OULAD, of any number of learners.

Every learner has a latent engagement that wanders, recovers or declines, habits (hours, kinds, diligence,
ability) and an outcome that the stream reveals only when it happens: a pass, with distinction or not, a
fail, often after a silence, or a withdrawal. ``python -m sources.simulator --marginals`` compares it with
OULAD; ``sources.simulation`` has the parts.

Not a model of people. In :func:`stream` nudges change nothing; :class:`RespondingTerm` is the same term
with learners who respond to them, by responses that are drawn and hidden like the outcomes.
"""

import argparse
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from sources.simulation import engagement, marginals, messages, self_paced
from sources.simulation.cohort import FAIL, NEVER, OUTCOMES, Bools, Cohort, Ints, draw
from sources.simulation.engagement import SimulatedDay
from sources.simulation.plan import FIRST_DAY, Run, RunGenerators, SimulationPlan
from sources.simulation.responses import ResponsePlan
from sources.simulation.sessions import KINDS
from sources.simulation.world import World
from sources.stream import CLOSING_DAYS, DAY, SourceMessage, with_ticks

__all__ = [
    "NO_EXIT",
    "RespondingTerm",
    "ResponsePlan",
    "Run",
    "SimulationPlan",
    "Truth",
    "stream",
    "total",
    "truth",
]

NO_EXIT = -1
EVENTS_A_LEARNER_DAY = {"sessions": 1.55, "clicks": 8.5}
"""Measured rate in the first days of a run; only for progress bars."""
FADING = 0.43
"""Decline of the rate: a share x of a run has x − FADING × x² times the events of the initial rate."""
SILENCE = 28
"""Days without activity before the end from which on a fail is silent and has an exit day."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What the stream hides: one row for each enrolment, in the order of the plan's runs; columns [n]."""

    learner: list[str]
    course_run: list[str]
    outcome: list[str]
    """pass, distinction, fail or withdrawn."""
    lost: Bools
    """Failed or withdrawn: the label that risk estimates predict."""
    exit_day: Ints
    """Event day (UTC, since 1970) of the withdrawal; for a fail without activity in the last four weeks
    the day after the last activity, and in a self-paced run for any fail; else NO_EXIT."""
    never_started: Bools
    """Not active on any day."""


def stream(plan: SimulationPlan, ticks: bool = True) -> Iterator[SourceMessage]:
    """Messages of all runs in event-time order, with clock ticks; up to `plan.until` where it is set.

    Holds one day of each run in memory. Equal plans give equal messages.
    """
    runs = []
    for run in plan.runs:
        cohort, draws, days = _hidden_state(plan, run)
        runs.append(messages.of_run(run, cohort, draws, plan.detail == "clicks", plan.trackers, days))
    return _merged(plan, runs, ticks)


class RespondingTerm:
    """The same term, with learners who respond to nudges according to their hidden responses.

    Alternate between reading :meth:`stream` and calling :meth:`nudge`: a nudge takes effect on the day
    after that of the newest message read. Without nudges the stream equals that of the plan, byte for byte.
    """

    def __init__(self, plan: SimulationPlan, responses: ResponsePlan) -> None:
        """Begin the term.

        Raises:
            ValueError: a run is self-paced.
        """
        if any(run.pace_weeks is not None for run in plan.runs):
            raise ValueError(f"runs: {plan.runs}, expected none that is self-paced")
        self.plan = plan
        self.worlds = {run.course_run: World(run, plan.seed, responses) for run in plan.runs}
        self._indices = {
            (learner, run.course_run): index
            for run in plan.runs
            for index, learner in enumerate(messages.learner_ids(run))
        }

    def stream(self, ticks: bool = True) -> Iterator[SourceMessage]:
        """As :func:`stream`; can be read once only."""
        plan, clicks = self.plan, self.plan.detail == "clicks"
        runs = [
            messages.of_run(world.run, world.cohort, world.draws, clicks, plan.trackers, world.days())
            for world in self.worlds.values()
        ]
        return _merged(plan, runs, ticks)

    def nudge(self, learner: str, course_run: str, variant: int) -> None:
        """Send a nudge of a variant to a learner.

        Raises:
            KeyError: the plan has no such enrolment.
        """
        index = self._indices[learner, course_run]
        self.worlds[course_run].nudge(np.array([index]), np.array([variant]))


def _merged(
    plan: SimulationPlan, runs: list[Iterator[SourceMessage]], ticks: bool
) -> Iterator[SourceMessage]:
    merged = heapq.merge(*runs, key=lambda message: message.occurred_at)
    cut = _before(merged, plan.until) if plan.until is not None else merged
    return with_ticks(cut, messages.SOURCE) if ticks else cut


def truth(plan: SimulationPlan) -> Truth:
    """Every enrolment's outcome, including what happens after `plan.until`."""
    fates = [_fate(plan, run) for run in plan.runs]
    outcome = np.concatenate([fate.outcome for fate in fates])
    return Truth(
        learner=[learner for run in plan.runs for learner in messages.learner_ids(run)],
        course_run=[run.course_run for run in plan.runs for _ in range(run.learners)],
        outcome=[OUTCOMES[code] for code in outcome],
        lost=outcome >= FAIL,
        exit_day=np.concatenate([fate.exit_day for fate in fates]),
        never_started=np.concatenate([fate.never_started for fate in fates]),
    )


def total(plan: SimulationPlan) -> int:
    """The approximate number of the stream's messages, within a tenth, for a progress bar."""
    rate = EVENTS_A_LEARNER_DAY[plan.detail]
    until = plan.until if plan.until is not None else NEVER
    messages_of = 0.0
    for run in plan.runs:
        share = min(max(until - run.starts_on, 0), run.days) / run.days
        if run.pace_weeks is not None:
            gone_by = min(1.0, max(0.0, 1 - run.own.days / 2 / (share * run.days or 1)))
            messages_of += run.learners * share * (2 + rate * run.own.days * gone_by * (1 - FADING))
            continue
        messages_of += run.learners * (2 + rate * run.days * (share - FADING * share**2))
    first = min(run.starts_on for run in plan.runs) + FIRST_DAY
    last = min(max(run.starts_on + run.days for run in plan.runs), until)
    return round(messages_of) + last - first + 1 + CLOSING_DAYS


class _Fate(NamedTuple):
    """One run's part of the truth, columns [n]."""

    outcome: Ints
    exit_day: Ints
    never_started: Bools


def _fate(plan: SimulationPlan, run: Run) -> _Fate:
    cohort, _, days = _hidden_state(plan, run)
    last = np.full(run.learners, -NEVER)
    for today in days:
        last[today.active] = today.day
    never = last == -NEVER
    end = run.days if run.pace_weeks is None else NEVER
    silent = (cohort.outcome == FAIL) & ~never & (last < end - SILENCE)
    exits = np.where(silent, last + 1, cohort.withdrawn)
    return _Fate(cohort.outcome, np.where(exits < NEVER, run.starts_on + exits, NO_EXIT), never)


def _hidden_state(plan: SimulationPlan, run: Run) -> tuple[Cohort, RunGenerators, Iterator[SimulatedDay]]:
    """The learners of a run, the generators of their events, and their days from the opening on."""
    draws, kinds, shift = RunGenerators(plan.seed, run), len(KINDS), plan.shift_of(run)
    if run.pace_weeks is None:
        cohort = draw(run, draws, kinds, shift)
        return cohort, draws, engagement.days(run, cohort, draws)
    cohort = self_paced.draw_cohort(run, draws, kinds, shift)
    return cohort, draws, self_paced.simulated_days(run, draws, kinds, shift)


def _before(merged: Iterator[SourceMessage], until: int) -> Iterator[SourceMessage]:
    for message in merged:
        if message.occurred_at >= until * DAY:
            return
        yield message


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Simulate learners as native JSON lines, or compare with OULAD."
    )
    parser.add_argument("--learners", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--detail", choices=("sessions", "clicks"), default="sessions")
    parser.add_argument(
        "--self-paced",
        action="store_true",
        help="one course without an end, in which learners come on any day",
    )
    parser.add_argument("--marginals", action="store_true", help="print simulated figures beside OULAD's")
    options = parser.parse_args()
    if options.marginals:
        run = Run(
            "course-a",
            "like-oulad",
            int(datetime(2026, 2, 2, tzinfo=UTC).timestamp()) // DAY,
            34,
            options.learners,
        )
        plan = SimulationPlan((run,), options.seed, options.detail)
        print(marginals.table(marginals.measure(stream(plan, ticks=False), run)))
        return
    if options.self_paced:
        plan = SimulationPlan.self_paced(options.learners, seed=options.seed, detail=options.detail)
    else:
        plan = SimulationPlan.term(options.learners, seed=options.seed, detail=options.detail)
    for message in stream(plan):
        print(message.value.decode())


if __name__ == "__main__":
    main()
