"""``homeroom check-events``: what a worker would say of a sample of records, before any is sent."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.options import Force

Clock = Literal["live", "replay"]
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", help="Files, .gz too, or folders of them, read as one log; - for stdin."
    ),
]

UNREADABLE = 1
"""The exit code where more records were refused than ``--max-refused`` allows."""


def check_events(
    paths: Files,
    event_format: Annotated[
        str, typer.Option("--format", help="Of the files: native (JSON lines of the contract).")
    ] = "native",
    clock: Annotated[
        Clock | None,
        typer.Option(
            help="Hold event times against the records' timestamps, else now (live), or the ticks in the "
            "files (replay). Where not given: replay if the first records hold a tick."
        ),
    ] = None,
    max_refused: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Largest share of refused records that ends with 0.")
    ] = 0.01,
    figures: Annotated[
        Path | None,
        typer.Option("--json", help="Write the report here as JSON; - for stdout."),
    ] = None,
    force: Force = False,
) -> None:
    """Say what a worker would make of a sample of records, and what estimates will lack. Sends nothing.

    Reads each record by a worker's own rules and settings: applied, dropped as a repeat, or refused and why.
    Then what is missing, and what the estimates will not know for it: calendars, hand-ins, grades, results.
    Then what is worth a look: learners who seem to be staff or machines, clocks that are off, events that
    come late or twice. docs/publishing.md says what to send.

    A line is a message, whose key is taken to be its learner; or it is a whole record, {"key": …,
    "timestamp": …, "value": …}, with its own key and its time in epoch milliseconds.

    Ends with 0 if the sample is readable, with 1 if a larger share than --max-refused was refused, with 2 if
    it cannot be checked.
    """
    from datetime import UTC, datetime

    from cli.ingest import source_list
    from evaluation.event_check import command, report
    from evaluation.event_check.findings import findings
    from output import files
    from output.screen import console
    from sources.formats import format_named
    from streams.settings import load

    to_stdout = str(figures) == "-"
    files.check_writable(None if to_stdout else figures, force=force)
    now = int(datetime.now(UTC).timestamp())
    settings = load()
    chosen = format_named(event_format, source_list(settings).options(event_format))
    counts = command.check(paths, chosen, settings.rules, clock, now)
    found = findings(counts)
    if not to_stdout:
        report.show(counts, found, console)
    if figures is not None:
        _write_figures(report.to_json(counts, found), figures, to_stdout, force)
    if counts.refused_share > max_refused:
        refused = f"{counts.refused:,} of {counts.records:,} records are refused"
        print(f"homeroom: {refused}, a larger share than --max-refused {max_refused:g}", file=sys.stderr)
        raise typer.Exit(UNREADABLE)


def _write_figures(figures: dict[str, Any], path: Path, to_stdout: bool, force: bool) -> None:
    import json

    from output import files

    text = json.dumps(figures, indent=2) + "\n"
    if to_stdout:
        sys.stdout.write(text)
    else:
        files.write_output(path, text, force=force)
