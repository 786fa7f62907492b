"""``homeroom new-course``: how good are the estimates of a course that the model has never seen?

Leave one module out, each in turn: the stream without the module's earlier runs, judged on its last run,
beside the model that knew them. Every pass is a whole backtest of its own, and nothing is shared but
processors of the machine: whatever the model learns from whom, the answer is what an installation would give
that adds a course.
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
from evaluation.experts import Alone
from evaluation.figures import WeekFigures, by_week
from evaluation.intervals import auc_draws, draws, interval
from evaluation.judged import Weekly, judge, weekly
from evaluation.one_pass import estimate
from evaluation.outcomes import Outcomes, read_outcomes
from evaluation.ranking import auc
from sources.oulad import OuladFolder, Presentation, start_day

SETTLED = 28
"""Days of the run after which the new course is compared: by then its own weeks tell."""

ALLOWED = 0.01
"""AUC that a course nobody knew may lose."""

ALLOWED_TO_EXPERT = 0.005
"""AUC by which the mixture may be worse than its best expert alone, in a course nobody knew."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A module's last run, and the earlier ones that are left out."""

    last: Presentation
    earlier: tuple[Presentation, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A module's last run, estimated by who knew the module and by who did not."""

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
    """95 % interval of the difference: enrolments resampled, the same for both."""
    within: bool
    """Whether the new course lost no more than is allowed."""
    experts: dict[str, float]
    """AUC of each expert alone, where the course was new."""
    beyond_best: float
    """New less the best of them."""
    mixed_well: bool
    """Whether the mixture was no worse than the best expert by more than is allowed."""
    known_by_week: list[WeekFigures]
    new_by_week: list[WeekFigures]


def trials(presentations: Sequence[Presentation]) -> list[Trial]:
    """Every module that has an earlier run than its last."""
    found = []
    for module in sorted({one.module for one in presentations}):
        runs = sorted(
            (one for one in presentations if one.module == module), key=lambda one: start_day(one.code)
        )
        if len(runs) > 1:
            found.append(Trial(runs[-1], tuple(runs[:-1])))
    return found


def compare(oulad: Path, rules: Rules, console: Console) -> list[Comparison]:
    """Run every pass, as many at once as there are processors, and compare module by module.

    Raises ``OuladError`` for a folder that is not OULAD, ``NewCourseError`` where no module has two.
    """
    tried = trials(OuladFolder(oulad).presentations)
    if not tried:
        raise NewCourseError("oulad: no module of the folder has an earlier run to leave out")
    passes = _passes(oulad, tried, rules, console)
    found = []
    for number, trial in enumerate(tried):
        outcomes = read_outcomes(oulad, [trial.last.code])
        outcomes = outcomes.of(outcomes.module == trial.last.module)
        found.append(_compared(trial, outcomes, _only(passes[-1].ours, trial.last), passes[number]))
    return found


def show(found: Sequence[Comparison], console: Console) -> None:
    """The table, and whether all of it holds."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("run", "n", "known", "new", "difference, 95 %", "", "best expert", ""):
        table.add_column(name, no_wrap=True)
    for one in found:
        table.add_row(
            f"{one.module}/{one.presentation}",
            f"{one.enrolments:,}",
            f"{one.known:.4f}",
            f"{one.new:.4f}",
            f"{one.difference:+.4f} ({one.low:+.3f} to {one.high:+.3f})",
            "" if one.within else "*",
            f"{max(one.experts.values()):.4f}",
            "" if one.mixed_well else "*",
        )
    console.print(table)
    console.print(
        f"AUC of the weekly estimates from day {SETTLED} of the run on; "
        f"{sum(one.within for one in found)} of {len(found)} modules lose no more than {ALLOWED}, and "
        f"{sum(one.mixed_well for one in found)} are no more than {ALLOWED_TO_EXPERT} below the best single "
        "expert; the others bear an asterisk"
    )


@dataclass(frozen=True, slots=True)
class Pass:
    """The estimates of one pass; those of each expert alone where a course was new."""

    ours: pa.Table
    experts: dict[str, pa.Table]


def _passes(oulad: Path, tried: Sequence[Trial], rules: Rules, console: Console) -> dict[int, Pass]:
    """By trial; at −1 the pass over everything."""
    codes = frozenset(trial.last.code for trial in tried)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ProcessPoolExecutor(min(processors, len(tried) + 1), mp_context=get_context("spawn")) as pool:
        jobs: dict[Future[Pass], int] = {pool.submit(_estimate, oulad, None, codes, rules): -1}
        for number, trial in enumerate(tried):
            jobs[pool.submit(_estimate, oulad, trial, codes, rules)] = number
        return dict(_told(jobs, tried, console))


def _told(
    jobs: dict[Future[Pass], int], tried: Sequence[Trial], console: Console
) -> Iterator[tuple[int, Pass]]:
    for done, job in enumerate(as_completed(jobs), start=1):
        number = jobs[job]
        what = "everything" if number < 0 else f"without earlier runs of {tried[number].last.module}"
        console.print(f"pass {done} of {len(jobs)}: {what}")
        yield number, job.result()


def _estimate(oulad: Path, trial: Trial | None, codes: frozenset[str], rules: Rules) -> Pass:
    """In a process of its own; the estimates of the trial's last run, or of all."""
    folder = OuladFolder(oulad)
    quiet = Console(file=io.StringIO())
    if trial is None:
        return Pass(estimate(folder, codes, rules, quiet)[0], {})
    runs = [one for one in folder.presentations if one not in trial.earlier]
    alone, code = Alone(trial.last.course_run), frozenset({trial.last.code})
    table, _ = estimate(folder, code, rules, quiet, runs=runs, watch=alone.watch)
    return Pass(_only(table, trial.last), alone.tables())


def _only(table: pa.Table, run: Presentation) -> pa.Table:
    mine = pc.and_(pc.equal(table["code_module"], run.module), pc.equal(table["code_presentation"], run.code))
    return table.filter(mine)


def _compared(trial: Trial, outcomes: Outcomes, known: pa.Table, new: Pass) -> Comparison:
    views = [weekly(judge(table, outcomes)) for table in (known, new.ours)]
    weeks = [by_week(view) for view in views]
    settled = [view.of(view.day >= SETTLED) for view in views]
    first, second = (auc(view.lost, view.risk) for view in settled)
    low, high = _interval(settled, len(outcomes))
    experts = {name: _settled(table, outcomes) for name, table in new.experts.items()}
    beyond = second - max(experts.values())
    return Comparison(
        module=trial.last.module,
        presentation=trial.last.code,
        enrolments=len(outcomes),
        left_out=tuple(one.code for one in trial.earlier),
        known=first,
        new=second,
        difference=second - first,
        low=low,
        high=high,
        within=second - first >= -ALLOWED,
        experts=experts,
        beyond_best=beyond,
        mixed_well=beyond >= -ALLOWED_TO_EXPERT,
        known_by_week=weeks[0],
        new_by_week=weeks[1],
    )


def _settled(table: pa.Table, outcomes: Outcomes) -> float:
    view = weekly(judge(table, outcomes))
    view = view.of(view.day >= SETTLED)
    return auc(view.lost, view.risk)


def _interval(views: Sequence[Weekly], count: int) -> tuple[float, float]:
    weights = draws(count)
    known, new = (auc_draws(view.row, view.lost, view.risk, weights) for view in views)
    return interval(np.asarray(new - known))
