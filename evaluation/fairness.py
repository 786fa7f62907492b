"""``homeroom fairness``: are the estimates as good, and the alerts as fair, for every group of learners?

An audit outside the online path: it reads a table of estimates that ``homeroom evaluate`` wrote and, beside
it, OULAD's demographics, which no part of the pipeline ever sees. Each group of an attribute is compared
with the attribute's largest, the *reference*:

* **AUC** of the group's weekly estimates, with a 95 % interval (enrolments resampled).
* **True positive rate**: of the group's lost enrolments, the share alerted, with its interval; the *gap* is
  to the reference's (equal opportunity; Hardt, Price and Srebro, NeurIPS 2016). Its interval tells whether
  there is one.
* **ABROCA**: the area between the group's ROC curve and the reference's (Gardner, Brooks and Baker, LAK
  2019). It is never negative, so groups that do not differ at all have some too: beside it stands the value
  below which 95 % of random groups of the same sizes stay (permutation; see Borchers and Baker, LAK 2025).

Groups with too few learners of either outcome are left out, and it is said that they were. Groups are spread
unevenly over modules, and modules differ; what the audit finds may be the module's.
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

from evaluation.alerts import counted, first_days
from evaluation.demographics import ATTRIBUTES, demographics
from evaluation.errors import EstimatesError
from evaluation.intervals import DRAWS, SEED, classes, draws, interval, tallies
from evaluation.judged import Judged, Weekly, judge, weekly
from evaluation.outcomes import Bools, Floats, Ints, Outcomes, Words, read_outcomes
from evaluation.page import number
from evaluation.ranking import abroca, area, auc, recall_at

LEAST = 30
"""Enrolments lost, and enrolments not lost, below which nothing is said of a group."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """A group of learners beside the reference. Intervals are of 95 %."""

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
    """Of random groups of these sizes, 95 % have less."""
    differs: bool
    """Whether the gap or the area is more than chance gives."""


@dataclass(frozen=True, slots=True)
class AttributeFigures:
    """An attribute's groups, the reference first, and those that were too small."""

    attribute: str
    groups: list[GroupFigures]
    left_out: dict[str, int]
    """Group → enrolments."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What the audit found."""

    presentations: list[str]
    enrolments: int
    attributes: list[AttributeFigures]


def audit(oulad: Path, estimates: Path) -> Audit:
    """Audit a table of estimates.

    Raises ``EstimatesError`` where it is not one, ``OuladError`` for a folder that is not OULAD.
    """
    table = _read(estimates)
    if "code_presentation" not in table.column_names or not table.num_rows:
        raise EstimatesError(f"{estimates}: no estimates of any presentation in it")
    codes = sorted({str(code) for code in table["code_presentation"].unique().to_pylist()})
    outcomes = read_outcomes(oulad, codes)
    groups = demographics(oulad, outcomes)
    sample = _Sample.of(judge(table, outcomes))
    found = [_attribute(title, groups[name], sample) for name, title in ATTRIBUTES.items()]
    return Audit(codes, len(outcomes), found)


def show(found: Audit, console: Console) -> None:
    """One table of all groups, in eighty columns; what differs bears an asterisk."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "n", "lost", "AUC", "alerted", "gap", "ABROCA", "chance", ""):
        table.add_column(name, no_wrap=True)
    for attribute in found.attributes:
        table.add_row(Text(attribute.attribute, "bold"))
        for one in attribute.groups:
            table.add_row(*_cells(one))
    console.print(table)
    for attribute in found.attributes:
        for group, count in attribute.left_out.items():
            console.print(
                f"{group}: left out, {count} enrolments; expected {LEAST} lost and {LEAST} not, or more"
            )
    console.print(
        "AUC and gap with half their 95 % intervals. alerted: of the lost, the share; the gap is to the "
        "first group. chance: 95 % of random groups of the size have less ABROCA. *: more than chance."
    )


def _cells(one: GroupFigures) -> list[str]:
    half = (one.auc_high - one.auc_low) / 2
    ranking = [f"{one.enrolments:,}", number(one.lost), f"{number(one.auc)} ±{number(half)}"]
    cells = [one.group, *ranking, number(one.true_positive_rate)]
    if one.reference:
        return cells
    half = (one.gap_high - one.gap_low) / 2
    areas = [number(one.abroca), number(one.abroca_by_chance), "*" if one.differs else ""]
    return [*cells, f"{one.gap:+.3f} ±{number(half)}", *areas]


@dataclass(frozen=True, slots=True)
class _Sample:
    """Everything that groups are cut from, counted once."""

    outcomes: Outcomes
    view: Weekly
    alerted: Floats
    """1 for an enrolment that was alerted, NaN without alerts, [n]."""
    judged: Bools
    """Lost enrolments that were there during the run: of whom the rate is told, [n]."""
    positive: Floats
    negative: Floats
    """Weekly estimates per enrolment and class of estimate: of the lost, and of the others, [n, classes]."""
    weights: Floats
    """Bootstrap, [draws, n]."""

    @classmethod
    def of(cls, judged: Judged) -> "_Sample":
        outcomes, view = judged.outcomes, weekly(judged)
        count, step = len(outcomes), classes(view.risk)
        if judged.alert is None:
            alerted = np.full(count, np.nan)
        else:
            first = first_days(judged.row, judged.day, judged.alert, count)
            alerted = (~np.isnan(first)).astype(np.float64)
        return cls(
            outcomes,
            view,
            alerted,
            outcomes.lost & counted(outcomes),
            tallies(view.row, step, view.lost, count),
            tallies(view.row, step, ~view.lost, count),
            draws(count),
        )

    def curve(self, mine: Bools) -> Floats:
        """The ROC curve of some enrolments."""
        return recall_at(self.positive[mine].sum(axis=0), self.negative[mine].sum(axis=0))

    def auc(self, mine: Bools) -> tuple[float, tuple[float, float]]:
        """AUC and its interval."""
        rows = mine[self.view.row]
        drawn = area(self.weights[:, mine] @ self.positive[mine], self.weights[:, mine] @ self.negative[mine])
        return auc(self.view.lost[rows], self.view.risk[rows]), interval(np.asarray(drawn))

    def rate(self, mine: Bools) -> tuple[float, Floats]:
        """Of the lost, the share alerted, and the same of each draw."""
        lost = mine & self.judged
        weights = self.weights[:, lost]
        with np.errstate(invalid="ignore"):
            drawn: Floats = weights @ self.alerted[lost] / weights.sum(axis=1)
        return float(self.alerted[lost].mean()), drawn


def _attribute(title: str, groups: Words, sample: _Sample) -> AttributeFigures:
    names, sizes = np.unique(groups, return_counts=True)
    lost = sample.outcomes.lost
    enough = [
        min(int((lost & (groups == name)).sum()), int((~lost & (groups == name)).sum())) >= LEAST
        for name in names
    ]
    kept = [str(name) for name, one in zip(names, enough, strict=True) if one]
    left_out = {str(name): int(size) for name, size, one in zip(names, sizes, enough, strict=True) if not one}
    reference = max(kept, key=lambda name: int((groups == name).sum()), default=None)
    if reference is None:
        return AttributeFigures(title, [], left_out)
    ordered = [reference, *(name for name in kept if name != reference)]
    return AttributeFigures(
        title, [_group(name, groups == name, groups == reference, sample) for name in ordered], left_out
    )


def _group(name: str, mine: Bools, reference: Bools, sample: _Sample) -> GroupFigures:
    value, (low, high) = sample.auc(mine)
    rate, drawn = sample.rate(mine)
    theirs, theirs_drawn = sample.rate(reference)
    itself = bool((mine & reference).any())
    gap_low, gap_high = (np.nan, np.nan) if itself else interval(drawn - theirs_drawn)
    between = np.nan if itself else abroca(sample.curve(mine), sample.curve(reference))
    by_chance = np.nan if itself else _by_chance(mine, reference, sample)
    return GroupFigures(
        group=name,
        reference=itself,
        enrolments=int(mine.sum()),
        lost=float(sample.outcomes.lost[mine].mean()),
        auc=value,
        auc_low=low,
        auc_high=high,
        true_positive_rate=rate,
        gap=np.nan if itself else rate - theirs,
        gap_low=gap_low,
        gap_high=gap_high,
        abroca=between,
        abroca_by_chance=by_chance,
        differs=bool(gap_low > 0 or gap_high < 0 or between > by_chance),
    )


def _by_chance(mine: Bools, reference: Bools, sample: _Sample) -> float:
    """The ABROCA below which 95 % of random groups stay: the two groups' enrolments, dealt anew."""
    both: Ints = np.flatnonzero(mine | reference)
    rng, size = np.random.default_rng(SEED), int(mine.sum())
    positive, negative = sample.positive[both], sample.negative[both]
    whole = positive.sum(axis=0), negative.sum(axis=0)
    chosen = np.zeros((DRAWS, len(both)))
    for draw in chosen:
        draw[rng.permutation(len(both))[:size]] = 1
    ones, others = chosen @ positive, chosen @ negative
    found = [
        abroca(recall_at(one, other), recall_at(whole[0] - one, whole[1] - other))
        for one, other in zip(ones, others, strict=True)
    ]
    return float(np.quantile(found, 0.95))


def _read(path: Path) -> pyarrow.Table:
    if not path.is_file():
        raise EstimatesError(f"{path}: no such file; expected a table that homeroom evaluate wrote")
    read = pyarrow.parquet.read_table if path.suffix == ".parquet" else pyarrow.csv.read_csv
    try:
        table = read(path)
        _ = table.column_names  # decoded when asked for: a file in another encoding is found out here
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise EstimatesError(
            f"{path}: cannot be read: {error}; expected a table that homeroom evaluate wrote"
        ) from None
    return table


def differing(found: Audit) -> Sequence[tuple[str, GroupFigures]]:
    """Attribute and group of what differs by more than chance."""
    return [
        (attribute.attribute, one)
        for attribute in found.attributes
        for one in attribute.groups
        if one.differs
    ]
