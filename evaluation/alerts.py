"""Alerts against exits: how often they are right, how early they come, how many there are.

An enrolment is *alerted* from its first alert on. A *leaver* is lost and exits on day 21 or later; the
*lead* is the days from the first alert to the exit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from evaluation.outcomes import Bools, Floats, Ints, Outcomes

EARLIEST_EXIT = 21
LEADS = range(1, 71)


@dataclass(frozen=True, slots=True)
class AlertFigures:
    """What a way to raise alerts gives."""

    precision: float
    """Of the enrolments alerted, the share lost."""
    precision_actionable: float
    """The same without those alerted on the day of their exit or later."""
    recall: float
    """Of the lost, the share alerted."""
    recall_lead14: float
    """Of the leavers, the share alerted at least 14 days before the exit."""
    recall_lead21: float
    median_lead: float
    """Days, of the leavers alerted."""
    alerts_per_100_per_week: float
    """Enrolments alerted of 100, by the weeks of a run."""


@dataclass(frozen=True, slots=True)
class ThresholdFigures:
    """What alerts at a threshold would give."""

    threshold: float
    figures: AlertFigures


@dataclass(frozen=True, slots=True)
class LeadPoint:
    """Alerts that leave at least so many days: precision without later ones, recall of leavers."""

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


def first_days(rows: Ints, days: Ints, raised: Bools, count: int) -> Floats:
    """Each enrolment's first day with an alert, NaN where there is none, [count]; rows and days in order."""
    found = np.full(count, np.nan)
    at, where = np.unique(rows[raised], return_index=True)
    found[at] = days[raised][where]
    return found


def counted(outcomes: Outcomes) -> Bools:
    """Enrolments that were there during the run, [n]."""
    there: Bools = (outcomes.end > 1) & (outcomes.start < outcomes.length)
    return there


def alert_figures(first: Floats, outcomes: Outcomes) -> AlertFigures:
    """The figures of alerts that came first on the days given, NaN for none, [n]."""
    there, weeks = counted(outcomes), float(outcomes.length.mean() / 7)
    first, lost, leaving = first[there], outcomes.lost[there], outcomes.exit[there]
    alerted, lead = ~np.isnan(first), leaving - first
    leavers = lost & (leaving >= EARLIEST_EXIT)
    in_time = alerted & ~(lost & (first >= leaving))
    return AlertFigures(
        precision=_mean(lost[alerted]),
        precision_actionable=_mean(lost[in_time]),
        recall=_mean(alerted[lost]),
        recall_lead14=_mean(lead[leavers] >= 14),
        recall_lead21=_mean(lead[leavers] >= 21),
        median_lead=float(np.median(lead[alerted & leavers])) if (alerted & leavers).any() else np.nan,
        alerts_per_100_per_week=100 * _mean(alerted) / weeks,
    )


def by_lead(first: Floats, outcomes: Outcomes) -> list[LeadPoint]:
    """Precision and recall of alerts that leave at least so many days to act."""
    there = counted(outcomes)
    first, lost, leaving = first[there], outcomes.lost[there], outcomes.exit[there]
    alerted, lead = ~np.isnan(first), leaving - first
    leavers = lost & (leaving >= EARLIEST_EXIT)
    return [
        LeadPoint(days, _mean(lost[alerted & ~(lost & (lead < days))]), _mean(lead[leavers] >= days))
        for days in LEADS
    ]


def by_threshold(rows: Ints, days: Ints, risk: Floats, outcomes: Outcomes) -> Iterator[ThresholdFigures]:
    """What would be if an estimate at or above a threshold were an alert; thresholds by quantiles of risk."""
    for threshold in np.unique(np.round(np.quantile(risk, np.linspace(0.3, 0.999, 140)), 6)).tolist():
        first = first_days(rows, days, risk >= threshold, len(outcomes))
        yield ThresholdFigures(threshold, alert_figures(first, outcomes))


def best_at(curve: list[ThresholdFigures], level: float, *, actionable: bool) -> ThresholdFigures | None:
    """The threshold of most recall with lead 14 whose precision is at least ``level``. It flatters: it is
    picked on what is judged."""

    def precision(one: ThresholdFigures) -> float:
        return one.figures.precision_actionable if actionable else one.figures.precision

    good = [one for one in curve if precision(one) >= level]
    return max(good, key=lambda one: one.figures.recall_lead14, default=None)


def burden(days: Ints, raised: Bools, outcomes: Outcomes) -> list[BurdenWeek]:
    """Every alert raised, repeated ones too, week by week."""
    weeks = []
    for day in range(7, outcomes.last_week, 7):
        force = int(outcomes.in_force(day).sum())
        alerts = int((raised & (days > day - 7) & (days <= day)).sum())
        weeks.append(BurdenWeek(day, force, alerts, 100 * alerts / force if force else np.nan))
    return weeks


def _mean(values: Bools) -> float:
    return float(values.mean()) if len(values) else np.nan
