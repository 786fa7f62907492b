"""Measures drift detection on simulated shifts: ``python -m benchmarks.drift``.

Two courses have runs one after the other. From one run on either all learners behave differently, or outcomes
depend on behaviour differently; or nothing changes. Each of these worlds is simulated from several seeds, and
the table has, over all of them,

- *inputs*, *loss*: the number of shifted courses with an alarm, and after how many days (median, least to
  most): for inputs from the start of the course's first shifted run, for the loss from its end, as no outcome
  is known before;
- *false*: false alarms, in all and for a course and month (of the seeds: least to most): those before the
  shift, and all of the world without a shift;
- *promoted*: worlds in which the challenger was promoted, rightly (after the shift) and wrongly.

The worlds of a seed are identical until the first learner registers for a shifted run, so that part is
computed once. With ``--log FILE`` finished seeds are stored there and not computed again: a long benchmark
can be split, ``--seeds 1``, ``--seeds 2``, … Lines of the log are valid as long as the code has not changed.

With ``--oulad DIR`` the alarms on the real data, whose shifts are unknown, are printed too.
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
from sources.stream import DAY, Published

START = 20_000
WEEKS = 8
DAYS_BETWEEN_RUNS = 7 * WEEKS + 7
"""Days between the starts of a course's runs: each has ended when the next one begins."""

MONTH = 30.4
INPUTS = ("inputs_shifted",)
LOSS = ("loss_rose", "loss_fell")
SHIFTS: tuple[Shift | None, ...] = (None, "behaviour", "outcomes")


def plan(runs: int, learners: int, seed: int) -> SimulationPlan:
    """Two courses, half a run apart."""
    run_list = [
        Run(course, f"run-{number:02}", START + number * DAYS_BETWEEN_RUNS + offset, WEEKS, learners)
        for number in range(runs)
        for course, offset in (("a", 0), ("b", DAYS_BETWEEN_RUNS // 2))
    ]
    return SimulationPlan(tuple(run_list), seed)


@dataclass
class PassRecord:
    """The record of a pass: model events, the last package's metrics, and the days on which each course
    ran."""

    events: list[ModelEvent] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    course_days: Counter[str] = field(default_factory=Counter)

    def on_day(self, _day: int, _processors: list[PartitionProcessor], package: DayPackage) -> None:
        self.events += package.events
        self.figures = package.metrics
        self.course_days.update({course_of(run) for run in package.cohorts})

    def first_event(self, kinds: Sequence[str], course: str, since: int) -> int | None:
        """The first day from ``since`` on with an event of these kinds for a course; None without one."""
        days = [event.day for event in self.events if event.what in kinds and course_of(event.of) == course]
        return min((day for day in days if day >= since), default=None)

    def promotions(self) -> list[int]:
        """Days on which the challenger was promoted."""
        return [event.day for event in self.events if event.what == "challenger_promoted"]

    def line(self) -> dict[str, Any]:
        """The record as a line of the log."""
        events = [event.model_dump(mode="json") for event in self.events]
        return {"events": events, "figures": self.figures, "course_days": self.course_days}

    @classmethod
    def of_line(cls, line: dict[str, Any]) -> "PassRecord":
        events = [ModelEvent.model_validate(event) for event in line["events"]]
        return cls(events, line["figures"], Counter(line["course_days"]))


@dataclass
class RunningPass:
    """A backtest in progress and its record."""

    record: PassRecord
    backtest: Backtest

    @classmethod
    def start(cls) -> "RunningPass":
        record = PassRecord()
        return cls(record, Backtest(Rules(Timing(clock="replay")), Identity(b"drift"), on_day=record.on_day))

    def continue_with(self, messages: Iterable[Published]) -> PassRecord:
        """The record after these messages; the pass itself is not changed."""
        copy = deepcopy(self)
        copy.backtest.run(messages)
        return copy.record


def passes_of_seed(base_plan: SimulationPlan) -> dict[Shift | None, PassRecord]:
    """The records of a seed's worlds, by shift."""
    diverges_at = (base_plan.shifts_on + FIRST_DAY) * DAY
    shared, records = RunningPass.start(), {}
    for shift in SHIFTS:
        messages = iter(stream(replace(base_plan, shift=shift)))
        for message in messages:
            if message.occurred_at >= diverges_at:
                break
            if shift is None:
                shared.backtest.feed(message)
        else:
            raise ValueError(f"shifts_on: {base_plan.shifts_on}, expected a day before the last run's end")
        records[shift] = shared.continue_with(chain([message], messages))
    return records


@dataclass
class Log:
    """Finished seeds in a file of JSON lines. Only lines of the same question are used."""

    path: Path | None
    question: str
    known: dict[int, dict[Shift | None, PassRecord]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None, question: str) -> "Log":
        """question: the benchmark's arguments; a hash of the code is appended."""
        code = blake2b(digest_size=6)
        for folder in ("schemas", "sources", "features", "online_models", "streams", "evaluation"):
            for file in sorted((Path(__file__).parents[1] / folder).rglob("*.py")):
                code.update(file.read_bytes())
        log = cls(path, f"{question}, code {code.hexdigest()}")
        if path is not None and path.exists():
            for line in map(orjson.loads, path.read_bytes().splitlines()):
                if line["question"] == log.question:
                    worlds = zip(SHIFTS, line["worlds"], strict=True)
                    log.known[line["seed"]] = {shift: PassRecord.of_line(world) for shift, world in worlds}
        return log

    def of(
        self, seed: int, work: Callable[[], dict[Shift | None, PassRecord]]
    ) -> dict[Shift | None, PassRecord]:
        """The records of a seed; computed by ``work`` and stored where the log has none."""
        if seed not in self.known:
            self.known[seed] = records = work()
            if self.path is not None:
                worlds = [records[shift].line() for shift in SHIFTS]
                line = {"question": self.question, "seed": seed, "worlds": worlds}
                with self.path.open("ab") as file:
                    file.write(orjson.dumps(line) + b"\n")
        return self.known[seed]


@dataclass
class World:
    """The records of one kind of world, seed by seed."""

    shift: Shift | None
    plan: SimulationPlan
    records: list[PassRecord] = field(default_factory=list)

    def shift_start(self, course: str) -> int:
        """The first day of the course's first shifted run; a day after all others without a shift."""
        starts = [run.starts_on for run in self.plan.runs if run.course == course and self.plan.shift_of(run)]
        return min(starts, default=10**6)

    @property
    def courses(self) -> list[str]:
        return sorted({run.course for run in self.plan.runs})

    def detections(self, kinds: Sequence[str], later: int) -> str:
        """Courses with an alarm, and the median, least and most days from ``later`` days after the shift
        on."""
        if self.shift is None:
            return "–"
        delays = [
            day - self.shift_start(course) - later
            for record in self.records
            for course in self.courses
            if (day := record.first_event(kinds, course, self.shift_start(course))) is not None
        ]
        ratio = f"{len(delays)}/{len(self.records) * len(self.courses)}"
        return f"{ratio}, {_spread(delays)}" if delays else ratio

    def false_alarms(self, kinds: Sequence[str]) -> str:
        """Alarms before the shift: in all, and by course and month over all seeds, of the least and the
        most."""
        by_record = [
            sum(
                event.what in kinds and event.day < self.shift_start(course_of(event.of))
                for event in record.events
            )
            for record in self.records
        ]
        months = self.months_before_shift()
        rates = sum(by_record) / months / len(by_record), min(by_record) / months, max(by_record) / months
        return "{} ({:.3f}; {:.3f} to {:.3f})".format(sum(by_record), *rates)

    def months_before_shift(self) -> float:
        """Months of courses before their shift, of one seed."""
        first = min(run.starts_on for run in self.plan.runs)
        last = max(run.starts_on + run.days for run in self.plan.runs)
        days = [min(self.shift_start(course), last) - first for course in self.courses]
        return sum(days) / MONTH

    def promoted(self) -> tuple[int, int]:
        """Worlds in which the challenger was promoted rightly, and wrongly."""
        shifted = min(self.shift_start(course) for course in self.courses)
        days = [record.promotions() for record in self.records]
        rightly = sum(any(day >= shifted for day in promotion_days) for promotion_days in days)
        return rightly, sum(any(day < shifted for day in promotion_days) for promotion_days in days)


def simulated(seeds: int, runs: int, learners: int, shifted: int, path: Path | None) -> None:
    """Print each pass, then the table."""
    base_plans = [
        replace(plan(runs, learners, seed), shifts_on=START + shifted * DAYS_BETWEEN_RUNS)
        for seed in range(1, seeds + 1)
    ]
    worlds = {shift: World(shift, replace(base_plans[0], shift=shift)) for shift in SHIFTS}
    log = Log.open(path, f"{runs} runs of {learners} learners, shifted from run {shifted} on")
    for base_plan in base_plans:
        records = log.of(base_plan.seed, lambda base_plan=base_plan: passes_of_seed(base_plan))  # type: ignore[misc]
        for shift, record in records.items():
            worlds[shift].records.append(record)
            print(f"{shift or 'none':10} seed {base_plan.seed}: {_contest(record.figures)}", flush=True)
    print(log.question)
    heads = f"{'inputs told':>20} {'loss told':>20} {'promoted':>16}"
    print(f"\n{'shift':10} {heads} {'false inputs':>26} {'false loss':>26}")
    for world in worlds.values():
        rightly, wrongly = world.promoted()
        promoted = f"{rightly}/{seeds}, {wrongly} wrongly" if world.shift else f"{wrongly} wrongly"
        print(
            f"{world.shift or 'none':10} {world.detections(INPUTS, 0):>20}"
            f" {world.detections(LOSS, 7 * WEEKS):>20}"
            f" {promoted:>16} {world.false_alarms(INPUTS):>26} {world.false_alarms(LOSS):>26}"
        )
    print("told: of how many courses, days: median (least to most)")
    print("false: in all (for a course and month; of the seeds least to most)")
    print("promoted, days after the first shifted run began:", _promoted_after(worlds.values()))


def _promoted_after(worlds: Iterable[World]) -> str:
    days = {
        world.shift: [
            min(day for day in record.promotions() if day >= world.shift_start("a")) - world.shift_start("a")
            for record in world.records
            if any(day >= world.shift_start("a") for day in record.promotions())
        ]
        for world in worlds
        if world.shift
    }
    return "; ".join(
        f"{shift} {_spread(days_of_shift)}" if days_of_shift else f"{shift} never"
        for shift, days_of_shift in days.items()
    )


def _spread(days: Sequence[int]) -> str:
    return f"{median(days):.0f} ({min(days)} to {max(days)})"


def _contest(figures: dict[str, float]) -> str:
    gain, evidence = figures["challenger_gain"], figures["challenger_evidence"]
    text = f"challenger's gain {gain:+.4f} nats, evidence 10^{evidence:.1f}"
    return f"{text}, {figures['promotions']:.0f} promotions"


def real(folder: Path) -> None:
    """Print the model events on OULAD, and their number."""
    record = RunningPass.start().continue_with(OuladFolder(folder).stream())
    for event in record.events:
        date = datetime.fromtimestamp(event.day * DAY, UTC).date()
        print(f"{date}  {event.what:20} {event.of:28} {event.value:+.4f}")
    months = record.course_days.total() / MONTH
    counts = Counter(event.what for event in record.events)
    print(", ".join(f"{what} {count}" for what, count in sorted(counts.items())) or "nothing", end="")
    print(f" in {months:.0f} months of courses; {_contest(record.figures)}")


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
    options = parser.parse_args()
    if options.seeds:
        simulated(options.seeds, options.runs, options.learners, options.shifted, options.log)
    if options.oulad is not None:
        real(options.oulad)


if __name__ == "__main__":
    main()
