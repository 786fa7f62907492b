"""Budgeted alarms: a few learners a week can be reached, so who is reached is what counts.

So many alarms per 100 enrolments in force a week, most urgent first, nobody twice within 28 days. Beside it
always the same with random order: alarms to everybody all the time "predict" every exit.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.judged import Weekly
from evaluation.outcomes import Floats

SHARE = 0.02
SHARES = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1)
QUIET_DAYS = 28
EARLIEST_EXIT = 21
DRAWS = 10
"""Random orders of which the mean is taken."""


@dataclass(frozen=True, slots=True)
class BudgetFigures:
    """What a budget's alarms give."""

    recall_14_42: float
    """Of those who exit on day 21 or later, the share with an alarm 14 to 41 days before."""
    ppv_0_42: float
    """Of the alarms, the share followed by an exit within 41 days."""


@dataclass(frozen=True, slots=True)
class BudgetPoint:
    """A budget, what ours gives of it, and what chance does."""

    per_100_a_week: float
    ours: BudgetFigures
    random: BudgetFigures


def budgeted(
    weekly: Weekly, exits: Floats, share: float = SHARE, rng: np.random.Generator | None = None
) -> BudgetFigures:
    """Alarms by urgency, or in random order where ``rng`` is given. exits: [enrolments], NaN for none."""
    last = np.full(len(exits), -np.inf)
    hit = np.zeros(len(exits), np.bool_)
    raised = good = 0
    for day, inside in weekly.weeks():
        rows, urgency = weekly.row[inside], weekly.urgency[inside]
        free = last[rows] < day - QUIET_DAYS
        able = rows[free]
        order = np.argsort(-urgency[free], kind="stable") if rng is None else rng.permutation(len(able))
        picked = able[order[: round(share * len(rows))]]
        last[picked] = day
        lead = exits[picked] - day
        hit[picked] |= (lead >= 14) & (lead < 42)
        good += int(((lead >= 0) & (lead < 42)).sum())
        raised += len(picked)
    leavers = exits >= EARLIEST_EXIT
    return BudgetFigures(float(hit[leavers].mean()) if leavers.any() else np.nan, good / max(raised, 1))


def by_chance(weekly: Weekly, exits: Floats, share: float = SHARE) -> BudgetFigures:
    """The mean of ten random orders, always the same ten."""
    found = [budgeted(weekly, exits, share, np.random.default_rng(seed)) for seed in range(DRAWS)]
    return BudgetFigures(
        float(np.mean([one.recall_14_42 for one in found])), float(np.mean([one.ppv_0_42 for one in found]))
    )


def by_share(weekly: Weekly, exits: Floats) -> list[BudgetPoint]:
    """From one alarm in two weeks to ten a week, per 100 enrolments."""
    return [
        BudgetPoint(100 * share, budgeted(weekly, exits, share), by_chance(weekly, exits, share))
        for share in SHARES
    ]
