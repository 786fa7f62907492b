"""``homeroom demo``: a simulated term through the real worker, on one machine."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Folder, Learners, Seed, simulated_term

SUGGESTED_QUERY = "SELECT course_run, level, count() FROM risk_now GROUP BY ALL ORDER BY ALL"


def demo(
    learners: Learners = 3000,
    seed: Seed = 1,
    folder: Folder = Path("data/demo"),
    serve: Annotated[
        bool,
        typer.Option(help="Stop the term in its 14th week and serve the instructors' page, until Ctrl-C."),
    ] = False,
) -> None:
    """A simulated term through the real worker, with an embedded broker and store: two minutes, no set-up."""
    from cli.replay_settings import replay_settings
    from local import summary
    from local.demo import stream_through, truncated_stream
    from local.rig import Rig, interruptible
    from output.folders import claim_cleared_folder
    from output.screen import console, styled
    from sinks.store import StoreReader
    from sources import simulator

    plan = simulated_term(learners, seed=seed, elapsed=0.68 if serve else 1.0)
    settings = replay_settings(nudges_delivered=False)
    if serve:
        from cli.demo_page import DEMO_POLICY, check_address, serve_demo

        if settings.policy is None:
            settings = settings.model_copy(update={"policy": DEMO_POLICY})
        check_address(settings)
    with claim_cleared_folder(folder, "demo"), interruptible(Rig(folder, settings)) as rig:
        console.print(
            styled(
                "bold", "homeroom", f": {learners:,} simulated learners, a term of 20 weeks, one worker. "
            ),
            "The past runs teach the model, the present ones are watched.",
        )
        progress = stream_through(rig, truncated_stream(plan), simulator.total(plan), console)
        if not serve:
            rig.stop_workers()
        with StoreReader(rig.store_address) as reader:
            summary.show(console, reader, progress, folder)
            qualities = summary.estimate_qualities(reader, plan, settings.identity, weeks=(4, 8, 12, 16))
            summary.show_qualities(console, qualities)
        if serve:
            serve_demo(rig.settings, plan, console)
            return
    console.print(
        styled(
            "bold",
            "\nNext:",
            " ask the data something, or replay real learners (the README says where from):",
        )
    )
    console.print(
        f"  .venv/bin/homeroom query --folder {folder} '{SUGGESTED_QUERY}'", soft_wrap=True, highlight=False
    )
    console.print("  .venv/bin/homeroom replay --oulad DIR", highlight=False)
