"""Options that several commands share, with their ranges."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sources.simulator import SimulationPlan

MOST_SPEED = 1e9
"""Event seconds a second: a term in an instant."""

MOST_LEARNERS, MOST_COURSES, MOST_WEEKS, MOST_SEED = 1_000_000, 1_000, 104, 2**32 - 1
"""Limits of a simulated term, of which a day of each run is held in memory."""

MarksAfter = Annotated[
    int,
    typer.Option(
        min=0, max=60, help="Days until tutors' marks of OULAD are known; 0: on the day of the hand-in."
    ),
]
Learners = Annotated[int, typer.Option(min=2, max=MOST_LEARNERS, help="Learners in all runs together.")]
Courses = Annotated[
    int, typer.Option(min=1, max=MOST_COURSES, help="Courses, each with a past and a present run.")
]
Weeks = Annotated[int, typer.Option(max=MOST_WEEKS, help="Length of a run.")]
Seed = Annotated[int, typer.Option(min=0, max=MOST_SEED, help="The same seed gives the same term.")]
Folder = Annotated[
    Path, typer.Option(help="Where data and logs go: absent, empty, or of an earlier run of the command.")
]
StoreFolder = Annotated[Path | None, typer.Option(help="An embedded store's folder, of a demo or replay.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there already.")]


def simulated_term(learners: int, **more: Any) -> "SimulationPlan":
    """The plan of a simulated term; ``more`` are further arguments of ``SimulationPlan.term``.

    Raises:
        typer.BadParameter: there is no term with these sizes.
    """
    from sources.simulator import SimulationPlan

    try:
        return SimulationPlan.term(learners, **more)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
