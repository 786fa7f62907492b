"""The fairness audit as an HTML page."""

from evaluation.fairness import MIN_ENROLMENTS, AttributeFigures, Audit, GroupFigures, differing_groups
from evaluation.page import Cell, Page, Section, Table, number
from evaluation.plots import Axis, DotRow, dot_plot

HEAD = (
    "group", "enrolments", "lost", "AUC", "from", "to", "alerted of the lost", "gap", "from", "to",
    "ABROCA", "by chance",
)  # fmt: skip


def page(audit: Audit) -> Page:
    """The page: ranking and alerts of each attribute's groups."""
    return Page(
        title="Are the estimates as good for everybody?",
        about=f"Open University Learning Analytics Dataset, presentations {', '.join(audit.presentations)}: "
        f"{audit.enrolments:,} enrolments. No estimate knows anybody's gender, age, disability, region or "
        "deprivation band; they are read here only, beside finished estimates.",
        sections=[
            section for attribute in audit.attributes if attribute.groups for section in _sections(attribute)
        ],
        notes=(
            "A group differs where the interval of its gap leaves out nought, or its ABROCA is above what "
            "95 % of random groups of its size have. Of twenty groups that do not differ, one looks as if "
            "it did.",
            f"By that, these differ here: {_listed(audit)}.",
            "Groups are spread unevenly over modules, and modules differ in how well they can be told.",
            "Equal figures do not make a decision fair, nor unequal ones unfair: how many of a group are "
            "lost differs too.",
            f"Groups with fewer than {MIN_ENROLMENTS} enrolments lost, or not lost, are left out: "
            f"{_left_out(audit)}.",
        ),
    )


def _sections(attribute: AttributeFigures) -> list[Section]:
    groups, name = attribute.groups, attribute.attribute
    reference = groups[0]
    best, worst = (pick(groups, key=lambda group: group.auc) for pick in (max, min))
    ranking = Section(
        f"Ranking, by {name}",
        f"AUC from {number(worst.auc)} ({worst.group}) to {number(best.auc)} ({best.group}).",
        "AUC of the group's weekly estimates, with the 95 % interval when enrolments are resampled; the "
        f"dashed line is the largest group's, {reference.group}.",
        Table(HEAD, [_cells(group) for group in groups]),
        dot_plot(
            [DotRow(group.group, group.auc, group.auc_low, group.auc_high) for group in groups],
            Axis("AUC"),
            reference.auc,
        ),
    )
    others = groups[1:]
    if not others or reference.true_positive_rate != reference.true_positive_rate:
        return [ranking]
    widest = max(others, key=lambda group: abs(group.gap))
    alerts = Section(
        f"Alerts, by {name}",
        f"Of the lost, {reference.true_positive_rate:.0%} were alerted among {reference.group}; the widest "
        f"gap is {100 * widest.gap:+.0f} points ({widest.group}).",
        "True positive rate: of the group's lost enrolments, the share alerted at any time, less that of the "
        "largest group, with its 95 % interval. Where the interval leaves out nought, there is a gap.",
        Table(HEAD[:1] + HEAD[6:], [[group.group, *_cells(group)[6:]] for group in groups]),
        dot_plot(
            [DotRow(group.group, group.gap, group.gap_low, group.gap_high) for group in others],
            Axis("gap", None, None, percent=True),
            0,
        ),
    )
    return [ranking, alerts]


def _cells(group: GroupFigures) -> list[Cell]:
    return [
        group.group, group.enrolments, group.lost, group.auc, group.auc_low, group.auc_high,
        group.true_positive_rate, group.gap, group.gap_low, group.gap_high, group.abroca,
        group.abroca_by_chance,
    ]  # fmt: skip


def _listed(audit: Audit) -> str:
    return ", ".join(f"{group.group} ({attribute})" for attribute, group in differing_groups(audit)) or "none"


def _left_out(audit: Audit) -> str:
    words = [
        f"{group} ({attribute.attribute}, {count})"
        for attribute in audit.attributes
        for group, count in attribute.left_out.items()
    ]
    return ", ".join(words) or "none"
