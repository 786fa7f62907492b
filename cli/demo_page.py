"""The instructors' page after the demo's term, with an API key and learners' names generated for it."""

from pathlib import Path

from rich.console import Console

import nudges
from cli.wiring.console import ListenAddress, serve
from console.access import make_key
from local.demo_names import simulated_names
from output.screen import styled
from sources.simulator import SimulationPlan, truth
from streams.settings import Settings

DEMO_POLICY = Path(nudges.__file__).parent / "demo-policy.yaml"
"""The policy where the page is served: its nudges are proposed to an instructor for approval."""


def check_address(settings: Settings) -> None:
    """Check, before the term is run, that the page can be served afterwards.

    Raises:
        SettingsError: the address of the settings cannot be listened on.
    """
    ListenAddress(settings.console_host, settings.console_port).check()


def serve_demo(settings: Settings, plan: SimulationPlan, console: Console) -> None:
    """Serve the instructors' page of a finished run with a new API key, until Ctrl-C."""
    secret, api_key = make_key("Demo instructor", "instructor", sorted({run.course for run in plan.runs}))
    address = ListenAddress(settings.console_host, settings.console_port)
    console.print(styled("bold", "\nThe instructors' page:", f" {address.url}"), highlight=False)
    console.print(f"  sign in with the key {secret}", highlight=False, soft_wrap=True)
    request = f"curl -H 'Authorization: Bearer {secret}' {address.url}/api/v1/risks"
    console.print(f"  or ask the API: {request}", highlight=False, soft_wrap=True)
    console.print("  Ctrl-C ends it.")
    serve(settings, [api_key], address, simulated_names(truth(plan).learner))
