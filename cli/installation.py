"""How homeroom is set up here: ``homeroom settings``, and ``homeroom doctor``, which checks it."""

import typer
from rich.table import Column

from cli import doctor as doctors
from output.screen import console, styled
from output.screen import table as table_of
from streams.settings import load, masked


def doctor() -> None:
    """Check broker, topics, store and versions; one line each. Ends with 1 where something is wrong."""
    wrong = False
    for finding in doctors.examine(load()):
        wrong |= finding.wrong
        mark = ("red", "wrong") if finding.wrong else ("green", "ok   ")
        console.print(styled(*mark, f" {finding.what}: {finding.words}"), highlight=False, soft_wrap=True)
    raise typer.Exit(int(wrong))


def settings() -> None:
    """List every setting, what it is now, and what it does. Secrets are not shown."""
    from cli.wiring.notifier import load_notifier  # noqa: PLC0415 - imports the notifier's libraries

    lines = [
        (f"{part.model_config['env_prefix']}{name.upper()}", masked(part, name), field.description)
        for part in (load(), load_notifier())
        for name, field in type(part).model_fields.items()
    ]
    names = Column("setting", no_wrap=True, min_width=max(len(line[0]) for line in lines))  # to be copied
    table = table_of(names, "now", "what it does")
    for line in lines:
        table.add_row(*line)
    console.print(table)
