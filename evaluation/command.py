"""``homeroom evaluate``: one pass over OULAD, the table of its estimates, and their figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from engine.rules import Rules
from evaluation import baselines, report
from evaluation.errors import EvaluationError
from evaluation.estimates import check_name, write
from evaluation.figures import Figures, figures
from evaluation.one_pass import estimate
from evaluation.outcomes import read_outcomes
from evaluation.saving import save
from evaluation.snapshots import SnapshotCollector
from output import files
from sources.oulad import OuladFolder, start_day


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Outputs besides the table of estimates: an HTML report, its figures as JSON, baselines."""

    report: Path | None = None
    figures: Path | None = None
    baselines: bool = False
    force: bool = False
    """Whether existing files may be replaced."""
    marks_after: int = 0
    """Days until tutors' marks are known; 0: they come with the hand-in."""


def evaluate(
    oulad: Path,
    test: Sequence[str],
    out: Path,
    rules: Rules,
    console: Console,
    options: OutputOptions = OutputOptions(),
) -> None:
    """Stream every presentation of a folder in time order, and write the estimates of those in ``test``.

    test: presentation codes such as 2014B. All errors are raised before anything is streamed.

    Raises:
        EvaluationError: for a code that the folder lacks, an ``out`` that is neither parquet nor CSV, and
            baselines without their libraries.
        OutputError: for a file that must not be written.
    """
    folder = OuladFolder(oulad, options.marks_after)
    _check(folder, test, out, options)
    codes, collector = frozenset(test), SnapshotCollector()
    on_day = collector.on_day if options.baselines else None
    table, statistics = estimate(folder, codes, rules, console, on_day=on_day)
    write(table, out, force=options.force)
    alerts = sum(table["alert"].to_pylist())
    console.print(
        f"{statistics.events:,} events in {statistics.seconds:.0f} s "
        f"({statistics.events / statistics.seconds:,.0f}/s); "
        f"{table.num_rows:,} estimates and {alerts:,} alerts of {', '.join(sorted(test))} in {out}"
    )
    if not (options.report or options.figures or options.baselines):
        return
    outcomes = read_outcomes(oulad, sorted(codes))
    baseline_figures = {}
    if options.baselines:
        earlier = read_outcomes(oulad, _earlier(folder, test))
        for name, baseline_table in baselines.estimates(collector.snapshots(), earlier, outcomes):
            baseline_figures[name] = figures(baseline_table, outcomes)
    _report(figures(table, outcomes), baseline_figures, sorted(codes), options, console)


def _check(folder: OuladFolder, test: Sequence[str], out: Path, options: OutputOptions) -> None:
    files.check_writable(out, options.report, options.figures, force=options.force)
    try:
        check_name(out)
        if options.baselines:
            baselines.check()
    except (ValueError, ImportError) as error:
        raise EvaluationError(str(error)) from None
    codes = {presentation.code for presentation in folder.presentations}
    for code in test:
        if code not in codes:
            raise EvaluationError(
                f"test: {code!r} is not in the folder; expected some of {', '.join(sorted(codes))}"
            )
    if options.baselines and not _earlier(folder, test):
        raise EvaluationError("baselines: no presentation of the folder began before those tested")


def _earlier(folder: OuladFolder, test: Sequence[str]) -> list[str]:
    """Codes of the presentations that began before those tested."""
    first = min(start_day(code) for code in test)
    return sorted(
        {presentation.code for presentation in folder.presentations if start_day(presentation.code) < first}
    )


def _report(
    ours: Figures,
    baseline_figures: dict[str, Figures],
    codes: Sequence[str],
    options: OutputOptions,
    console: Console,
) -> None:
    for name, method in {report.OURS: ours, **baseline_figures}.items():
        console.print(
            f"{name}: AUC weekly {method.auc_weekly:.3f}, active {method.auc_weekly_active:.3f}, "
            f"ECE {method.ece:.3f}"
        )
    shown = report.page(ours, baseline_figures, codes) if options.report else None
    results = {"presentations": codes, "homeroom": ours, "baselines": baseline_figures}
    save(results, shown, options.report, options.figures, force=options.force)
    for path in (options.figures, options.report):
        if path is not None:
            console.print(f"written: {path}")
