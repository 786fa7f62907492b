"""The audit of fairness as a page."""

from evaluation.fairness import LEAST, AttributeFigures, Audit, GroupFigures, differing
from evaluation.page import Cell, Page, Plate, Table, number
from evaluation.plots import Axis, Span, dot_plot

HEAD = (
    "group", "enrolments", "lost", "AUC", "from", "to", "alerted of the lost", "gap", "from", "to",
    "ABROCA", "by chance",
)  # fmt: skip


def page(found: Audit) -> Page:
    """Ranking and alerts of each attribute's groups."""
    return Page(
        title="Are the estimates as good for everybody?",
        about=f"Open University Learning Analytics Dataset, presentations {', '.join(found.presentations)}: "
        f"{found.enrolments:,} enrolments. No estimate knows anybody's gender, age, disability, region or "
        "deprivation band; they are read here only, beside finished estimates.",
        plates=[plate for one in found.attributes if one.groups for plate in _plates(one)],
        notes=(
            "A group differs where the interval of its gap leaves out nought, or its ABROCA is above what "
            "95 % of random groups of its size have. Of twenty groups that do not differ, one looks as if "
            "it did.",
            f"By that, these differ here: {_listed(found)}.",
            "Groups are spread unevenly over modules, and modules differ in how well they can be told.",
            "Equal figures do not make a decision fair, nor unequal ones unfair: how many of a group are "
            "lost differs too.",
            f"Groups with fewer than {LEAST} enrolments lost, or not lost, are left out: {_left_out(found)}.",
        ),
    )


def _plates(found: AttributeFigures) -> list[Plate]:
    groups, name = found.groups, found.attribute
    reference = groups[0]
    best, worst = (pick(groups, key=lambda one: one.auc) for pick in (max, min))
    ranking = Plate(
        f"Ranking, by {name}",
        f"AUC from {number(worst.auc)} ({worst.group}) to {number(best.auc)} ({best.group}).",
        "AUC of the group's weekly estimates, with the 95 % interval when enrolments are resampled; the "
        f"dashed line is the largest group's, {reference.group}.",
        Table(HEAD, [_cells(one) for one in groups]),
        dot_plot(
            [Span(one.group, one.auc, one.auc_low, one.auc_high) for one in groups],
            Axis("AUC"),
            reference.auc,
        ),
    )
    others = groups[1:]
    if not others or reference.true_positive_rate != reference.true_positive_rate:
        return [ranking]
    widest = max(others, key=lambda one: abs(one.gap))
    alerts = Plate(
        f"Alerts, by {name}",
        f"Of the lost, {reference.true_positive_rate:.0%} were alerted among {reference.group}; the widest "
        f"gap is {100 * widest.gap:+.0f} points ({widest.group}).",
        "True positive rate: of the group's lost enrolments, the share alerted at any time, less that of the "
        "largest group, with its 95 % interval. Where the interval leaves out nought, there is a gap.",
        Table(HEAD[:1] + HEAD[6:], [[one.group, *_cells(one)[6:]] for one in groups]),
        dot_plot(
            [Span(one.group, one.gap, one.gap_low, one.gap_high) for one in others],
            Axis("gap", None, None, percent=True),
            0,
        ),
    )
    return [ranking, alerts]


def _cells(one: GroupFigures) -> list[Cell]:
    return [
        one.group, one.enrolments, one.lost, one.auc, one.auc_low, one.auc_high, one.true_positive_rate,
        one.gap, one.gap_low, one.gap_high, one.abroca, one.abroca_by_chance,
    ]  # fmt: skip


def _listed(found: Audit) -> str:
    return ", ".join(f"{one.group} ({attribute})" for attribute, one in differing(found)) or "none"


def _left_out(found: Audit) -> str:
    words = [
        f"{group} ({one.attribute}, {count})"
        for one in found.attributes
        for group, count in one.left_out.items()
    ]
    return ", ".join(words) or "none"
