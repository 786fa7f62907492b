"""The comparison of known and new courses as a page."""

from collections.abc import Sequence

from evaluation.new_course import ALLOWED, SETTLED, Comparison
from evaluation.page import Page, Plate, Table, number
from evaluation.plots import Axis, Line, Span, Tone, dot_plot, line_plot


def page(found: Sequence[Comparison]) -> Page:
    """A plate of all modules, and one of each, week by week."""
    return Page(
        title="How good are the estimates of a new course?",
        about="Leave one module out, each in turn: the stream without the module's earlier runs, judged on "
        "its last run, beside the model that had learned from them.",
        plates=[_table(found), _differences(found), *(_weeks(one) for one in found)],
    )


def _differences(found: Sequence[Comparison]) -> Plate:
    within = sum(one.within for one in found)
    return Plate(
        "What does it cost not to know a course?",
        f"After four weeks of the run, {within} of {len(found)} modules are within {ALLOWED} of AUC.",
        f"AUC of the weekly estimates from day {SETTLED} on, new less known, with the 95 % interval when "
        "enrolments are resampled. Left of the dashed line, not knowing the course cost more than is "
        "allowed.",
        Table(
            ["run", "difference", "from", "to"],
            [[_name(one), one.difference, one.low, one.high] for one in found],
        ),
        dot_plot(
            [Span(_name(one), one.difference, one.low, one.high) for one in found],
            Axis("AUC, new less known"),
            -ALLOWED,
        ),
    )


def _table(found: Sequence[Comparison]) -> Plate:
    return Plate(
        "Run by run",
        "The same estimates of the same learners; only what the model had learned from differs.",
        f"AUC of the weekly estimates from day {SETTLED} on.",
        Table(
            ["run", "enrolments", "left out", "AUC, known", "AUC, new", "difference", "best single expert"],
            [
                [
                    _name(one),
                    one.enrolments,
                    " ".join(one.left_out),
                    one.known,
                    one.new,
                    one.difference,
                    max(one.experts.values()),
                ]
                for one in found
            ],
        ),
    )


def _weeks(one: Comparison) -> Plate:
    days = [week.day for week in one.known_by_week]
    known, new = ([week.auc for week in weeks] for weeks in (one.known_by_week, one.new_by_week))
    return Plate(
        f"{_name(one)}, week by week",
        f"From day {SETTLED} on: {number(one.new)} where the course was new, {number(one.known)} where "
        f"{' and '.join(one.left_out)} had taught.",
        "AUC on every seventh day, over everybody in force.",
        Table(["day", "known", "new"], [list(row) for row in zip(days, known, new, strict=True)]),
        line_plot(
            [Line("known", days, known, Tone.SECOND, 1), Line("new", days, new, Tone.OURS)],
            Axis("day of the run"),
            Axis("AUC", None, 1),
        ),
    )


def _name(one: Comparison) -> str:
    return f"{one.module}/{one.presentation}"
