"""``homeroom policy``: check a policy file, or try it on the past. Nothing is sent."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sources.simulator import SimulationPlan
from streams import experiment, policies, trial
from streams.settings import load
from streams.stores import store_reader

app = typer.Typer(help="Check a policy file, or try it on the past. Nothing is sent.", no_args_is_help=True)
console = Console()


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="A policy file, or a folder of them.")]) -> None:
    """Say what is wrong with a policy, each mistake with its line and column; or which version it is."""
    for policy in policies.read_all(file):
        since = f", in force from {policy.effective_from}" if policy.effective_from else ""
        names = ", ".join(campaign.name for campaign in policy.campaigns)
        console.print(f"{policy.version}: campaigns {names}{since}", highlight=False, soft_wrap=True)


@app.command("simulate")
def simulate(
    file: Annotated[Path, typer.Argument(help="A policy file.")],
    learners: Annotated[
        int | None, typer.Option(help="Of a simulated term, instead of the store's recorded past.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the simulated term.")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="An embedded store's folder, of a demo or replay.")
    ] = None,
) -> None:
    """Try a policy on the past: how many nudges, to whom, how many held back and why.

    From the store also what the nudges that were really sent did, against the holdout.
    """
    chosen, rules = policies.read(file), load(clock="replay").rules
    if learners is not None:
        plan = SimulationPlan.term(learners, seed=seed)
        trial.show(console, chosen, trial.on_simulation(chosen, rules, plan))
        return
    with store_reader(folder) as reader:
        trial.show(console, chosen, trial.on_store(chosen, reader, rules.timing.lateness))
        console.print("\nWhat the nudges of the recorded past did, under the policies that sent them:")
        experiment.show_effects(reader)
