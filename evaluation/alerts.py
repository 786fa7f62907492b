"""Figures of alerts against exits: precision, recall, lead and burden.

An enrolment is *alerted* from its first alert on. A *leaver* is lost and exits on day 21 or later; the
*lead* is the number of days from the first alert to the exit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.outcomes import Bools, Floats, Ints, Outcomes

EARLIEST_EXIT = 21
LEADS = range(1, 71)


@dataclass(frozen=True, slots=True)
class AlertFigures:
    """The figures of a set of first alerts."""

    precision: float
    """Of the enrolments alerted, the share lost."""
    precision_actionable: float
    """Precision without the enrolments alerted on the day of their exit or later."""
    recall: float
    """Of the lost, the share alerted."""
    recall_lead14: float
    """Of the leavers, the share alerted at least 14 days before the exit."""
    recall_lead21: float
    median_lead: float
    """Median lead of the leavers alerted, in days."""
    alerts_per_100_per_week: float
    """Enrolments alerted of 100, divided by the weeks of a run."""


@dataclass(frozen=True, slots=True)
class ThresholdFigures:
    """The figures of alerts at a threshold of the estimate."""

    threshold: float
    figures: AlertFigures


@dataclass(frozen=True, slots=True)
class LeadPoint:
    """Alerts with a lead of at least ``days``: precision without later ones, recall of leavers."""

    days: int
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class BurdenWeek:
    """Alerts of a week of the run, for 100 enrolments in force at its end."""

    day: int
    enrolments: int
    alerts: int
    alerts_per_100: float


def first_alert_days(rows: Ints, days: Ints, raised: Bools, count: int) -> Floats:
    """The day of each enrolment's first alert, NaN without one, [count].

    rows, days: the enrolment and day of each estimate, sorted; raised: whether it is an alert, [m] each.
    """
    first = np.full(count, np.nan)
    row_numbers, positions = np.unique(rows[raised], return_index=True)
    first[row_numbers] = days[raised][positions]
    return first


def enrolled_during_run(outcomes: Outcomes) -> Bools:
    """Whether each enrolment was in force on some day of the run, [n]."""
    present: Bools = (outcomes.end > 1) & (outcomes.start < outcomes.length)
    return present


def alert_figures(first: Floats, outcomes: Outcomes) -> AlertFigures:
    """The figures of alerts. first: the day of each enrolment's first alert, NaN without one, [n]."""
    present, weeks = enrolled_during_run(outcomes), float(outcomes.length.mean() / 7)
    first, lost, exits = first[present], outcomes.lost[present], outcomes.exit[present]
    alerted, lead = ~np.isnan(first), exits - first
    leavers = lost & (exits >= EARLIEST_EXIT)
    in_time = alerted & ~(lost & (first >= exits))
    return AlertFigures(
        precision=_mean(lost[alerted]),
        precision_actionable=_mean(lost[in_time]),
        recall=_mean(alerted[lost]),
        recall_lead14=_mean(lead[leavers] >= 14),
        recall_lead21=_mean(lead[leavers] >= 21),
        median_lead=float(np.median(lead[alerted & leavers])) if (alerted & leavers).any() else np.nan,
        alerts_per_100_per_week=100 * _mean(alerted) / weeks,
    )


def figures_by_lead(first: Floats, outcomes: Outcomes) -> list[LeadPoint]:
    """Precision and recall of alerts by minimal lead."""
    present = enrolled_during_run(outcomes)
    first, lost, exits = first[present], outcomes.lost[present], outcomes.exit[present]
    alerted, lead = ~np.isnan(first), exits - first
    leavers = lost & (exits >= EARLIEST_EXIT)
    return [
        LeadPoint(days, _mean(lost[alerted & ~(lost & (lead < days))]), _mean(lead[leavers] >= days))
        for days in LEADS
    ]


def figures_by_threshold(
    rows: Ints, days: Ints, risk: Floats, outcomes: Outcomes
) -> Iterator[ThresholdFigures]:
    """The figures if estimates at or above a threshold were alerts; thresholds are quantiles of risk."""
    for threshold in np.unique(np.round(np.quantile(risk, np.linspace(0.3, 0.999, 140)), 6)).tolist():
        first = first_alert_days(rows, days, risk >= threshold, len(outcomes))
        yield ThresholdFigures(threshold, alert_figures(first, outcomes))


def best_threshold(
    curve: list[ThresholdFigures], level: float, *, actionable: bool
) -> ThresholdFigures | None:
    """The threshold of the highest recall with lead 14 whose precision is at least ``level``, or None.

    It is chosen on the test data, and therefore optimistic.
    """

    def precision(point: ThresholdFigures) -> float:
        return point.figures.precision_actionable if actionable else point.figures.precision

    precise_enough = [point for point in curve if precision(point) >= level]
    return max(precise_enough, key=lambda point: point.figures.recall_lead14, default=None)


def burden(days: Ints, raised: Bools, outcomes: Outcomes) -> list[BurdenWeek]:
    """The number of alerts raised, repeated ones included, week by week."""
    weeks = []
    for day in range(7, outcomes.last_week, 7):
        in_force = int(outcomes.in_force(day).sum())
        alerts = int((raised & (days > day - 7) & (days <= day)).sum())
        weeks.append(BurdenWeek(day, in_force, alerts, 100 * alerts / in_force if in_force else np.nan))
    return weeks


def _mean(values: Bools) -> float:
    return float(values.mean()) if len(values) else np.nan
