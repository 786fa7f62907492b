"""What estimates are worth on recorded learners: evaluate, fairness, new-course and causality."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Force, MarksAfter


def evaluate(
    oulad: Annotated[Path, typer.Option(help="Folder of the OULAD tables, with any set of presentations.")],
    test: Annotated[
        list[str], typer.Option(help="Codes of the presentations to write estimates of, such as 2014B.")
    ],
    out: Annotated[Path, typer.Option(help="The table: .parquet or .csv.")],
    report: Annotated[
        Path | None, typer.Option(help="Write what the estimates are worth here, as one HTML file.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--json", help="Write the report's figures here, as JSON.")
    ] = None,
    force: Force = False,
    marks_after: MarksAfter = 0,
    baselines: Annotated[
        bool, typer.Option(help="Compare with other methods on the same features; a few minutes more.")
    ] = False,
) -> None:
    """One pass over OULAD in time order, test then train; writes a table of estimates and alerts."""
    from evaluation import command
    from output.screen import console
    from streams.settings import load

    outputs = command.OutputOptions(report, figures, baselines, force, marks_after)
    command.evaluate(oulad, test, out, load(clock="replay").rules, console, outputs)


def fairness(
    oulad: Annotated[Path, typer.Option(help="Folder of the OULAD tables, with studentInfo as published.")],
    estimates: Annotated[Path, typer.Option(help="A table that `homeroom evaluate` wrote.")],
    report: Annotated[Path | None, typer.Option(help="Write the audit here, as one HTML file.")] = None,
    figures: Annotated[Path | None, typer.Option("--json", help="Write the audit here, as JSON.")] = None,
    force: Force = False,
) -> None:
    """Audit estimates by gender, age, disability, region and deprivation, none of which any estimate uses."""
    from evaluation import fairness as audits
    from evaluation import fairness_report
    from evaluation.saving import save
    from output import files
    from output.screen import console

    files.check_writable(report, figures, force=force)
    audit = audits.audit(oulad, estimates)
    audits.show(audit, console)
    save(audit, fairness_report.page(audit) if report else None, report, figures, force=force)


def new_course(
    oulad: Annotated[Path, typer.Option(help="Folder of the OULAD tables, with any set of presentations.")],
    report: Annotated[Path | None, typer.Option(help="Write the comparison here, as one HTML file.")] = None,
    figures: Annotated[Path | None, typer.Option("--json", help="Write the figures here, as JSON.")] = None,
    force: Force = False,
) -> None:
    """Leave one module out, each in turn: what the model is worth in a course that it has never seen."""
    from evaluation import new_course as new_courses
    from evaluation import new_course_report
    from evaluation.saving import save
    from output import files
    from output.screen import console
    from streams.settings import load

    files.check_writable(report, figures, force=force)
    comparisons = new_courses.compare(oulad, load(clock="replay").rules, console)
    new_courses.show(comparisons, console)
    save(comparisons, new_course_report.page(comparisons) if report else None, report, figures, force=force)


def causality(
    oulad: Annotated[Path, typer.Option(help="Folder of the OULAD tables, with any set of presentations.")],
    test: Annotated[str, typer.Option(help="The presentation code whose days are meant, such as 2014B.")],
    day: Annotated[list[int], typer.Option(help="Cut the data off at the start of this day of the run.")],
    figures: Annotated[
        Path | None, typer.Option("--json", help="Write what was found here, as JSON.")
    ] = None,
    force: Force = False,
) -> None:
    """Cut the data off at a day: estimates and alerts up to it must not change by a bit."""
    from evaluation.causality import check
    from evaluation.saving import save
    from output import files
    from output.screen import console
    from streams.settings import load

    files.check_writable(figures, force=force)
    differences = check(oulad, test, day, load(clock="replay").rules, console)
    save(differences, None, None, figures, force=force)
