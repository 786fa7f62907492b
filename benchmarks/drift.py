"""Shifts the simulated world and says when drift was told: ``python -m benchmarks.drift``.

Two courses are given again and again, a run after the other. From one run on either everybody behaves in
another way, or outcomes go with other behaviour; or nothing changes. Printed are the days from the first
shifted run's start to each thing that was told, and whatever was told of the runs before: false alarms.
"""

import argparse
from collections import Counter
from dataclasses import replace

from evaluation.backtest import Backtest
from schemas.learning import DayPackage, ModelEvent
from sources.simulation.plan import Shift
from sources.simulator import Run, SimulationPlan, stream
from streams.identity import Identity
from streams.intake import Timing
from streams.processor import PartitionProcessor, Rules

START = 20_000
WEEKS = 8
APART = 7 * WEEKS + 7
"""Days between the starts of a course's runs: each has ended when the next one begins."""


def plan(runs: int, learners: int, seed: int) -> SimulationPlan:
    """Two courses, half a run apart."""
    every = [
        Run(course, f"run-{number:02}", START + number * APART + later, WEEKS, learners)
        for number in range(runs)
        for course, later in (("a", 0), ("b", APART // 2))
    ]
    return SimulationPlan(tuple(every), seed)


def told(of: SimulationPlan) -> tuple[list[ModelEvent], dict[str, float]]:
    """Every model event of a plan's pass, and the last package's figures."""
    events: list[ModelEvent] = []
    figures: dict[str, float] = {}

    def watch(_day: int, _processors: list[PartitionProcessor], package: DayPackage) -> None:
        events.extend(package.events)
        figures.update(package.metrics)

    Backtest(Rules(Timing(clock="replay")), Identity(b"drift"), watch=watch).run(stream(of))
    return events, figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10, help="of each course")
    parser.add_argument("--shifted", type=int, default=6, help="the first run that is shifted, from 0")
    parser.add_argument("--learners", type=int, default=300, help="of each run")
    parser.add_argument("--seeds", type=int, default=2)
    chosen = parser.parse_args()
    print(f"{'shift':10} {'seed':>4}  {'before (false)':45} {'days after the first shifted run began'}")
    shifts: tuple[Shift | None, ...] = (None, "behaviour", "outcomes")
    for shift in shifts:
        for seed in range(1, chosen.seeds + 1):
            well = plan(chosen.runs, chosen.learners, seed)
            on = START + chosen.shifted * APART
            events, figures = told(replace(well, shift=shift, shifts_on=on))
            false = Counter(event.what for event in events if shift is None or event.day < on)
            after: dict[str, int] = {}
            for event in events:
                if shift is not None and event.day >= on:
                    after.setdefault(f"{event.what} {event.of.split('-')[0]}", event.day - on)
            before = ", ".join(f"{what} {count}" for what, count in sorted(false.items())) or "nothing"
            later = ", ".join(f"{what} +{days}" for what, days in after.items()) or "–"
            print(f"{shift or 'none':10} {seed:4}  {before:45} {later}", flush=True)
            gain, evidence = figures["challenger_gain"], figures["challenger_evidence"]
            contest = (
                f"gain {gain:+.4f} nats, evidence 10^{evidence:.1f}, {figures['promotions']:.0f} promotions"
            )
            print(f"{'':16}  challenger: {contest}")


if __name__ == "__main__":
    main()
