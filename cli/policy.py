"""``homeroom policy``: check a policy file, or try it on the past. Nothing is sent."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.options import MOST_LEARNERS, Seed, StoreFolder, simulated_term

Strength = Literal["none", "weak", "strong"]
"""As in ``evaluation.policies.recorded_past``, which takes long to import; a test holds them equal."""

app = typer.Typer(help="Check a policy file, or try it on the past. Nothing is sent.", no_args_is_help=True)


@app.command("check")
def check(file: Annotated[Path, typer.Argument(help="A policy file, or a folder of them.")]) -> None:
    """Check a policy: print each mistake with its line and column, or the policy's version."""
    from output.screen import console
    from streams import policy_files as policies

    for policy in policies.read_policies(file):
        since = f", in force from {policy.effective_from}" if policy.effective_from else ""
        names = ", ".join(campaign.name for campaign in policy.campaigns)
        console.print(f"{policy.version}: campaigns {names}{since}", highlight=False, soft_wrap=True)


@app.command("simulate")
def simulate(
    file: Annotated[Path, typer.Argument(help="A policy file.")],
    learners: Annotated[
        int | None,
        typer.Option(
            min=2, max=MOST_LEARNERS, help="Of a simulated term, instead of the store's recorded past."
        ),
    ] = None,
    seed: Seed = 1,
    responding: Annotated[
        Strength, typer.Option(help="How strongly the simulated learners respond to nudges.")
    ] = "weak",
    approving: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of proposals that a simulated instructor approves.")
    ] = 1.0,
    folder: StoreFolder = None,
) -> None:
    """Try a policy on the past: how many nudges, to whom, how many held back and why, and to what effect.

    From the store: what its outcomes would have been under the policy, as far as the recorded draws can tell,
    and what the nudges that were really sent did, against the holdout. Of a simulated term: what the policy
    would be seen to do there, and what it really does.
    """
    from cli.experiment_tables import show_effects
    from cli.stores import store_reader
    from evaluation.policies import off_policy
    from evaluation.policies import recorded_past as recorded
    from output.screen import console
    from streams import policy_files as policies
    from streams.settings import load

    policy, rules = policies.read_policy(file), load(clock="replay").rules
    if learners is not None:
        from evaluation.policies import simulated_term as simulated

        plan = simulated_term(learners, seed=seed)
        with console.status("living the term three times: under the policy, with all nudged, with nobody"):
            term = simulated.simulate_term(policy, rules, plan, responding, approving)
        recorded.show(console, policy, term.trial)
        simulated.show(console, term)
        return
    with store_reader(folder) as reader:
        trial = recorded.replay_store(policy, reader, rules.timing.lateness)
        recorded.show(console, policy, trial)
        off_policy.show(console, off_policy.estimate_outcomes(policy, trial, reader))
        console.print("\nWhat the nudges of the recorded past did, under the policies that sent them:")
        show_effects(reader)
