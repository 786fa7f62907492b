"""What the store holds: ``homeroom query``, ``homeroom why``, and ``homeroom migrate`` for its tables."""

import math
from typing import Annotated

import typer

from cli.options import StoreFolder

MOST_WAIT_S = 3600


def query(
    sql: Annotated[
        str, typer.Argument(help="One SELECT; `SHOW TABLES` lists what there is. `FORMAT CSV` is honoured.")
    ],
    folder: StoreFolder = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of a table.")] = False,
) -> None:
    """Query the store, which refuses statements that change anything."""
    from cli.result_formats import format_of
    from cli.stores import store_reader
    from output.screen import console
    from output.screen import table as table_of

    write_lines = format_of(sql, as_json=as_json)
    with store_reader(folder) as reader:
        result = reader.query(sql)
    if write_lines is not None:
        for line in write_lines(result):
            print(line)
        return
    table = table_of(*result.columns)
    for row in result.rows:
        table.add_row(*(str(value) for value in row))
    console.print(table)


def why(
    learner: Annotated[str, typer.Argument(help="The learner's id, or the pseudonym that boards show.")],
    folder: StoreFolder = None,
) -> None:
    """A learner's whole history: risk changes, decisions with their reasons, nudges, what became of them."""
    from cli import learner_history as history
    from cli.replay_settings import replay_settings
    from cli.stores import store_reader
    from output.screen import console
    from streams.settings import SettingsError, load

    identity = (load() if folder is None else replay_settings()).identity
    with store_reader(folder) as reader:
        for pseudonym in dict.fromkeys((identity.learner(learner), learner)):
            entries = history.history_of(reader, pseudonym)
            if entries:
                history.show(console, pseudonym, entries)
                return
    raise SettingsError(f"{learner!r}: the store knows no such learner (under this HOMEROOM_PSEUDONYM_KEY)")


def migrate(
    target: Annotated[int | None, typer.Option(help="Migrate to this number; 0 reverts all.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Revert migrations, with the data in their tables.")
    ] = False,
    wait: Annotated[
        float,
        typer.Option(min=0, max=MOST_WAIT_S, help="Seconds to wait for a store that does not serve yet."),
    ] = 60.0,
) -> None:
    """Create or update the store's tables."""
    from output.screen import console
    from sinks.migrate import migrate as run_migrations
    from sinks.store import wait_until_up
    from streams.settings import SettingsError, load

    address = load().store_address
    if address is None:
        raise SettingsError("HOMEROOM_STORE is empty: there is no store to migrate")
    if math.isnan(wait):  # passes the option's bounds
        raise typer.BadParameter(f"--wait is {wait}; expected seconds from 0 to {MOST_WAIT_S}")
    wait_until_up(address, wait)
    applied = run_migrations(address, target, backwards=force)
    console.print("\n".join(str(migration) for migration in applied) if applied else "up to date")
