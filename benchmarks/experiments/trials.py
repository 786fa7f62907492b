"""A world lived under a policy: who was decided on, when, and what became of them.

The rule of all trials here: whoever is enrolled and was silent for a week is to be nudged, at most once a
week; the holdout is not. A decision is an enrolment's first; its outcomes are those of
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
"""Of those to be decided on (places of learners), who is nudged and with which variants."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The first decisions of a world, in order of their day and then of the learner; columns [k]."""

    learner: Ints
    day: Ints
    situation: Ints
    outcomes: dict[OutcomeName, Bools]
    known: dict[OutcomeName, Ints]
    """The day at whose end each outcome is known."""
    back: Ints
    """Days until there was activity, 0 on the day of the decision; ``STAGES`` where it came no sooner."""


def world(learners: int, seed: int, plan: ResponsePlan) -> World:
    """A run of twelve weeks."""
    return World(Run("course", "simulated", 20_000, WEEKS, learners), seed, plan)


def live(lived: World, policy: Policy) -> Trial:
    """Live the world to its end under a policy."""
    n, longest = lived.run.learners, max(WINDOWS.values())
    first, situation, newest = np.full(n, -1), np.zeros(n, np.int64), np.full(n, -NEVER)
    days: list[Bools] = []
    begins = lived.today
    while not lived.finished:
        today = lived.today
        if SILENT <= today <= lived.run.days - longest:
            due = lived.enrolled() & (today - lived.last_active > SILENT) & (today - newest >= SILENT)
            new = due & (first < 0)
            first[new], situation[new] = today, lived.situation()[new]
            newest[due] = today
            lived.nudge(*policy(lived, np.flatnonzero(due)))
        days.append(lived.simulate_day().active)
    order = np.argsort(np.where(first < 0, NEVER, first), kind="stable")
    learner = order[: int((first >= 0).sum())]
    return _trial(lived, learner, first[learner], situation[learner], np.array(days), begins)


def _trial(lived: World, learner: Ints, day: Ints, situation: Ints, active: Bools, begins: int) -> Trial:
    outcomes: dict[OutcomeName, Bools] = {}
    known: dict[OutcomeName, Ints] = {}
    for name, length in WINDOWS.items():
        window = (day - begins)[:, None] + np.arange(length)
        outcomes[name] = active[window, learner[:, None]].any(axis=1)
        known[name] = day + length - 1
    soon = active[(day - begins)[:, None] + np.arange(STAGES), learner[:, None]]
    back = np.where(soon.any(axis=1), soon.argmax(axis=1), STAGES)
    end = np.full(len(learner), lived.run.days)
    fate = lived.cohort.outcome[learner]
    silent = (fate == FAIL) & (end - lived.last_active[learner] > SILENT_AT_THE_END)
    outcomes["exit"], outcomes["completion"] = (fate > FAIL) | silent, fate < FAIL
    known["exit"] = known["completion"] = end
    return Trial(learner, day, situation, outcomes, known, back)


def nobody(lived: World, due: Ints) -> tuple[Ints, Ints]:
    """A policy that sends nothing."""
    return due[:0], due[:0]


def at_random(key: str, share: float, learners: int, variants: int) -> Policy:
    """Everybody but the holdout, each with one variant, all as likely; both by the keyed hash, and sticky."""
    everybody = np.arange(learners)
    nudged, variant = ~in_holdout(key, everybody, share), _variants(key, everybody, variants)

    def policy(_: World, due: Ints) -> tuple[Ints, Ints]:
        who = due[nudged[due]]
        return who, variant[who]

    return policy


def in_holdout(key: str, learners: Ints, share: float) -> Bools:
    """Who is held out, as the product draws it."""
    return np.array([held_out(key, str(one), RUN_NAME, share) for one in learners.tolist()], bool)


def _variants(key: str, learners: Ints, variants: int) -> Ints:
    shares = [1 / variants] * variants
    places = (position(key, str(one), RUN_NAME, "variant") for one in learners.tolist())
    return np.array([pick(place, shares) for place in places], np.int64)
