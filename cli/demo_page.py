"""The instructors' page over a finished demo, with a key and names made for it."""

from pathlib import Path

from rich.console import Console

import nudges
from cli.wiring.console import Place, serve
from console.access import make_key
from local.demo_names import simulated_names
from output.screen import styled
from sources.simulator import SimulationPlan, truth
from streams.settings import Settings

DEMO_POLICY = Path(nudges.__file__).parent / "demo-policy.yaml"
"""What decides where the page is served: there is something to approve."""


def check_place(settings: Settings) -> None:
    """Raises ``SettingsError`` where the page could not be served: before the term is run, not after it."""
    Place(settings.console_host, settings.console_port).check()


def serve_demo(settings: Settings, plan: SimulationPlan, console: Console) -> None:
    """Serve the instructors' page over a finished run, with a key made for it, until Ctrl-C."""
    shown, key = make_key("Demo instructor", "instructor", sorted({run.course for run in plan.runs}))
    place = Place(settings.console_host, settings.console_port)
    console.print(styled("bold", "\nThe instructors' page:", f" {place.url}"), highlight=False)
    console.print(f"  sign in with the key {shown}", highlight=False, soft_wrap=True)
    asking = f"curl -H 'Authorization: Bearer {shown}' {place.url}/api/v1/risks"
    console.print(f"  or ask the API: {asking}", highlight=False, soft_wrap=True)
    console.print("  Ctrl-C ends it.")
    serve(settings, [key], place, simulated_names(truth(plan).learner))
