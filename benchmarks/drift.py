"""Shifts the simulated world and says when drift was told: ``python -m benchmarks.drift``.

Two courses are given again and again, a run after the other. From one run on either everybody behaves in
another way, or outcomes go with other behaviour; or nothing changes. Each of these worlds is made from
several seeds, and the table says, over all of them,

- *inputs*, *loss*: of how many courses that shifted it was told, and after how many days (median, most): of
  inputs from the start of the course's first shifted run, of the loss from the end of it, as no outcome is
  known before;
- *false*: alarms of the kind that nothing had caused, in all and for a course and month: those before the
  shift, and all of the world in which nothing shifts;
- *promoted*: worlds in which the challenger took over, rightly (after the shift) and wrongly.

With ``--oulad DIR`` all of it is also told of the real data, where nobody knows what shifted.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from evaluation.backtest import Backtest
from online_models.drift import course_of
from schemas.learning import DayPackage, ModelEvent
from sources.oulad import OuladFolder
from sources.simulation.plan import Shift
from sources.simulator import Run, SimulationPlan, stream
from sources.stream import DAY, Published
from streams.identity import Identity
from streams.intake import Timing
from streams.processor import PartitionProcessor
from streams.rules import Rules

START = 20_000
WEEKS = 8
APART = 7 * WEEKS + 7
"""Days between the starts of a course's runs: each has ended when the next one begins."""

MONTH = 30.4
INPUTS = ("inputs_shifted",)
LOSS = ("loss_rose", "loss_fell")


def plan(runs: int, learners: int, seed: int) -> SimulationPlan:
    """Two courses, half a run apart."""
    every = [
        Run(course, f"run-{number:02}", START + number * APART + later, WEEKS, learners)
        for number in range(runs)
        for course, later in (("a", 0), ("b", APART // 2))
    ]
    return SimulationPlan(tuple(every), seed)


@dataclass
class Heard:
    """A pass: every model event, the last package's figures, and how many days each course was on."""

    events: list[ModelEvent] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    course_days: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, messages: Iterable[Published]) -> "Heard":
        found = cls()
        Backtest(Rules(Timing(clock="replay")), Identity(b"drift"), watch=found.watch).run(messages)
        return found

    def watch(self, _day: int, _processors: list[PartitionProcessor], package: DayPackage) -> None:
        self.events += package.events
        self.figures = package.metrics
        self.course_days.update({course_of(run) for run in package.cohorts})

    def first(self, kinds: Sequence[str], course: str, since: int) -> int | None:
        """The first day from ``since`` on at which something of these kinds was told of a course."""
        days = [one.day for one in self.events if one.what in kinds and course_of(one.of) == course]
        return min((day for day in days if day >= since), default=None)

    def promotions(self) -> list[int]:
        """Their days."""
        return [event.day for event in self.events if event.what == "challenger_promoted"]


@dataclass
class World:
    """What was heard of one kind of world, seed by seed."""

    shift: Shift | None
    plan: SimulationPlan
    heard: list[Heard] = field(default_factory=list)

    def started(self, course: str) -> int:
        """The first day of the course's first shifted run; after everything where nothing shifts."""
        starts = [run.starts_on for run in self.plan.runs if run.course == course and self.plan.shift_of(run)]
        return min(starts, default=10**6)

    @property
    def courses(self) -> list[str]:
        return sorted({run.course for run in self.plan.runs})

    def told(self, kinds: Sequence[str], later: int) -> str:
        """Courses told of, and the median and most days, from ``later`` days after their start on."""
        if self.shift is None:
            return "–"
        found = [
            day - self.started(course) - later
            for heard in self.heard
            for course in self.courses
            if (day := heard.first(kinds, course, self.started(course))) is not None
        ]
        of = f"{len(found)}/{len(self.heard) * len(self.courses)}"
        return f"{of}, {median(found):.0f} ({max(found)})" if found else of

    def false(self, kinds: Sequence[str]) -> int:
        """Alarms before anything shifted."""
        return sum(
            event.what in kinds and event.day < self.started(course_of(event.of))
            for heard in self.heard
            for event in heard.events
        )

    def well_months(self) -> float:
        """Months of courses in which nothing had shifted."""
        first = min(run.starts_on for run in self.plan.runs)
        last = max(run.starts_on + run.days for run in self.plan.runs)
        days = [min(self.started(course), last) - first for course in self.courses]
        return len(self.heard) * sum(days) / MONTH

    def promoted(self) -> tuple[int, int]:
        """Worlds in which the challenger took over rightly, and wrongly."""
        shifted = min(self.started(course) for course in self.courses)
        days = [heard.promotions() for heard in self.heard]
        rightly = sum(any(day >= shifted for day in each) for each in days)
        return rightly, sum(any(day < shifted for day in each) for each in days)


def simulated(seeds: int, runs: int, learners: int, shifted: int) -> None:
    """Print each pass, then the table."""
    worlds = []
    shifts: tuple[Shift | None, ...] = (None, "behaviour", "outcomes")
    for shift in shifts:
        plans = [
            replace(plan(runs, learners, seed), shift=shift, shifts_on=START + shifted * APART)
            for seed in range(1, seeds + 1)
        ]
        world = World(shift, plans[0])
        worlds.append(world)
        for of in plans:
            world.heard.append(Heard.of(stream(of)))
            print(f"{shift or 'none':10} seed {of.seed}: {_contest(world.heard[-1].figures)}", flush=True)
    print(
        f"\n{'shift':10} {'inputs':>18} {'loss':>18} {'promoted':>22} {'false inputs':>14} {'false loss':>12}"
    )
    for world in worlds:
        rightly, wrongly = world.promoted()
        false = [
            f"{world.false(kinds)} ({world.false(kinds) / world.well_months():.3f})"
            for kinds in (INPUTS, LOSS)
        ]
        promoted = f"{rightly}/{seeds}, {wrongly} wrongly" if world.shift else f"{wrongly} wrongly"
        print(
            f"{world.shift or 'none':10} {world.told(INPUTS, 0):>18} {world.told(LOSS, 7 * WEEKS):>18}"
            f" {promoted:>22} {false[0]:>14} {false[1]:>12}"
        )
    print("told: of how many courses, days (median, most); false: in all (for a course and month)")
    print("promoted after, days from the first shifted run's start:", _promoted_after(worlds))


def _promoted_after(worlds: Iterable[World]) -> str:
    days = {
        world.shift: [
            min(day for day in heard.promotions() if day >= world.started("a")) - world.started("a")
            for heard in world.heard
            if any(day >= world.started("a") for day in heard.promotions())
        ]
        for world in worlds
        if world.shift
    }
    return "; ".join(
        f"{shift} {median(each):.0f} ({max(each)})" if each else f"{shift} never"
        for shift, each in days.items()
    )


def _contest(figures: dict[str, float]) -> str:
    gain, evidence = figures["challenger_gain"], figures["challenger_evidence"]
    told = f"challenger's gain {gain:+.4f} nats, evidence 10^{evidence:.1f}"
    return f"{told}, {figures['promotions']:.0f} promotions"


def real(folder: Path) -> None:
    """Print what is told of OULAD, event by event, and how often."""
    heard = Heard.of(OuladFolder(folder).stream())
    for event in heard.events:
        date = datetime.fromtimestamp(event.day * DAY, UTC).date()
        print(f"{date}  {event.what:20} {event.of:28} {event.value:+.4f}")
    months = heard.course_days.total() / MONTH
    counts = Counter(event.what for event in heard.events)
    print(", ".join(f"{what} {count}" for what, count in sorted(counts.items())) or "nothing", end="")
    print(f" in {months:.0f} months of courses; {_contest(heard.figures)}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10, help="of each course")
    parser.add_argument("--shifted", type=int, default=6, help="the first run that is shifted, from 0")
    parser.add_argument("--learners", type=int, default=300, help="of each run")
    parser.add_argument("--seeds", type=int, default=5, help="0: none of the simulated worlds")
    parser.add_argument("--oulad", type=Path)
    chosen = parser.parse_args()
    if chosen.seeds:
        simulated(chosen.seeds, chosen.runs, chosen.learners, chosen.shifted)
    if chosen.oulad is not None:
        real(chosen.oulad)


if __name__ == "__main__":
    main()
