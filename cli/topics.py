"""The topics on the broker: ``homeroom topics create`` and ``homeroom topics show``."""

import typer

app = typer.Typer(
    help="Create the topics, or show how they differ from what is wanted.", no_args_is_help=True
)


@app.command("create")
def topics_create() -> None:
    """Create the topics that are not there. Those that are stay untouched."""
    from output.screen import console
    from streams import topics
    from streams.settings import load

    settings = load()
    created = topics.create(settings.broker, settings.partitions, settings.replication, settings.prefix)
    console.print("\n".join(f"created {name}" for name in created) if created else "all there")


@app.command("show")
def topics_show() -> None:
    """Show every topic, and how it differs from what is wanted. Ends with 1 where that matters."""
    from output.screen import console
    from output.screen import table as table_of
    from streams import topics
    from streams.settings import load

    settings = load()
    table = table_of("topic", "partitions", "replicas", "remarks")
    states = topics.describe(settings.broker, settings.partitions, settings.replication, settings.prefix)
    for state in states:
        remarks = "; ".join([*state.faults, *state.remarks]) or "as wanted"
        table.add_row(state.name, str(state.partitions), str(state.replication), remarks)
    console.print(table)
    raise typer.Exit(int(any(state.faults for state in states)))
