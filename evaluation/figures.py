"""Every figure by which estimates are judged, from a table of them and what really happened.

The one place where figures are put together; what each means is said where it is computed (``ranking``,
``calibration``, ``alerts``, ``budget``). They agree with the project's judge of risk estimates, which a test
checks where that tool is at hand. NaN is what cannot be told, such as the AUC of a week without a loss.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from evaluation.alerts import (
    AlertFigures,
    BurdenWeek,
    LeadPoint,
    ThresholdFigures,
    alert_figures,
    best_at,
    burden,
    by_lead,
    by_threshold,
    first_days,
)
from evaluation.budget import BudgetFigures, BudgetPoint, budgeted, by_chance, by_share
from evaluation.calibration import Bin, calibration_error, reliability
from evaluation.judged import Judged, Weekly, judge, weekly
from evaluation.outcomes import Bools, Outcomes
from evaluation.ranking import auc

LEVELS = (0.80, 0.85, 0.90)
WITHIN = 21
"""Days within which exit risk says that somebody leaves."""


@dataclass(frozen=True, slots=True)
class WeekFigures:
    """Ranking on one day of the runs."""

    day: int
    enrolments: int
    active: int
    auc: float
    auc_active: float


@dataclass(frozen=True, slots=True)
class ModuleFigures:
    """One module's runs alone."""

    module: str
    enrolments: int
    lost: float
    auc_weekly: float
    auc_weekly_active: float
    ece: float
    observed_over_expected: float
    """Losses seen over losses estimated, over all weeks: 1 is right, more is too low."""
    alerts_raised: AlertFigures | None


@dataclass(frozen=True, slots=True)
class AlertsRaised:
    """The alerts that were really emitted."""

    figures: AlertFigures
    by_lead: list[LeadPoint]
    burden: list[BurdenWeek]


@dataclass(frozen=True, slots=True)
class ExitFigures:
    """Exit risk against exits: who leaves within the next 21 days, of everybody in force."""

    exits: float
    """Share of the weekly estimates that an exit followed within 21 days."""
    auc: float
    auc_active: float
    ece: float
    reliability: list[Bin]


@dataclass(frozen=True, slots=True)
class Figures:
    """All of them."""

    enrolments: int
    lost: float
    estimates: int
    coverage: float
    """Enrolments in force that had an estimate within seven days, over all weeks."""
    auc_weekly: float
    auc_weekly_active: float
    brier: float
    ece: float
    by_week: list[WeekFigures]
    by_module: list[ModuleFigures]
    reliability: list[Bin]
    budgeted: BudgetFigures
    budgeted_random: BudgetFigures
    by_budget: list[BudgetPoint]
    by_threshold: list[ThresholdFigures]
    best: dict[str, ThresholdFigures]
    """``precision_0.85`` and so on: of the thresholds that reach it, the one of most recall with lead 14."""
    alerts_raised: AlertsRaised | None
    """None where the table has no alerts."""
    exit_risk: ExitFigures | None
    """None where the table has no exit risk."""


def figures(table: pa.Table, outcomes: Outcomes) -> Figures:
    """Judge a table of estimates. Raises ``EstimatesError`` where it is not one."""
    judged = judge(table, outcomes)
    view = weekly(judged)
    bins = reliability(view.lost, view.risk)
    curve = list(by_threshold(judged.row, judged.day, judged.risk, outcomes)) if len(judged.row) else []
    first = _first_alerts(judged)
    return Figures(
        enrolments=len(outcomes),
        lost=float(outcomes.lost.mean()),
        estimates=len(judged.row),
        coverage=len(view.row) / max(view.wanted, 1),
        auc_weekly=auc(view.lost, view.risk),
        auc_weekly_active=auc(view.lost[view.active], view.risk[view.active]),
        brier=float(np.mean((view.risk - view.lost) ** 2)),
        ece=calibration_error(bins),
        by_week=by_week(view),
        by_module=[
            _of_module(module, view, outcomes, first) for module in np.unique(outcomes.module).tolist()
        ],
        reliability=bins,
        budgeted=budgeted(view, outcomes.exit),
        budgeted_random=by_chance(view, outcomes.exit),
        by_budget=by_share(view, outcomes.exit),
        by_threshold=curve,
        best=_best(curve),
        alerts_raised=_alerts_raised(judged, first),
        exit_risk=_exit_figures(view, outcomes) if judged.has_exit_risk else None,
    )


def by_week(view: Weekly) -> list[WeekFigures]:
    """Ranking day by day."""
    found = []
    for day, inside in view.weeks():
        lost, risk, active = view.lost[inside], view.risk[inside], view.active[inside]
        found.append(
            WeekFigures(
                day, int(inside.sum()), int(active.sum()), auc(lost, risk), auc(lost[active], risk[active])
            )
        )
    return found


def _first_alerts(judged: Judged) -> Any:
    if judged.alert is None:
        return None
    return first_days(judged.row, judged.day, judged.alert, len(judged.outcomes))


def _alerts_raised(judged: Judged, first: Any) -> AlertsRaised | None:
    if judged.alert is None:
        return None
    outcomes = judged.outcomes
    return AlertsRaised(
        alert_figures(first, outcomes), by_lead(first, outcomes), burden(judged.day, judged.alert, outcomes)
    )


def _exit_figures(view: Weekly, outcomes: Outcomes) -> ExitFigures:
    lead = outcomes.exit[view.row] - view.day
    soon: Bools = (lead >= 0) & (lead < WITHIN)
    bins = reliability(soon, view.urgency)
    return ExitFigures(
        exits=float(soon.mean()),
        auc=auc(soon, view.urgency),
        auc_active=auc(soon[view.active], view.urgency[view.active]),
        ece=calibration_error(bins),
        reliability=bins,
    )


def _best(curve: list[ThresholdFigures]) -> dict[str, ThresholdFigures]:
    found = {}
    for kind, actionable in (("precision", False), ("precision_actionable", True)):
        for level in LEVELS:
            best = best_at(curve, level, actionable=actionable)
            if best is not None:
                found[f"{kind}_{level:.2f}"] = best
    return found


def _of_module(module: str, view: Weekly, outcomes: Outcomes, first: Any) -> ModuleFigures:
    mine: Bools = outcomes.module == module
    rows = view.of(mine[view.row])
    expected = float(rows.risk.sum())
    return ModuleFigures(
        module=module,
        enrolments=int(mine.sum()),
        lost=float(outcomes.lost[mine].mean()),
        auc_weekly=auc(rows.lost, rows.risk),
        auc_weekly_active=auc(rows.lost[rows.active], rows.risk[rows.active]),
        ece=calibration_error(reliability(rows.lost, rows.risk)),
        observed_over_expected=float(rows.lost.sum()) / expected if expected else np.nan,
        alerts_raised=None if first is None else alert_figures(first[mine], outcomes.of(mine)),
    )
