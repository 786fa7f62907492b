"""All figures of a table of estimates, from the estimates and the outcomes.

Each figure is defined where it is computed (``ranking``, ``calibration``, ``alerts``, ``budget``). They agree
with the project's ``score_risk.py``, which a test checks where that tool is available. NaN stands for a
figure that is not defined, such as the AUC of a week without a loss.
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
    best_threshold,
    burden,
    figures_by_lead,
    figures_by_threshold,
    first_alert_days,
)
from evaluation.budget import BudgetFigures, BudgetPoint, evaluate_budget, evaluate_budgets, evaluate_chance
from evaluation.calibration import ReliabilityBin, calibration_error, reliability
from evaluation.labelled_estimates import (
    LabelledEstimates,
    WeeklyEstimates,
    label_estimates,
    weekly_estimates,
)
from evaluation.outcomes import Bools, Outcomes
from online_models.auc import auc

PRECISION_LEVELS = (0.80, 0.85, 0.90)
EXIT_HORIZON_DAYS = 21
"""Horizon of the exit risk."""


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
    """Losses observed over losses estimated, over all weeks: above 1, estimates are too low."""
    alerts_raised: AlertFigures | None


@dataclass(frozen=True, slots=True)
class AlertsRaised:
    """Figures of the alerts in the table."""

    figures: AlertFigures
    by_lead: list[LeadPoint]
    burden: list[BurdenWeek]


@dataclass(frozen=True, slots=True)
class ExitFigures:
    """Exit risk against exits within the next 21 days, over everybody in force."""

    exits: float
    """Share of the weekly estimates that an exit followed within 21 days."""
    auc: float
    auc_active: float
    ece: float
    reliability: list[ReliabilityBin]


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a table of estimates."""

    enrolments: int
    lost: float
    estimates: int
    coverage: float
    """Share of the enrolments in force with an estimate within seven days, over all weeks."""
    auc_weekly: float
    auc_weekly_active: float
    brier: float
    ece: float
    by_week: list[WeekFigures]
    by_module: list[ModuleFigures]
    reliability: list[ReliabilityBin]
    budgeted: BudgetFigures
    budgeted_random: BudgetFigures
    by_budget: list[BudgetPoint]
    by_threshold: list[ThresholdFigures]
    best: dict[str, ThresholdFigures]
    """``precision_0.85`` and so on → the threshold of the highest recall with lead 14 that reaches it."""
    alerts_raised: AlertsRaised | None
    """None where the table has no alerts."""
    exit_risk: ExitFigures | None
    """None where the table has no exit risk."""


def figures(table: pa.Table, outcomes: Outcomes) -> Figures:
    """The figures of a table of estimates.

    Raises:
        EstimatesError: if it is no table of estimates.
    """
    labelled = label_estimates(table, outcomes)
    view = weekly_estimates(labelled)
    bins = reliability(view.lost, view.risk)
    curve = (
        list(figures_by_threshold(labelled.row, labelled.day, labelled.risk, outcomes))
        if len(labelled.row)
        else []
    )
    first = _first_alerts(labelled)
    return Figures(
        enrolments=len(outcomes),
        lost=float(outcomes.lost.mean()),
        estimates=len(labelled.row),
        coverage=len(view.row) / max(view.in_force, 1),
        auc_weekly=auc(view.lost, view.risk),
        auc_weekly_active=auc(view.lost[view.active], view.risk[view.active]),
        brier=float(np.mean((view.risk - view.lost) ** 2)),
        ece=calibration_error(bins),
        by_week=figures_by_week(view),
        by_module=[
            _module_figures(module, view, outcomes, first) for module in np.unique(outcomes.module).tolist()
        ],
        reliability=bins,
        budgeted=evaluate_budget(view, outcomes.exit),
        budgeted_random=evaluate_chance(view, outcomes.exit),
        by_budget=evaluate_budgets(view, outcomes.exit),
        by_threshold=curve,
        best=_best_thresholds(curve),
        alerts_raised=_alerts_raised(labelled, first),
        exit_risk=_exit_figures(view, outcomes) if labelled.has_exit_risk else None,
    )


def figures_by_week(view: WeeklyEstimates) -> list[WeekFigures]:
    """AUC on every seventh day."""
    weeks = []
    for day, inside in view.weeks():
        lost, risk, active = view.lost[inside], view.risk[inside], view.active[inside]
        weeks.append(
            WeekFigures(
                day, int(inside.sum()), int(active.sum()), auc(lost, risk), auc(lost[active], risk[active])
            )
        )
    return weeks


def _first_alerts(labelled: LabelledEstimates) -> Any:
    if labelled.alert is None:
        return None
    return first_alert_days(labelled.row, labelled.day, labelled.alert, len(labelled.outcomes))


def _alerts_raised(labelled: LabelledEstimates, first: Any) -> AlertsRaised | None:
    if labelled.alert is None:
        return None
    outcomes = labelled.outcomes
    return AlertsRaised(
        alert_figures(first, outcomes),
        figures_by_lead(first, outcomes),
        burden(labelled.day, labelled.alert, outcomes),
    )


def _exit_figures(view: WeeklyEstimates, outcomes: Outcomes) -> ExitFigures:
    lead = outcomes.exit[view.row] - view.day
    soon: Bools = (lead >= 0) & (lead < EXIT_HORIZON_DAYS)
    bins = reliability(soon, view.urgency)
    return ExitFigures(
        exits=float(soon.mean()),
        auc=auc(soon, view.urgency),
        auc_active=auc(soon[view.active], view.urgency[view.active]),
        ece=calibration_error(bins),
        reliability=bins,
    )


def _best_thresholds(curve: list[ThresholdFigures]) -> dict[str, ThresholdFigures]:
    best_thresholds = {}
    for kind, actionable in (("precision", False), ("precision_actionable", True)):
        for level in PRECISION_LEVELS:
            best = best_threshold(curve, level, actionable=actionable)
            if best is not None:
                best_thresholds[f"{kind}_{level:.2f}"] = best
    return best_thresholds


def _module_figures(module: str, view: WeeklyEstimates, outcomes: Outcomes, first: Any) -> ModuleFigures:
    in_module: Bools = outcomes.module == module
    rows = view.select(in_module[view.row])
    expected = float(rows.risk.sum())
    return ModuleFigures(
        module=module,
        enrolments=int(in_module.sum()),
        lost=float(outcomes.lost[in_module].mean()),
        auc_weekly=auc(rows.lost, rows.risk),
        auc_weekly_active=auc(rows.lost[rows.active], rows.risk[rows.active]),
        ece=calibration_error(reliability(rows.lost, rows.risk)),
        observed_over_expected=float(rows.lost.sum()) / expected if expected else np.nan,
        alerts_raised=None if first is None else alert_figures(first[in_module], outcomes.select(in_module)),
    )
