"""A run's results as text and tables, read back from the store that it wrote to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.pseudonyms import Identity
from local.rig import Progress
from online_models.auc import auc
from output.screen import styled
from sinks.store import StoreReader
from sources.simulator import SimulationPlan, Truth, truth

LEVELS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class EstimateQuality:
    """How well the estimates of a course run in a week separate lost learners from others."""

    course_run: str
    week: int
    enrolments: int
    lost: float
    auc: float


def show(console: Console, reader: StoreReader, progress: Progress, folder: Path) -> None:
    """Print counts, levels, changes, decisions and the model's progressive metrics."""
    seconds = max(progress.elapsed_s, 1e-9)
    console.rule(Text("What happened", "bold"))
    lines = [
        ("events published", f"{progress.sent.records:,}"),
        ("applied", f"{progress.applied:,}"),
        ("repeats dropped", f"{progress.duplicates:,}"),
        ("dead letters", f"{progress.dead_letters:,}"),
        ("events a second", f"{progress.processed / seconds:,.0f} (publishing included, {seconds:,.0f} s)"),
    ]
    lines += [(f"learners at {level} risk", f"{count:,}") for level, count in _levels(reader)]
    lines += [("risk changes", _listed(reader, "level", "risk_changes"))]
    lines += _decisions(reader)
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in lines:
        table.add_row(Text(name, "dim"), value)
    console.print(table)
    _show_reasons(console, reader)
    _show_model(console, reader)
    console.print(styled("dim", "\ndata:", f" {folder}"))


def _levels(reader: StoreReader) -> list[tuple[str, int]]:
    rows = reader.query("SELECT level, count() FROM risk_now GROUP BY level").rows
    counts = {str(level): int(count) for level, count in rows}
    return [(level, counts.get(level, 0)) for level in LEVELS]


def _listed(reader: StoreReader, column: str, table: str) -> str:
    rows = reader.query(f"SELECT {column}, count() FROM {table} FINAL GROUP BY 1 ORDER BY 2 DESC").rows  # noqa: S608
    total = sum(count for _, count in rows)
    return f"{total:,}" + (f" ({', '.join(f'{count:,} to {name}' for name, count in rows)})" if rows else "")


def _decisions(reader: StoreReader) -> list[tuple[str, str]]:
    rows = reader.query(
        "SELECT decision, reason, count() FROM nudge_ledger FINAL GROUP BY 1, 2 ORDER BY 3 DESC"
    ).rows
    lines = []
    titles = (("send", "nudges sent"), ("hold", "nudges held back"), ("cancel", "nudges taken back"))
    for decision, title in titles:
        counts = [
            (str(reason).replace("_", " "), int(count)) for kind, reason, count in rows if kind == decision
        ]
        total = sum(count for _, count in counts)
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts)
        lines.append((title, f"{total:,}" + (f" ({reasons})" if counts else "")))
    return lines


def _show_reasons(console: Console, reader: StoreReader) -> None:
    rows = reader.query(
        "SELECT learner, course_run, probability, reasons FROM risk_changes FINAL "
        "WHERE level = 'high' AND model_state = 'serving' ORDER BY day DESC, probability DESC LIMIT 3"
    ).rows
    for learner, course_run, probability, reasons in rows:
        reason_text = "; ".join(reasons)
        sentence = f" in {course_run} is at {probability:.0%}: {reason_text}"
        console.print(styled("bold", str(learner), sentence), highlight=False)


def _show_model(console: Console, reader: StoreReader) -> None:
    """Print the newest metrics of the whole model, without those of single runs and of the challenger."""
    rows = reader.query(
        "SELECT metric, argMax(value, day) FROM model_metrics "
        "WHERE position(metric, '/') = 0 AND NOT startsWith(metric, 'challenger') "
        "GROUP BY metric ORDER BY metric"
    ).rows
    if rows:
        figures = ", ".join(f"{name} {value:,.3f}".removesuffix(".000") for name, value in rows)
        head = "\nmodel, progressive (test, then train):"
        console.print(styled("dim", head, f" {figures}"), highlight=False)


# -- against the simulator's truth ------------------------------------------------------------------


def estimate_qualities(
    reader: StoreReader, plan: SimulationPlan, identity: Identity, weeks: Sequence[int]
) -> list[EstimateQuality]:
    """Compare estimates in the store with the simulator's truth, for runs that a model served."""
    hidden_truth = truth(plan)
    qualities = []
    for run in plan.runs:
        lost = _lost(hidden_truth, run.course_run, identity)
        for week in weeks:
            day = run.starts_on + 7 * week
            estimates = _estimates(reader, run.course_run, day)
            labelled = [(lost[learner], probability) for learner, probability in estimates if learner in lost]
            if len({label for label, _ in labelled}) == 2:
                labels = np.array([label for label, _ in labelled])
                scores = np.array([probability for _, probability in labelled])
                qualities.append(
                    EstimateQuality(
                        run.course_run, week, len(labelled), float(labels.mean()), auc(labels, scores)
                    )
                )
    return qualities


def _lost(hidden: Truth, course_run: str, identity: Identity) -> dict[str, bool]:
    return {
        identity.learner(learner): bool(lost)
        for learner, run, lost in zip(hidden.learner, hidden.course_run, hidden.lost, strict=True)
        if run == course_run
    }


def _estimates(reader: StoreReader, course_run: str, day: int) -> list[tuple[str, float]]:
    """(learner, probability): each enrolment's newest estimate as of a day, from the week before it."""
    sql = (
        "SELECT learner, argMax(probability, day) FROM risk_history "
        "WHERE course_run = %(run)s AND model_state = 'serving' "
        "AND day <= toDate(%(day)s) AND day > toDate(%(day)s) - 8 GROUP BY learner"
    )
    rows: list[tuple[Any, ...]] = reader.query(sql, {"run": course_run, "day": day}).rows
    return [(str(learner), float(probability)) for learner, probability in rows]


def show_qualities(console: Console, qualities: Sequence[EstimateQuality]) -> None:
    """Print a table of course runs by week."""
    if not qualities:
        console.print("\nNo model has served yet: estimates so far are the recency prior, and say so.")
        return
    table = Table(title="Estimates against the simulator's truth", title_justify="left")
    for title in ("course run", "week", "estimated", "lost in the end", "AUC"):
        table.add_column(title, justify="left" if title == "course run" else "right")
    for quality in qualities:
        table.add_row(
            quality.course_run,
            str(quality.week),
            f"{quality.enrolments:,}",
            f"{quality.lost:.0%}",
            f"{quality.auc:.3f}",
        )
    console.print(table)
