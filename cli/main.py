"""The command line: registers every command under its name, and prints expected errors in one line.

The commands are in the modules beside this one, by subject, and call the packages that do the work. A module
of commands imports Typer and its options alone; each command imports in its body what it needs, so that
``--help`` and shell completion load neither NumPy nor the drivers of broker and store. A test holds to that.
"""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from cli import (
    console,
    demo,
    evaluation,
    event_check,
    experiment,
    ingest,
    installation,
    policy,
    sources,
    store,
    topics,
    worker,
)
from cli.release import release
from schemas.errors import HomeroomError
from schemas.extras import explain_missing_extras

app = typer.Typer(
    help="homeroom tells two to three weeks ahead who is about to drop out of an online course, why, and "
    "what to do about it. Start with `homeroom demo`. Settings come from HOMEROOM_* in the environment or "
    "from a file; `homeroom settings` lists them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


COMMANDS: dict[str, Callable[..., None]] = {
    "worker": worker.worker,
    "notifier": worker.notifier,
    "relay": worker.relay,
    "ingest": ingest.ingest,
    "publish": ingest.publish,
    "formats": ingest.formats,
    "simulate": sources.simulate,
    "replay": sources.replay,
    "check-events": event_check.check_events,
    "demo": demo.demo,
    "console": console.serve_console,
    "report": console.report,
    "console-key": console.console_key,
    "query": store.query,
    "why": store.why,
    "doctor": installation.doctor,
    "migrate": store.migrate,
    "settings": installation.settings,
    "evaluate": evaluation.evaluate,
    "fairness": evaluation.fairness,
    "new-course": evaluation.new_course,
    "causality": evaluation.causality,
}
"""In the order in which the help lists them."""

for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(topics.app, name="topics")
app.add_typer(experiment.app, name="experiment")
app.add_typer(policy.app, name="policy")


def _print_version(requested: bool) -> None:
    if requested:
        print(f"homeroom {release()}")
        raise typer.Exit


@app.callback()
def _common_options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the release."),
    ] = False,
) -> None:
    """The options of ``homeroom`` itself."""


def main(run: Callable[[], Any] = app) -> None:
    """The console script: prints expected errors in one line, and an interruption without a traceback."""
    started = datetime.now(UTC)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal's encoding may lack characters of the output
            stream.reconfigure(errors="backslashreplace")
    try:
        with explain_missing_extras():
            run()
    except HomeroomError as error:
        print(f"homeroom: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:  # such as a full disk, or a file that may not be read
        file = f"{error.filename}: " if error.filename else ""
        print(f"homeroom: {file}{error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        elapsed_s = (datetime.now(UTC) - started).total_seconds()
        print(f"homeroom: interrupted after {elapsed_s:.0f} s", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
