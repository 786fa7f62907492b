"""Shifts the simulated world and says when drift was told: ``python -m benchmarks.drift``.

Two courses are given again and again, a run after the other. From one run on either everybody behaves in
another way, or outcomes go with other behaviour; or nothing changes. Each of these worlds is made from
several seeds, and the table says, over all of them,

- *inputs*, *loss*: of how many courses that shifted it was told, and after how many days (median, least to
  most): of inputs from the start of the course's first shifted run, of the loss from the end of it, as no
  outcome is known before;
- *false*: alarms of the kind that nothing had caused, in all and for a course and month (of the seeds: least
  to most): those before the shift, and all of the world in which nothing shifts;
- *promoted*: worlds in which the challenger took over, rightly (after the shift) and wrongly.

The worlds of a seed are one until the first registers for a run that is shifted, so that part is done once.
With ``--log FILE`` finished seeds are kept there and not done again: a long run can be cut into pieces,
``--seeds 1``, ``--seeds 2``, … Its lines count for as long as nothing in the code has changed.

With ``--oulad DIR`` all of it is also told of the real data, where nobody knows what shifted.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from engine.batch.admission import Timing
from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from evaluation.backtest import Backtest
from online_models.drift import course_of
from schemas.learning import DayPackage, ModelEvent
from sources.oulad import OuladFolder
from sources.simulation.plan import FIRST_DAY, Shift
from sources.simulator import Run, SimulationPlan, stream
from sources.stream import DAY, SourceMessage

START = 20_000
WEEKS = 8
APART = 7 * WEEKS + 7
"""Days between the starts of a course's runs: each has ended when the next one begins."""

MONTH = 30.4
INPUTS = ("inputs_shifted",)
LOSS = ("loss_rose", "loss_fell")
SHIFTS: tuple[Shift | None, ...] = (None, "behaviour", "outcomes")


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

    def line(self) -> dict[str, Any]:
        """For the log."""
        events = [event.model_dump(mode="json") for event in self.events]
        return {"events": events, "figures": self.figures, "course_days": self.course_days}

    @classmethod
    def of_line(cls, line: dict[str, Any]) -> "Heard":
        events = [ModelEvent.model_validate(event) for event in line["events"]]
        return cls(events, line["figures"], Counter(line["course_days"]))


@dataclass
class Pass:
    """A backtest under way and what it has said."""

    heard: Heard
    backtest: Backtest

    @classmethod
    def begin(cls) -> "Pass":
        heard = Heard()
        return cls(heard, Backtest(Rules(Timing(clock="replay")), Identity(b"drift"), watch=heard.watch))

    def go_on(self, messages: Iterable[SourceMessage]) -> Heard:
        """How it ends with these messages; the pass itself stays where it is."""
        other = deepcopy(self)
        other.backtest.run(messages)
        return other.heard


def passes(well: SimulationPlan) -> dict[Shift | None, Heard]:
    """What is heard of a seed's worlds."""
    parts_on = (well.shifts_on + FIRST_DAY) * DAY
    together, heard = Pass.begin(), {}
    for shift in SHIFTS:
        messages = iter(stream(replace(well, shift=shift)))
        for message in messages:
            if message.occurred_at >= parts_on:
                break
            if shift is None:
                together.backtest.feed(message)
        else:
            raise ValueError(f"shifts_on: {well.shifts_on}, expected a day before the last run's end")
        heard[shift] = together.go_on(chain([message], messages))
    return heard


@dataclass
class Log:
    """Seeds that were done, in a file of JSON lines. Only lines of the same question count."""

    path: Path | None
    question: str
    known: dict[int, dict[Shift | None, Heard]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None, question: str) -> "Log":
        """question: what was asked; to it comes every byte of the code that answers."""
        code = blake2b(digest_size=6)
        for folder in ("schemas", "sources", "features", "online_models", "streams", "evaluation"):
            for file in sorted((Path(__file__).parents[1] / folder).rglob("*.py")):
                code.update(file.read_bytes())
        log = cls(path, f"{question}, code {code.hexdigest()}")
        if path is not None and path.exists():
            for line in map(orjson.loads, path.read_bytes().splitlines()):
                if line["question"] == log.question:
                    worlds = zip(SHIFTS, line["worlds"], strict=True)
                    log.known[line["seed"]] = {shift: Heard.of_line(world) for shift, world in worlds}
        return log

    def of(self, seed: int, work: Callable[[], dict[Shift | None, Heard]]) -> dict[Shift | None, Heard]:
        """What is known of a seed, worked out and kept where nothing is."""
        if seed not in self.known:
            self.known[seed] = found = work()
            if self.path is not None:
                worlds = [found[shift].line() for shift in SHIFTS]
                line = {"question": self.question, "seed": seed, "worlds": worlds}
                with self.path.open("ab") as file:
                    file.write(orjson.dumps(line) + b"\n")
        return self.known[seed]


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
        """Courses told of, and the median, least and most days, from ``later`` days after their start on."""
        if self.shift is None:
            return "–"
        found = [
            day - self.started(course) - later
            for heard in self.heard
            for course in self.courses
            if (day := heard.first(kinds, course, self.started(course))) is not None
        ]
        of = f"{len(found)}/{len(self.heard) * len(self.courses)}"
        return f"{of}, {_spread(found)}" if found else of

    def false(self, kinds: Sequence[str]) -> str:
        """Alarms before anything shifted: in all, for a course and month, and that of the seeds."""
        each = [
            sum(
                event.what in kinds and event.day < self.started(course_of(event.of))
                for event in heard.events
            )
            for heard in self.heard
        ]
        months = self.well_months()
        rates = sum(each) / months / len(each), min(each) / months, max(each) / months
        return "{} ({:.3f}; {:.3f} to {:.3f})".format(sum(each), *rates)

    def well_months(self) -> float:
        """Months of courses in which nothing had shifted, of one seed."""
        first = min(run.starts_on for run in self.plan.runs)
        last = max(run.starts_on + run.days for run in self.plan.runs)
        days = [min(self.started(course), last) - first for course in self.courses]
        return sum(days) / MONTH

    def promoted(self) -> tuple[int, int]:
        """Worlds in which the challenger took over rightly, and wrongly."""
        shifted = min(self.started(course) for course in self.courses)
        days = [heard.promotions() for heard in self.heard]
        rightly = sum(any(day >= shifted for day in each) for each in days)
        return rightly, sum(any(day < shifted for day in each) for each in days)


def simulated(seeds: int, runs: int, learners: int, shifted: int, path: Path | None) -> None:
    """Print each pass, then the table."""
    wells = [
        replace(plan(runs, learners, seed), shifts_on=START + shifted * APART) for seed in range(1, seeds + 1)
    ]
    worlds = {shift: World(shift, replace(wells[0], shift=shift)) for shift in SHIFTS}
    log = Log.open(path, f"{runs} runs of {learners} learners, shifted from run {shifted} on")
    for well in wells:
        found = log.of(well.seed, lambda well=well: passes(well))  # type: ignore[misc]
        for shift, heard in found.items():
            worlds[shift].heard.append(heard)
            print(f"{shift or 'none':10} seed {well.seed}: {_contest(heard.figures)}", flush=True)
    print(log.question)
    heads = f"{'inputs told':>20} {'loss told':>20} {'promoted':>16}"
    print(f"\n{'shift':10} {heads} {'false inputs':>26} {'false loss':>26}")
    for world in worlds.values():
        rightly, wrongly = world.promoted()
        promoted = f"{rightly}/{seeds}, {wrongly} wrongly" if world.shift else f"{wrongly} wrongly"
        print(
            f"{world.shift or 'none':10} {world.told(INPUTS, 0):>20} {world.told(LOSS, 7 * WEEKS):>20}"
            f" {promoted:>16} {world.false(INPUTS):>26} {world.false(LOSS):>26}"
        )
    print("told: of how many courses, days: median (least to most)")
    print("false: in all (for a course and month; of the seeds least to most)")
    print("promoted, days after the first shifted run began:", _promoted_after(worlds.values()))


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
    return "; ".join(f"{shift} {_spread(each)}" if each else f"{shift} never" for shift, each in days.items())


def _spread(days: Sequence[int]) -> str:
    return f"{median(days):.0f} ({min(days)} to {max(days)})"


def _contest(figures: dict[str, float]) -> str:
    gain, evidence = figures["challenger_gain"], figures["challenger_evidence"]
    told = f"challenger's gain {gain:+.4f} nats, evidence 10^{evidence:.1f}"
    return f"{told}, {figures['promotions']:.0f} promotions"


def real(folder: Path) -> None:
    """Print what is told of OULAD, event by event, and how often."""
    heard = Pass.begin().go_on(OuladFolder(folder).stream())
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
    parser.add_argument("--log", type=Path, help="a file to keep finished seeds in, and to go on from")
    parser.add_argument("--oulad", type=Path)
    chosen = parser.parse_args()
    if chosen.seeds:
        simulated(chosen.seeds, chosen.runs, chosen.learners, chosen.shifted, chosen.log)
    if chosen.oulad is not None:
        real(chosen.oulad)


if __name__ == "__main__":
    main()
