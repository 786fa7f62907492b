"""The report of ``homeroom evaluate``: its figures, their definitions and texts."""

from collections.abc import Mapping, Sequence
from math import isnan, nan

from evaluation.alerts import AlertFigures, ThresholdFigures
from evaluation.figures import ExitFigures, Figures, ModuleFigures
from evaluation.page import Page, Section, Table, Tile, number
from evaluation.plots import (
    COMPARED_COLOURS,
    Axis,
    Colour,
    DotRow,
    Line,
    Marker,
    bar_plot,
    calibration_plot,
    dot_plot,
    line_plot,
)

OURS = "homeroom"

NOTES = (
    "OULAD's presentations carry no calendar dates; they were given nominal ones, so that runs follow each "
    "other as they did.",
    "Lost is not completing: withdrawn or failed. To leave within the next weeks is rarer and harder to "
    "tell.",
    "Nothing here says that a message to a learner helps. That needs a trial with a holdout.",
)


def page(ours: Figures, baselines: Mapping[str, Figures], codes: Sequence[str]) -> Page:
    """The whole report. baselines: name → figures, empty without baselines."""
    sections = [_by_week(ours, baselines)]
    if ours.alerts_raised is not None:
        sections += [_lead(ours), _burden(ours)]
    sections += [_thresholds(ours, baselines), _calibration(ours), _budget(ours)]
    if ours.exit_risk is not None:
        sections.append(_exits(ours.exit_risk))
    sections += [_module_ranks(ours.by_module), _module_ratios(ours.by_module)]
    sections += [_module_table(ours.by_module)]
    if baselines:
        sections.append(_baselines(ours, baselines))
    runs = ", ".join(codes)
    return Page(
        title="How good are the estimates?",
        about=f"Open University Learning Analytics Dataset, presentations {runs}: {ours.enrolments:,} "
        f"enrolments, of whom {ours.lost:.0%} withdrew or failed. {ours.estimates:,} estimates in one "
        "pass in time order: each rests on events of earlier days and on a model that had learned "
        "only from outcomes known by then.",
        sections=sections,
        tiles=_tiles(ours),
        notes=NOTES,
    )


def _tiles(ours: Figures) -> list[Tile]:
    tiles = [
        Tile(number(ours.auc_weekly), "AUC, weekly", "of all in force"),
        Tile(number(ours.auc_weekly_active), "AUC, active", "in the last 7 days"),
        Tile(number(ours.ece), "calibration error", "0 is perfect"),
    ]
    if ours.alerts_raised is not None:
        alerts = ours.alerts_raised.figures
        tiles += [
            Tile(_percent(alerts.precision), "of alerts were right", "alerted learners lost"),
            Tile(_percent(alerts.recall_lead14), "of leavers alerted", "14 days ahead or more"),
            Tile(f"{alerts.alerts_per_100_per_week:.1f}", "alerts a week", "per 100 enrolments"),
        ]
    chance = number(ours.budgeted_random.recall_14_42)
    tiles.append(Tile(number(ours.budgeted.recall_14_42), "budgeted recall", f"14–42 days; chance {chance}"))
    return tiles


def _by_week(ours: Figures, baselines: Mapping[str, Figures]) -> Section:
    days = [week.day for week in ours.by_week]
    lines = [
        Line(OURS, days, [week.auc for week in ours.by_week], Colour.OURS),
        Line(f"{OURS}, active learners", days, [week.auc_active for week in ours.by_week], Colour.OURS, 1),
    ]
    for index, (name, figures) in enumerate(baselines.items()):
        colour, weeks = COMPARED_COLOURS[index % len(COMPARED_COLOURS)], figures.by_week
        lines.append(
            Line(name, [week.day for week in weeks], [week.auc for week in weeks], colour, index % 4 + 1)
        )
    first, last = ours.by_week[0], ours.by_week[-1]
    columns = [[week.auc for week in figures.by_week] for figures in baselines.values()]
    rows = [
        [week.day, week.enrolments, week.active, week.auc, week.auc_active, *(aucs[row] for aucs in columns)]
        for row, week in enumerate(ours.by_week)
    ]
    return Section(
        "Does it rank the right people first?",
        f"From {number(first.auc)} on day {first.day} to {number(last.auc)} on day {last.day}.",
        "AUC: the chance that of two learners, one lost and one not, the lost one has the higher estimate; "
        ".5 is a coin. On every seventh day, over everybody in force; active: with a click in the last "
        "seven days.",
        Table(["day", "in force", "active", "AUC", "AUC, active", *baselines], rows),
        line_plot(lines, Axis("day of the run"), Axis("AUC", None, 1)),
    )


def _lead(ours: Figures) -> Section:
    assert ours.alerts_raised is not None  # noqa: S101 - called only where there are alerts
    points = ours.alerts_raised.by_lead
    days = [point.days for point in points]
    alerts = ours.alerts_raised.figures
    return Section(
        "How early do alerts come, and how often are they right?",
        f"{_percent(alerts.precision)} of those alerted were lost. {_percent(alerts.recall_lead14)} of "
        f"leavers were alerted at least 14 days ahead, {_percent(alerts.recall_lead21)} at least 21; the "
        f"median lead is {number(alerts.median_lead)} days.",
        "Alerts that were really raised: changes to high, after hysteresis and confirmation, bounds fixed "
        "before. Recall at a lead: of those who left on day 21 or later, the share alerted at least so "
        "many days before. Precision at a lead: of the alerted, the share lost, without leavers whose "
        "alert came later than that.",
        Table(["lead, days", "precision", "recall"], [[p.days, p.precision, p.recall] for p in points]),
        line_plot(
            [
                Line("precision", days, [point.precision for point in points], Colour.OURS),
                Line("recall of leavers", days, [point.recall for point in points], Colour.SECOND, 1),
            ],
            Axis("lead at least, days", 0, days[-1]),
            Axis("", 0, 1, percent=True),
        ),
    )


def _burden(ours: Figures) -> Section:
    assert ours.alerts_raised is not None  # noqa: S101 - called only where there are alerts
    weeks = ours.alerts_raised.burden
    most = max(weeks, key=lambda week: 0.0 if isnan(week.alerts_per_100) else week.alerts_per_100)
    return Section(
        "How many alerts is that?",
        f"{ours.alerts_raised.figures.alerts_per_100_per_week:.1f} enrolments of 100 are alerted in a mean "
        f"week; the most alerts, {most.alerts_per_100:.1f}, come in the week before day {most.day}.",
        "Alerts raised in the week before the day, repeated ones included, for 100 enrolments in force on "
        "it.",
        Table(
            ["day", "in force", "alerts", "per 100"],
            [[week.day, week.enrolments, week.alerts, week.alerts_per_100] for week in weeks],
        ),
        bar_plot(
            [week.day - 3.5 for week in weeks],
            [week.alerts_per_100 for week in weeks],
            5.6,
            Axis("day of the run", 0),
            Axis("alerts per 100 enrolments"),
        ),
    )


def _thresholds(ours: Figures, baselines: Mapping[str, Figures]) -> Section:
    lines = [_threshold_line(OURS, ours.by_threshold, Colour.OURS, 0)]
    for index, (name, figures) in enumerate(baselines.items()):
        lines.append(
            _threshold_line(
                name, figures.by_threshold, COMPARED_COLOURS[index % len(COMPARED_COLOURS)], index % 4 + 1
            )
        )
    markers = []
    if ours.alerts_raised is not None:
        raised = ours.alerts_raised.figures
        markers.append(Marker("alerts raised", raised.recall_lead14, raised.precision))
    best = ours.best.get("precision_0.85")
    answer = (
        f"At a precision of 85 % or more, a threshold reaches {_percent(best.figures.recall_lead14)} of "
        "leavers."
        if best
        else "No threshold reaches a precision of 85 %."
    )
    return Section(
        "What would another threshold give?",
        answer,
        "Every threshold as if an estimate at or above it were an alert. The thresholds are read off what is "
        "judged, so the curve flatters; the spot, alerts really raised with bounds fixed before, does not.",
        Table(
            ["threshold", "precision", "actionable", "recall", "recall, 14 days", "alerts per 100 a week"],
            [
                [
                    point.threshold,
                    point.figures.precision,
                    point.figures.precision_actionable,
                    point.figures.recall,
                    point.figures.recall_lead14,
                    point.figures.alerts_per_100_per_week,
                ]
                for point in ours.by_threshold
            ],
        ),
        line_plot(
            lines,
            Axis("leavers alerted 14 days ahead", 0, None, percent=True),
            Axis("precision", None, 1, percent=True),
            markers,
        ),
    )


def _threshold_line(name: str, curve: Sequence[ThresholdFigures], colour: Colour, dash: int) -> Line:
    return Line(
        name,
        [point.figures.recall_lead14 for point in curve],
        [point.figures.precision for point in curve],
        colour,
        dash,
    )


def _calibration(ours: Figures) -> Section:
    bins = ours.reliability
    return Section(
        "Do the estimates mean what they say?",
        f"On average they are {100 * ours.ece:.1f} points off (expected calibration error "
        f"{number(ours.ece)}; Brier score {number(ours.brier)}).",
        "Weekly estimates in 15 equal bins: share lost against mean estimate, the dashed line is right. "
        "Below it, how many of all estimates a bin holds. The error is the mean distance from the line, by "
        "estimates.",
        Table(
            ["from", "to", "estimates", "mean estimate", "share lost"],
            [[f"{bin_.low:.2f}", bin_.high, bin_.estimates, bin_.expected, bin_.observed] for bin_ in bins],
        ),
        calibration_plot(bins, "share lost"),
    )


def _exits(figures: ExitFigures) -> Section:
    return Section(
        "Does exit risk say who leaves soon?",
        f"AUC {number(figures.auc)}, among the active {number(figures.auc_active)}; the mean error is "
        f"{100 * figures.ece:.1f} points. {100 * figures.exits:.1f} % of the estimates are followed by an "
        "exit.",
        "Weekly estimates that somebody exits within 21 days, in 15 equal bins: share who did against mean "
        "estimate, over everybody in force. Exits are rare, so nearly all estimates are low.",
        Table(
            ["from", "to", "estimates", "mean estimate", "share who left"],
            [
                [f"{bin_.low:.2f}", bin_.high, bin_.estimates, bin_.expected, bin_.observed]
                for bin_ in figures.reliability
            ],
        ),
        calibration_plot(figures.reliability, "share who left"),
    )


def _budget(ours: Figures) -> Section:
    points = ours.by_budget
    budgets = [point.per_100_a_week for point in points]
    return Section(
        "Who is reached with few alarms?",
        f"With two alarms a week per 100 enrolments, {_percent(ours.budgeted.recall_14_42)} of leavers get "
        f"one 14 to 42 days before; by chance {_percent(ours.budgeted_random.recall_14_42)}. "
        f"{_percent(ours.budgeted.ppv_0_42)} of the alarms are followed by an exit within six weeks; by "
        f"chance {_percent(ours.budgeted_random.ppv_0_42)}.",
        "Every week the most urgent, nobody twice within 28 days; urgent is by exit risk where there is "
        "one, else by P(lost). Chance: the mean of ten random orders.",
        Table(
            ["per 100 a week", "recall 14–42", "by chance", "alarms right", "by chance"],
            [
                [
                    f"{point.per_100_a_week:g}",
                    point.ours.recall_14_42,
                    point.random.recall_14_42,
                    point.ours.ppv_0_42,
                    point.random.ppv_0_42,
                ]
                for point in points
            ],
        ),
        line_plot(
            [
                Line("recall 14–42", budgets, [point.ours.recall_14_42 for point in points], Colour.OURS),
                Line("by chance", budgets, [point.random.recall_14_42 for point in points], Colour.OURS, 3),
                Line("alarms right", budgets, [point.ours.ppv_0_42 for point in points], Colour.SECOND, 1),
                Line("by chance", budgets, [point.random.ppv_0_42 for point in points], Colour.SECOND, 3),
            ],
            Axis("alarms a week per 100 enrolments", 0),
            Axis("", 0, None, percent=True),
        ),
    )


def _module_ranks(modules: Sequence[ModuleFigures]) -> Section:
    best, worst = (pick(modules, key=lambda module: module.auc_weekly) for pick in (max, min))
    return Section(
        "Is it as good in every module?",
        f"AUC from {number(worst.auc_weekly)} in {worst.module} "
        f"to {number(best.auc_weekly)} in {best.module}.",
        "AUC of all weekly estimates of a module, everybody in force.",
        Table(
            ["module", "AUC", "AUC, active"],
            [[module.module, module.auc_weekly, module.auc_weekly_active] for module in modules],
        ),
        dot_plot([DotRow(module.module, module.auc_weekly, nan, nan) for module in modules], Axis("AUC")),
    )


def _module_ratios(modules: Sequence[ModuleFigures]) -> Section:
    rows = [DotRow(module.module, module.observed_over_expected, nan, nan) for module in modules]
    ratios = [row.value for row in rows]
    return Section(
        "Is any module told too high or too low?",
        f"Losses seen over losses estimated lie between {number(min(ratios))} and {number(max(ratios))}.",
        "Over all weekly estimates of a module: share lost over mean estimate. 1 is right; more means that "
        "losses were estimated too low, less that they were estimated too high.",
        Table(
            ["module", "observed / expected", "calibration error"],
            [[module.module, module.observed_over_expected, module.ece] for module in modules],
        ),
        dot_plot(
            rows, Axis("losses observed over expected", min(0.8, *ratios) - 0.05, max(1.2, *ratios) + 0.05), 1
        ),
    )


def _module_table(modules: Sequence[ModuleFigures]) -> Section:
    return Section(
        "Module by module",
        f"{len(modules)} modules, {min(module.enrolments for module in modules):,} to "
        f"{max(module.enrolments for module in modules):,} enrolments each.",
        "Each figure as above, of the module's runs alone.",
        Table(
            ["module", "enrolments", "lost", "AUC", "AUC, active", *ALERT_HEAD],
            [
                [
                    module.module,
                    module.enrolments,
                    module.lost,
                    module.auc_weekly,
                    module.auc_weekly_active,
                    *_alert_cells(module.alerts_raised),
                ]
                for module in modules
            ],
        ),
    )


ALERT_HEAD = ("alerts right", "leavers, 14 days ahead", "alerts per 100 a week")


def _alert_cells(alerts: AlertFigures | None) -> list[float]:
    if alerts is None:
        return [nan, nan, nan]
    return [alerts.precision, alerts.recall_lead14, alerts.alerts_per_100_per_week]


def _baselines(ours: Figures, baselines: Mapping[str, Figures]) -> Section:
    best = max(baselines, key=lambda name: baselines[name].auc_weekly)
    return Section(
        "What do other methods reach on the same features?",
        f"The best of them by AUC is {best}: {number(baselines[best].auc_weekly)}, ours "
        f"{number(ours.auc_weekly)}.",
        "The same features on the same days. Batch models were trained once, on all earlier presentations "
        "with all outcomes, also those not known yet when the test began; ours and stock River learned "
        "each outcome when it came. Recall at precision .85 and budgeted recall as above; none of the "
        "others raises alerts, so thresholds are picked on what is judged, for all alike.",
        Table(
            [
                "",
                "AUC",
                "AUC, active",
                "calibration error",
                "recall, 14 days, at .85",
                "… actionable",
                "budgeted recall",
                "alarms right",
            ],
            [_method_row(name, figures) for name, figures in {OURS: ours, **baselines}.items()],
        ),
    )


def _method_row(name: str, figures: Figures) -> list[str | float]:
    best, actionable = figures.best.get("precision_0.85"), figures.best.get("precision_actionable_0.85")
    return [
        name,
        figures.auc_weekly,
        figures.auc_weekly_active,
        figures.ece,
        best.figures.recall_lead14 if best else nan,
        actionable.figures.recall_lead14 if actionable else nan,
        figures.budgeted.recall_14_42,
        figures.budgeted.ppv_0_42,
    ]


def _percent(share: float) -> str:
    return "–" if isnan(share) else f"{share:.0%}"
