"""``homeroom new-course``: how good are the estimates of a course that is new to the model?

Leave-one-module-out cross-validation: a pass over the stream without a module's earlier runs is evaluated on
the module's last run, and compared with the pass that includes them. Every pass is a complete backtest in a
process of its own: so the result is what an installation would get that adds a course.
"""

import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from engine.rules import Rules
from evaluation.errors import NewCourseError
from evaluation.experts import ExpertEstimates
from evaluation.figures import WeekFigures, figures_by_week
from evaluation.intervals import bootstrap_weights, interval, resampled_aucs
from evaluation.labelled_estimates import WeeklyEstimates, label_estimates, weekly_estimates
from evaluation.one_pass import estimate
from evaluation.outcomes import Outcomes, read_outcomes
from online_models.auc import auc
from sources.oulad import OuladFolder, Presentation, start_day

FIRST_DAY_COMPARED = 28
"""Day of the run from which on the new course is compared: by then its own weeks are informative."""

MAX_AUC_LOSS = 0.01
"""AUC that a new course may lose."""

MAX_LOSS_TO_BEST_EXPERT = 0.005
"""AUC by which the mixture may be worse than its best expert alone, in a new course."""


@dataclass(frozen=True, slots=True)
class Split:
    """A module's last run, which is tested, and the earlier ones, which are left out."""

    last: Presentation
    earlier: tuple[Presentation, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A module's last run, estimated with and without the module's earlier runs."""

    module: str
    presentation: str
    enrolments: int
    left_out: tuple[str, ...]
    known: float
    """AUC of the weekly estimates from day 28 on."""
    new: float
    difference: float
    """New less known."""
    low: float
    high: float
    """95 % interval of the difference: enrolments resampled, paired."""
    within: bool
    """Whether the new course lost no more than ``MAX_AUC_LOSS``."""
    experts: dict[str, float]
    """AUC of each expert alone, in the pass where the course was new."""
    beyond_best: float
    """New less the best of them."""
    mixed_well: bool
    """Whether the mixture was worse than the best expert by no more than ``MAX_LOSS_TO_BEST_EXPERT``."""
    known_by_week: list[WeekFigures]
    new_by_week: list[WeekFigures]


def leave_one_module_out(presentations: Sequence[Presentation]) -> list[Split]:
    """A split for every module with more than one run."""
    result = []
    for module in sorted({presentation.module for presentation in presentations}):
        runs = sorted(
            (presentation for presentation in presentations if presentation.module == module),
            key=lambda presentation: start_day(presentation.code),
        )
        if len(runs) > 1:
            result.append(Split(runs[-1], tuple(runs[:-1])))
    return result


def compare(oulad: Path, rules: Rules, console: Console) -> list[Comparison]:
    """Run every pass, one process for each processor of the machine, and compare module by module.

    Raises:
        OuladError: for a folder that is not OULAD.
        NewCourseError: if no module has two runs.
    """
    splits = leave_one_module_out(OuladFolder(oulad).presentations)
    if not splits:
        raise NewCourseError("oulad: no module of the folder has an earlier run to leave out")
    passes = _passes(oulad, splits, rules, console)
    comparisons = []
    for number, split in enumerate(splits):
        outcomes = read_outcomes(oulad, [split.last.code])
        outcomes = outcomes.select(outcomes.module == split.last.module)
        comparisons.append(
            _comparison(split, outcomes, _estimates_of_run(passes[-1].ours, split.last), passes[number])
        )
    return comparisons


def show(comparisons: Sequence[Comparison], console: Console) -> None:
    """Print the table, and how many modules are within the bounds."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("run", "n", "known", "new", "difference, 95 %", "", "best expert", ""):
        table.add_column(name, no_wrap=True)
    for comparison in comparisons:
        table.add_row(
            f"{comparison.module}/{comparison.presentation}",
            f"{comparison.enrolments:,}",
            f"{comparison.known:.4f}",
            f"{comparison.new:.4f}",
            f"{comparison.difference:+.4f} ({comparison.low:+.3f} to {comparison.high:+.3f})",
            "" if comparison.within else "*",
            f"{max(comparison.experts.values()):.4f}",
            "" if comparison.mixed_well else "*",
        )
    console.print(table)
    console.print(
        f"AUC of the weekly estimates from day {FIRST_DAY_COMPARED} of the run on; "
        f"{sum(comparison.within for comparison in comparisons)} of {len(comparisons)} modules lose no more "
        f"than {MAX_AUC_LOSS}, and {sum(comparison.mixed_well for comparison in comparisons)} are no more "
        f"than {MAX_LOSS_TO_BEST_EXPERT} below the best single expert; the others bear an asterisk"
    )


@dataclass(frozen=True, slots=True)
class PassEstimates:
    """The estimates of one pass, and those of each expert alone in a pass with a new course."""

    ours: pa.Table
    experts: dict[str, pa.Table]


def _passes(oulad: Path, splits: Sequence[Split], rules: Rules, console: Console) -> dict[int, PassEstimates]:
    """The estimates by number of the split; at −1 those of the pass over all runs."""
    codes = frozenset(split.last.code for split in splits)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ProcessPoolExecutor(min(processors, len(splits) + 1), mp_context=get_context("spawn")) as pool:
        jobs: dict[Future[PassEstimates], int] = {pool.submit(_estimate, oulad, None, codes, rules): -1}
        for number, split in enumerate(splits):
            jobs[pool.submit(_estimate, oulad, split, codes, rules)] = number
        return dict(_completed(jobs, splits, console))


def _completed(
    jobs: dict[Future[PassEstimates], int], splits: Sequence[Split], console: Console
) -> Iterator[tuple[int, PassEstimates]]:
    for done, job in enumerate(as_completed(jobs), start=1):
        number = jobs[job]
        description = "everything" if number < 0 else f"without earlier runs of {splits[number].last.module}"
        console.print(f"pass {done} of {len(jobs)}: {description}")
        yield number, job.result()


def _estimate(oulad: Path, split: Split | None, codes: frozenset[str], rules: Rules) -> PassEstimates:
    """Run one pass, in a worker process; the estimates of the split's last run, or of all."""
    folder = OuladFolder(oulad)
    quiet = Console(file=io.StringIO())
    if split is None:
        return PassEstimates(estimate(folder, codes, rules, quiet)[0], {})
    runs = [presentation for presentation in folder.presentations if presentation not in split.earlier]
    experts, code = ExpertEstimates(split.last.course_run), frozenset({split.last.code})
    table, _ = estimate(folder, code, rules, quiet, runs=runs, on_day=experts.on_day)
    return PassEstimates(_estimates_of_run(table, split.last), experts.tables())


def _estimates_of_run(table: pa.Table, run: Presentation) -> pa.Table:
    in_run = pc.and_(
        pc.equal(table["code_module"], run.module), pc.equal(table["code_presentation"], run.code)
    )
    return table.filter(in_run)


def _comparison(split: Split, outcomes: Outcomes, known: pa.Table, new: PassEstimates) -> Comparison:
    views = [weekly_estimates(label_estimates(table, outcomes)) for table in (known, new.ours)]
    weeks = [figures_by_week(view) for view in views]
    settled = [view.select(view.day >= FIRST_DAY_COMPARED) for view in views]
    known_auc, new_auc = (auc(view.lost, view.risk) for view in settled)
    low, high = _interval(settled, len(outcomes))
    experts = {name: _auc_when_settled(table, outcomes) for name, table in new.experts.items()}
    beyond_best = new_auc - max(experts.values())
    return Comparison(
        module=split.last.module,
        presentation=split.last.code,
        enrolments=len(outcomes),
        left_out=tuple(presentation.code for presentation in split.earlier),
        known=known_auc,
        new=new_auc,
        difference=new_auc - known_auc,
        low=low,
        high=high,
        within=new_auc - known_auc >= -MAX_AUC_LOSS,
        experts=experts,
        beyond_best=beyond_best,
        mixed_well=beyond_best >= -MAX_LOSS_TO_BEST_EXPERT,
        known_by_week=weeks[0],
        new_by_week=weeks[1],
    )


def _auc_when_settled(table: pa.Table, outcomes: Outcomes) -> float:
    view = weekly_estimates(label_estimates(table, outcomes))
    view = view.select(view.day >= FIRST_DAY_COMPARED)
    return auc(view.lost, view.risk)


def _interval(views: Sequence[WeeklyEstimates], count: int) -> tuple[float, float]:
    weights = bootstrap_weights(count)
    known, new = (resampled_aucs(view.row, view.lost, view.risk, weights) for view in views)
    return interval(np.asarray(new - known))
