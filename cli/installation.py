"""The configuration of this installation: ``homeroom settings``, and ``homeroom doctor``, which checks it."""

import typer


def doctor() -> None:
    """Check broker, topics, store and versions; one line each. Ends with 1 where something is wrong."""
    from cli import doctor as doctors
    from output.screen import console, styled
    from streams.settings import load

    failed = False
    for finding in doctors.run_checks(load()):
        failed |= finding.is_error
        mark = ("red", "wrong") if finding.is_error else ("green", "ok   ")
        line = styled(*mark, f" {finding.subject}: {finding.message}")
        console.print(line, highlight=False, soft_wrap=True)
    raise typer.Exit(int(failed))


def settings() -> None:
    """List every setting, what it is now, and what it does. Secrets are not shown."""
    from rich.table import Column

    from cli.wiring.notifier import load_notifier
    from cli.wiring.relay import load_relay
    from output.screen import console
    from output.screen import table as table_of
    from streams.settings import load, masked

    lines = [
        (f"{part.model_config['env_prefix']}{name.upper()}", masked(part, name), field.description)
        for part in (load(), load_notifier(), load_relay())
        for name, field in type(part).model_fields.items()
    ]
    names = Column("setting", no_wrap=True, min_width=max(len(line[0]) for line in lines))  # to be copied
    table = table_of(names, "now", "what it does")
    for line in lines:
        table.add_row(*line)
    console.print(table)
