"""The comparison of known and new courses as an HTML page."""

from collections.abc import Sequence

from evaluation.new_course import FIRST_DAY_COMPARED, MAX_AUC_LOSS, Comparison
from evaluation.page import Page, Section, Table, number
from evaluation.plots import Axis, Colour, DotRow, Line, dot_plot, line_plot


def page(comparisons: Sequence[Comparison]) -> Page:
    """The page: sections of all modules, and one of each module, week by week."""
    return Page(
        title="How good are the estimates of a new course?",
        about="Leave one module out, each in turn: the stream without the module's earlier runs, judged on "
        "its last run, beside the model that had learned from them.",
        sections=[
            _table(comparisons),
            _differences(comparisons),
            *(_weeks(comparison) for comparison in comparisons),
        ],
    )


def _differences(comparisons: Sequence[Comparison]) -> Section:
    within = sum(comparison.within for comparison in comparisons)
    return Section(
        "What does it cost not to know a course?",
        f"After four weeks of the run, {within} of {len(comparisons)} modules are within {MAX_AUC_LOSS} of "
        "AUC.",
        f"AUC of the weekly estimates from day {FIRST_DAY_COMPARED} on, new less known, with the 95 % "
        "interval when enrolments are resampled. Left of the dashed line, not knowing the course cost more "
        "than is allowed.",
        Table(
            ["run", "difference", "from", "to"],
            [
                [_name(comparison), comparison.difference, comparison.low, comparison.high]
                for comparison in comparisons
            ],
        ),
        dot_plot(
            [
                DotRow(_name(comparison), comparison.difference, comparison.low, comparison.high)
                for comparison in comparisons
            ],
            Axis("AUC, new less known"),
            -MAX_AUC_LOSS,
        ),
    )


def _table(comparisons: Sequence[Comparison]) -> Section:
    return Section(
        "Run by run",
        "The same estimates of the same learners; only what the model had learned from differs.",
        f"AUC of the weekly estimates from day {FIRST_DAY_COMPARED} on.",
        Table(
            ["run", "enrolments", "left out", "AUC, known", "AUC, new", "difference", "best single expert"],
            [
                [
                    _name(comparison),
                    comparison.enrolments,
                    " ".join(comparison.left_out),
                    comparison.known,
                    comparison.new,
                    comparison.difference,
                    max(comparison.experts.values()),
                ]
                for comparison in comparisons
            ],
        ),
    )


def _weeks(comparison: Comparison) -> Section:
    days = [week.day for week in comparison.known_by_week]
    known, new = (
        [week.auc for week in weeks] for weeks in (comparison.known_by_week, comparison.new_by_week)
    )
    return Section(
        f"{_name(comparison)}, week by week",
        f"From day {FIRST_DAY_COMPARED} on: {number(comparison.new)} where the course was new, "
        f"{number(comparison.known)} where {' and '.join(comparison.left_out)} had taught.",
        "AUC on every seventh day, over everybody in force.",
        Table(["day", "known", "new"], [list(row) for row in zip(days, known, new, strict=True)]),
        line_plot(
            [Line("known", days, known, Colour.SECOND, 1), Line("new", days, new, Colour.OURS)],
            Axis("day of the run"),
            Axis("AUC", None, 1),
        ),
    )


def _name(comparison: Comparison) -> str:
    return f"{comparison.module}/{comparison.presentation}"
