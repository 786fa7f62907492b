"""``homeroom experiment``: how many learners a trial needs, and what the one that always runs has shown."""

from typing import Annotated

import typer

from cli.options import StoreFolder

POWER, LEVEL = 0.8, 0.95
"""As in ``nudges.experiments``, whose modules take long to import; a test holds them equal."""

app = typer.Typer(
    help="How many learners a trial needs, and what nudges have been shown to do.", no_args_is_help=True
)


@app.command("size")
def size(
    base: Annotated[float, typer.Option(help="Share that does it without a nudge.")] = 0.44,
    effect: Annotated[float, typer.Option(help="Difference to be seen: .02 is two points.")] = 0.02,
    holdout: Annotated[float, typer.Option(help="Share of the learners held out.")] = 0.5,
    power: Annotated[float, typer.Option(help="How often it is to be seen if it is there.")] = POWER,
    level: Annotated[float, typer.Option(help="Of the intervals.")] = LEVEL,
) -> None:
    """How many learners it takes to see an effect, looking once, and looking as often as one likes."""
    from nudges.experiments.size import size_for_many_looks, size_for_one_look
    from output.screen import console
    from output.screen import table as table_of

    try:
        sizes = {
            "once, at the end": size_for_one_look(base, effect, holdout, level, power),
            "as often as one likes": size_for_many_looks(base, effect, holdout, level, power),
        }
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    table = table_of("looking", "nudged", "holdout", "together")
    for looking, arms in sizes.items():
        table.add_row(looking, f"{arms.nudged:,}", f"{arms.holdout:,}", f"{arms.total:,}")
    console.print(table)


@app.command("show")
def show(
    folder: StoreFolder = None,
    a_a: Annotated[
        bool, typer.Option("--a-a", help="Compare two halves of the nudged, which must not differ.")
    ] = False,
    at_the_end: Annotated[
        bool, typer.Option("--at-the-end", help="Intervals for one look at a trial that has ended.")
    ] = False,
) -> None:
    """What nudges did, against the holdout: intervals that stay valid however often one looks."""
    from cli.experiment_tables import show_effects
    from cli.stores import store_reader

    with store_reader(folder) as reader:
        show_effects(reader, a_a=a_a, at_the_end=at_the_end)


@app.command("instead")
def instead(
    campaign: Annotated[str, typer.Argument(help="A campaign's name.")],
    outcome: Annotated[str, typer.Option(help="One of the outcomes of `experiment show`.")] = "active_7",
    folder: StoreFolder = None,
) -> None:
    """What would have been if everybody had got one variant, or nobody a nudge; from what was logged.

    Not yet known where the log is worth fewer than 100 rows of it.
    """
    from cli.experiment_tables import show_off_policy_estimates
    from cli.stores import store_reader

    with store_reader(folder) as reader:
        any_known = show_off_policy_estimates(reader, campaign, outcome)
    if not any_known:
        raise typer.BadParameter(f"no outcome {outcome!r} of campaign {campaign!r} is known yet")
