"""Budgeted alarms: the figures if only a few learners a week can be reached.

A fixed number of alarms per 100 enrolments in force a week, most urgent first, nobody twice within 28 days.
They are compared with alarms in random order: alarms to everybody all the time would "predict" every exit.
"""

from dataclasses import dataclass

import numpy as np

from evaluation.labelled_estimates import WeeklyEstimates
from evaluation.outcomes import Floats

SHARE = 0.02
SHARES = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1)
QUIET_DAYS = 28
EARLIEST_EXIT = 21
RANDOM_ORDERS = 10
"""Number of random orders, which are averaged."""


@dataclass(frozen=True, slots=True)
class BudgetFigures:
    """The figures of a budget's alarms."""

    recall_14_42: float
    """Of those who exit on day 21 or later, the share with an alarm 14 to 41 days before."""
    ppv_0_42: float
    """Of the alarms, the share followed by an exit within 41 days."""


@dataclass(frozen=True, slots=True)
class BudgetPoint:
    """A budget, and the figures of ours and of chance."""

    per_100_a_week: float
    ours: BudgetFigures
    random: BudgetFigures


def evaluate_budget(
    weekly: WeeklyEstimates, exits: Floats, share: float = SHARE, rng: np.random.Generator | None = None
) -> BudgetFigures:
    """Figures of alarms by urgency, or in random order with ``rng``. exits: [enrolments], NaN for none."""
    last = np.full(len(exits), -np.inf)
    hit = np.zeros(len(exits), np.bool_)
    raised = followed_by_exit = 0
    for day, inside in weekly.weeks():
        rows, urgency = weekly.row[inside], weekly.urgency[inside]
        free = last[rows] < day - QUIET_DAYS
        eligible = rows[free]
        order = np.argsort(-urgency[free], kind="stable") if rng is None else rng.permutation(len(eligible))
        picked = eligible[order[: round(share * len(rows))]]
        last[picked] = day
        lead = exits[picked] - day
        hit[picked] |= (lead >= 14) & (lead < 42)
        followed_by_exit += int(((lead >= 0) & (lead < 42)).sum())
        raised += len(picked)
    leavers = exits >= EARLIEST_EXIT
    return BudgetFigures(
        float(hit[leavers].mean()) if leavers.any() else np.nan, followed_by_exit / max(raised, 1)
    )


def evaluate_chance(weekly: WeeklyEstimates, exits: Floats, share: float = SHARE) -> BudgetFigures:
    """The mean figures of ten random orders, with fixed seeds."""
    random_figures = [
        evaluate_budget(weekly, exits, share, np.random.default_rng(seed)) for seed in range(RANDOM_ORDERS)
    ]
    return BudgetFigures(
        float(np.mean([figures.recall_14_42 for figures in random_figures])),
        float(np.mean([figures.ppv_0_42 for figures in random_figures])),
    )


def evaluate_budgets(weekly: WeeklyEstimates, exits: Floats) -> list[BudgetPoint]:
    """Figures of budgets from one alarm in two weeks to ten a week, per 100 enrolments."""
    return [
        BudgetPoint(100 * share, evaluate_budget(weekly, exits, share), evaluate_chance(weekly, exits, share))
        for share in SHARES
    ]
