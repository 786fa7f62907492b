"""``homeroom evaluate``: one pass over OULAD, the table of its estimates, and what they are worth."""

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
from evaluation.snapshots import Collector
from output import files
from sources.oulad import OuladFolder, start_day


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made of the estimates besides their table: an HTML report, its numbers as JSON, baselines."""

    report: Path | None = None
    figures: Path | None = None
    baselines: bool = False
    force: bool = False
    """Whether files that are there already may be replaced."""
    marks_after: int = 0
    """Days until tutors' marks are known; 0: they come with the hand-in."""


def evaluate(
    oulad: Path,
    test: Sequence[str],
    out: Path,
    rules: Rules,
    console: Console,
    wanted: Wanted = Wanted(),
) -> None:
    """Stream every presentation of a folder in time order, and write the estimates of those in ``test``.

    test: presentation codes such as 2014B. Raises ``EvaluationError`` for a code that the folder lacks, for
    an ``out`` that is neither parquet nor CSV, and for baselines without their libraries, and ``OutputError``
    for a file that must not be written, before anything is streamed.
    """
    folder = OuladFolder(oulad, wanted.marks_after)
    _check(folder, test, out, wanted)
    codes, collector = frozenset(test), Collector()
    watch = collector.watch if wanted.baselines else None
    table, streamed = estimate(folder, codes, rules, console, watch=watch)
    write(table, out, force=wanted.force)
    alerts = sum(table["alert"].to_pylist())
    console.print(
        f"{streamed.events:,} events in {streamed.seconds:.0f} s "
        f"({streamed.events / streamed.seconds:,.0f}/s); "
        f"{table.num_rows:,} estimates and {alerts:,} alerts of {', '.join(sorted(test))} in {out}"
    )
    if not (wanted.report or wanted.figures or wanted.baselines):
        return
    outcomes = read_outcomes(oulad, sorted(codes))
    others = {}
    if wanted.baselines:
        earlier = read_outcomes(oulad, _earlier(folder, test))
        for name, theirs in baselines.estimates(collector.snapshots(), earlier, outcomes):
            others[name] = figures(theirs, outcomes)
    _tell(figures(table, outcomes), others, sorted(codes), wanted, console)


def _check(folder: OuladFolder, test: Sequence[str], out: Path, wanted: Wanted) -> None:
    files.check(out, wanted.report, wanted.figures, force=wanted.force)
    try:
        check_name(out)
        if wanted.baselines:
            baselines.check()
    except (ValueError, ImportError) as error:
        raise EvaluationError(str(error)) from None
    codes = {one.code for one in folder.presentations}
    for code in test:
        if code not in codes:
            raise EvaluationError(
                f"test: {code!r} is not in the folder; expected some of {', '.join(sorted(codes))}"
            )
    if wanted.baselines and not _earlier(folder, test):
        raise EvaluationError("baselines: no presentation of the folder began before those tested")


def _earlier(folder: OuladFolder, test: Sequence[str]) -> list[str]:
    """Codes of the presentations that began before those tested."""
    first = min(start_day(code) for code in test)
    return sorted({one.code for one in folder.presentations if start_day(one.code) < first})


def _tell(
    ours: Figures, others: dict[str, Figures], codes: Sequence[str], wanted: Wanted, console: Console
) -> None:
    for name, one in {report.OURS: ours, **others}.items():
        console.print(
            f"{name}: AUC weekly {one.auc_weekly:.3f}, active {one.auc_weekly_active:.3f}, ECE {one.ece:.3f}"
        )
    shown = report.page(ours, others, codes) if wanted.report else None
    found = {"presentations": codes, "homeroom": ours, "baselines": others}
    save(found, shown, wanted.report, wanted.figures, force=wanted.force)
    for path in (wanted.figures, wanted.report):
        if path is not None:
            console.print(f"written: {path}")
