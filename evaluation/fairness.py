"""``homeroom fairness``: are estimates and alerts equally good for every group of learners?

An offline audit: it reads a table of estimates that ``homeroom evaluate`` wrote, and OULAD's demographics,
which no part of the pipeline reads. Each group of an attribute is compared with the attribute's largest, the
*reference*:

* **AUC** of the group's weekly estimates, with a 95 % interval (enrolments resampled).
* **True positive rate**: of the group's lost enrolments, the share alerted, with its interval; the *gap* is
  its difference to the reference's (equal opportunity; Hardt, Price and Srebro, NeurIPS 2016), with its
  interval.
* **ABROCA**: the area between the group's ROC curve and the reference's (Gardner, Brooks and Baker, LAK
  2019). It is never negative, so groups without any difference have a positive one too: beside it stands the
  95 % quantile of random groups of the same sizes (permutation test; see Borchers and Baker, LAK 2025).

Groups with too few learners of either outcome are omitted, and listed. Groups are distributed unevenly over
modules, and modules differ; a difference may be the module's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation.alerts import enrolled_during_run, first_alert_days
from evaluation.demographics import ATTRIBUTES, demographics
from evaluation.errors import EstimatesError
from evaluation.intervals import RESAMPLES, SEED, bootstrap_weights, class_counts, interval, quantile_classes
from evaluation.labelled_estimates import (
    LabelledEstimates,
    WeeklyEstimates,
    label_estimates,
    weekly_estimates,
)
from evaluation.outcomes import Bools, Floats, Ints, Outcomes, Strings, read_outcomes
from evaluation.page import number
from evaluation.ranking import abroca, recall_on_grid
from online_models.auc import auc, auc_of_counts

MIN_ENROLMENTS = 30
"""Enrolments lost, and enrolments not lost, below which a group is omitted."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """A group of learners compared with the reference. Intervals are of 95 %."""

    group: str
    reference: bool
    enrolments: int
    lost: float
    auc: float
    auc_low: float
    auc_high: float
    true_positive_rate: float
    """Of the lost, the share alerted; NaN where the table has no alerts."""
    gap: float
    """Rate less the reference's."""
    gap_low: float
    gap_high: float
    abroca: float
    abroca_by_chance: float
    """The 95 % quantile of random groups of these sizes."""
    differs: bool
    """Whether the gap or the area is larger than by chance."""


@dataclass(frozen=True, slots=True)
class AttributeFigures:
    """An attribute's groups, the reference first, and those that were too small."""

    attribute: str
    groups: list[GroupFigures]
    left_out: dict[str, int]
    """Group → enrolments."""


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of an audit."""

    presentations: list[str]
    enrolments: int
    attributes: list[AttributeFigures]


def audit(oulad: Path, estimates: Path) -> Audit:
    """Audit a table of estimates.

    Raises:
        EstimatesError: if it is no table of estimates.
        OuladError: for a folder that is not OULAD.
    """
    table = _read(estimates)
    if "code_presentation" not in table.column_names or not table.num_rows:
        raise EstimatesError(f"{estimates}: no estimates of any presentation in it")
    codes = sorted({str(code) for code in table["code_presentation"].unique().to_pylist()})
    outcomes = read_outcomes(oulad, codes)
    groups = demographics(oulad, outcomes)
    sample = _Sample.from_estimates(label_estimates(table, outcomes))
    attributes = [_attribute(title, groups[name], sample) for name, title in ATTRIBUTES.items()]
    return Audit(codes, len(outcomes), attributes)


def show(result: Audit, console: Console) -> None:
    """Print one table of all groups, in eighty columns; groups that differ have an asterisk."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "n", "lost", "AUC", "alerted", "gap", "ABROCA", "chance", ""):
        table.add_column(name, no_wrap=True)
    for attribute in result.attributes:
        table.add_row(Text(attribute.attribute, "bold"))
        for group_figures in attribute.groups:
            table.add_row(*_cells(group_figures))
    console.print(table)
    for attribute in result.attributes:
        for group, count in attribute.left_out.items():
            console.print(
                f"{group}: left out, {count} enrolments; "
                f"expected {MIN_ENROLMENTS} lost and {MIN_ENROLMENTS} not, or more"
            )
    console.print(
        "AUC and gap with half their 95 % intervals. alerted: of the lost, the share; the gap is to the "
        "first group. chance: 95 % of random groups of the size have less ABROCA. *: more than chance."
    )


def _cells(figures: GroupFigures) -> list[str]:
    half = (figures.auc_high - figures.auc_low) / 2
    ranking = [f"{figures.enrolments:,}", number(figures.lost), f"{number(figures.auc)} ±{number(half)}"]
    cells = [figures.group, *ranking, number(figures.true_positive_rate)]
    if figures.reference:
        return cells
    half = (figures.gap_high - figures.gap_low) / 2
    areas = [number(figures.abroca), number(figures.abroca_by_chance), "*" if figures.differs else ""]
    return [*cells, f"{figures.gap:+.3f} ±{number(half)}", *areas]


@dataclass(frozen=True, slots=True)
class _Sample:
    """The arrays of all enrolments from which the figures of a group are computed."""

    outcomes: Outcomes
    view: WeeklyEstimates
    alerted: Floats
    """1 for an enrolment that was alerted, NaN without alerts, [n]."""
    lost_enrolled: Bools
    """Lost enrolments that were enrolled during the run: the denominator of the true positive rate, [n]."""
    positive: Floats
    negative: Floats
    """Weekly estimates by enrolment and quantile class: of the lost, and of the others, [n, classes]."""
    weights: Floats
    """Bootstrap weights, [RESAMPLES, n]."""

    @classmethod
    def from_estimates(cls, labelled: LabelledEstimates) -> "_Sample":
        outcomes, view = labelled.outcomes, weekly_estimates(labelled)
        count, class_of_row = len(outcomes), quantile_classes(view.risk)
        if labelled.alert is None:
            alerted = np.full(count, np.nan)
        else:
            first = first_alert_days(labelled.row, labelled.day, labelled.alert, count)
            alerted = (~np.isnan(first)).astype(np.float64)
        return cls(
            outcomes,
            view,
            alerted,
            outcomes.lost & enrolled_during_run(outcomes),
            class_counts(view.row, class_of_row, view.lost, count),
            class_counts(view.row, class_of_row, ~view.lost, count),
            bootstrap_weights(count),
        )

    def curve(self, group: Bools) -> Floats:
        """The ROC curve of a group, bool [n], on the grid of false positive rates."""
        return recall_on_grid(self.positive[group].sum(axis=0), self.negative[group].sum(axis=0))

    def auc(self, group: Bools) -> tuple[float, tuple[float, float]]:
        """AUC of a group and its interval."""
        rows = group[self.view.row]
        resampled = auc_of_counts(
            self.weights[:, group] @ self.positive[group], self.weights[:, group] @ self.negative[group]
        )
        return auc(self.view.lost[rows], self.view.risk[rows]), interval(np.asarray(resampled))

    def rate(self, group: Bools) -> tuple[float, Floats]:
        """The true positive rate of a group, and that of each resample."""
        lost = group & self.lost_enrolled
        weights = self.weights[:, lost]
        with np.errstate(invalid="ignore"):
            resampled: Floats = weights @ self.alerted[lost] / weights.sum(axis=1)
        return float(self.alerted[lost].mean()), resampled


def _attribute(title: str, groups: Strings, sample: _Sample) -> AttributeFigures:
    names, sizes = np.unique(groups, return_counts=True)
    lost = sample.outcomes.lost
    large_enough = [
        min(int((lost & (groups == name)).sum()), int((~lost & (groups == name)).sum())) >= MIN_ENROLMENTS
        for name in names
    ]
    large_groups = [str(name) for name, is_large in zip(names, large_enough, strict=True) if is_large]
    left_out = {
        str(name): int(size)
        for name, size, is_large in zip(names, sizes, large_enough, strict=True)
        if not is_large
    }
    reference = max(large_groups, key=lambda name: int((groups == name).sum()), default=None)
    if reference is None:
        return AttributeFigures(title, [], left_out)
    ordered = [reference, *(name for name in large_groups if name != reference)]
    return AttributeFigures(
        title, [_group(name, groups == name, groups == reference, sample) for name in ordered], left_out
    )


def _group(name: str, group: Bools, reference: Bools, sample: _Sample) -> GroupFigures:
    value, (low, high) = sample.auc(group)
    rate, resampled = sample.rate(group)
    reference_rate, reference_resampled = sample.rate(reference)
    is_reference = bool((group & reference).any())
    gap_low, gap_high = (np.nan, np.nan) if is_reference else interval(resampled - reference_resampled)
    gap_between_curves = np.nan if is_reference else abroca(sample.curve(group), sample.curve(reference))
    by_chance = np.nan if is_reference else _abroca_by_chance(group, reference, sample)
    return GroupFigures(
        group=name,
        reference=is_reference,
        enrolments=int(group.sum()),
        lost=float(sample.outcomes.lost[group].mean()),
        auc=value,
        auc_low=low,
        auc_high=high,
        true_positive_rate=rate,
        gap=np.nan if is_reference else rate - reference_rate,
        gap_low=gap_low,
        gap_high=gap_high,
        abroca=gap_between_curves,
        abroca_by_chance=by_chance,
        differs=bool(gap_low > 0 or gap_high < 0 or gap_between_curves > by_chance),
    )


def _abroca_by_chance(group: Bools, reference: Bools, sample: _Sample) -> float:
    """The 95 % quantile of ABROCA when the two groups' enrolments are permuted."""
    both: Ints = np.flatnonzero(group | reference)
    rng, size = np.random.default_rng(SEED), int(group.sum())
    positive, negative = sample.positive[both], sample.negative[both]
    totals = positive.sum(axis=0), negative.sum(axis=0)
    chosen = np.zeros((RESAMPLES, len(both)))
    for draw in chosen:
        draw[rng.permutation(len(both))[:size]] = 1
    positive_draws, negative_draws = chosen @ positive, chosen @ negative
    areas = [
        abroca(
            recall_on_grid(positives, negatives), recall_on_grid(totals[0] - positives, totals[1] - negatives)
        )
        for positives, negatives in zip(positive_draws, negative_draws, strict=True)
    ]
    return float(np.quantile(areas, 0.95))


def _read(path: Path) -> pyarrow.Table:
    if not path.is_file():
        raise EstimatesError(f"{path}: no such file; expected a table that homeroom evaluate wrote")
    read = pyarrow.parquet.read_table if path.suffix == ".parquet" else pyarrow.csv.read_csv
    try:
        table = read(path)
        _ = table.column_names  # decoded lazily: a file in another encoding raises here
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise EstimatesError(
            f"{path}: cannot be read: {error}; expected a table that homeroom evaluate wrote"
        ) from None
    return table


def differing_groups(result: Audit) -> Sequence[tuple[str, GroupFigures]]:
    """Attribute and figures of the groups that differ by more than chance."""
    return [
        (attribute.attribute, group)
        for attribute in result.attributes
        for group in attribute.groups
        if group.differs
    ]
