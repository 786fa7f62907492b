"""Simulation of a world under a policy: first decisions and their outcomes.

The rule of all trials here: enrolled learners without activity for a week are nudged, at most once a week,
unless they are in the holdout. A decision is an enrolment's first; its outcomes are those of
:mod:`nudges.experiments.outcomes`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nudges.assignment import held_out, pick, position
from nudges.experiments.outcomes import STAGES, WINDOWS, OutcomeName
from sources.simulation.cohort import FAIL, NEVER, Bools, Ints
from sources.simulation.plan import Run
from sources.simulation.responses import ResponsePlan
from sources.simulation.world import World

SILENT = 7
"""Days without activity before a nudge, and between two."""
SILENT_AT_THE_END = 28
WEEKS = 12
RUN_NAME = "course/simulated"

Policy = Callable[[World, Ints], tuple[Ints, Ints]]
"""(world, indices of the learners who are due) → indices of those to nudge, and their variants."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The first decisions of a world, ordered by day and learner; columns [k]."""

    learner: Ints
    day: Ints
    situation: Ints
    outcomes: dict[OutcomeName, Bools]
    known_on: dict[OutcomeName, Ints]
    """The day at whose end each outcome is known."""
    back: Ints
    """Days until the next activity, 0 on the day of the decision; at most ``STAGES``."""


def new_world(learners: int, seed: int, plan: ResponsePlan) -> World:
    """A run of twelve weeks."""
    return World(Run("course", "simulated", 20_000, WEEKS, learners), seed, plan)


def run_trial(world: World, policy: Policy) -> Trial:
    """Simulate the world to its end under a policy."""
    n, longest_window = world.run.learners, max(WINDOWS.values())
    first, situation, last_nudge = np.full(n, -1), np.zeros(n, np.int64), np.full(n, -NEVER)
    days: list[Bools] = []
    first_day = world.today
    while not world.finished:
        today = world.today
        if SILENT <= today <= world.run.days - longest_window:
            due = world.enrolled() & (today - world.last_active > SILENT) & (today - last_nudge >= SILENT)
            new = due & (first < 0)
            first[new], situation[new] = today, world.situation()[new]
            last_nudge[due] = today
            world.nudge(*policy(world, np.flatnonzero(due)))
        days.append(world.simulate_day().active)
    order = np.argsort(np.where(first < 0, NEVER, first), kind="stable")
    learner = order[: int((first >= 0).sum())]
    return _trial(world, learner, first[learner], situation[learner], np.array(days), first_day)


def _trial(world: World, learner: Ints, day: Ints, situation: Ints, active: Bools, first_day: int) -> Trial:
    outcomes: dict[OutcomeName, Bools] = {}
    known_on: dict[OutcomeName, Ints] = {}
    for name, length in WINDOWS.items():
        window = (day - first_day)[:, None] + np.arange(length)
        outcomes[name] = active[window, learner[:, None]].any(axis=1)
        known_on[name] = day + length - 1
    soon_active = active[(day - first_day)[:, None] + np.arange(STAGES), learner[:, None]]
    back = np.where(soon_active.any(axis=1), soon_active.argmax(axis=1), STAGES)
    end = np.full(len(learner), world.run.days)
    fate = world.cohort.outcome[learner]
    silent = (fate == FAIL) & (end - world.last_active[learner] > SILENT_AT_THE_END)
    outcomes["exit"], outcomes["completion"] = (fate > FAIL) | silent, fate < FAIL
    known_on["exit"] = known_on["completion"] = end
    return Trial(learner, day, situation, outcomes, known_on, back)


def nobody(world: World, due: Ints) -> tuple[Ints, Ints]:
    """A policy that sends nothing."""
    return due[:0], due[:0]


def at_random(key: str, share: float, learners: int, variants: int) -> Policy:
    """A policy that nudges all but the holdout, with one equally likely variant each; both by keyed hash."""
    everybody = np.arange(learners)
    nudged, variant = ~in_holdout(key, everybody, share), _variants(key, everybody, variants)

    def policy(_: World, due: Ints) -> tuple[Ints, Ints]:
        nudged_today = due[nudged[due]]
        return nudged_today, variant[nudged_today]

    return policy


def in_holdout(key: str, learners: Ints, share: float) -> Bools:
    """Whether each learner is held out, bool [n], as the product draws it."""
    return np.array([held_out(key, str(learner), RUN_NAME, share) for learner in learners.tolist()], bool)


def _variants(key: str, learners: Ints, variants: int) -> Ints:
    shares = [1 / variants] * variants
    draws = (position(key, str(learner), RUN_NAME, "variant") for learner in learners.tolist())
    return np.array([pick(draw, shares) for draw in draws], np.int64)
