"""Measures how soon drift of a simulated world is detected: ``python -m benchmarks.drift``.

Two courses have one run after another. From one run on either the learners' behaviour changes, or the
relation of outcomes to behaviour, or nothing. Each of these worlds is simulated with several seeds, and the
table shows, over all of them,

- *inputs*, *loss*: in how many shifted courses drift was detected, and after how many days (median, least to
  most): of inputs from the start of the course's first shifted run, of the loss from its end, as no outcome
  is known before;
- *false*: false alarms of the kind, in all and per course and month (of the seeds: least to most): those
  before the shift, and all in the world without a shift;
- *promoted*: worlds in which the challenger took over, rightly (after the shift) and wrongly.

The worlds of a seed are identical until the first registration for a shifted run, so that part runs once.
With ``--log FILE`` finished seeds are stored there and not run again: a long run can be split into
``--seeds 1``, ``--seeds 2``, … Its lines count as long as the code has not changed.

With ``--oulad DIR`` the events detected in the real data are printed too, whose drift is not known.
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
from schemas.fields import course_of
from schemas.learning import DayPackage, ModelEvent
from sources.oulad import OuladFolder
from sources.simulation.plan import FIRST_DAY, Shift
from sources.simulator import Run, SimulationPlan, stream
from sources.stream import DAY, SourceMessage

START = 20_000
WEEKS = 8
APART = 7 * WEEKS + 7
"""Days between the starts of a course's runs: each ends before the next one starts."""

MONTH = 30.4
INPUTS = ("inputs_shifted",)
LOSS = ("loss_rose", "loss_fell")
CODE = ("schemas", "sources", "features", "data_quality", "online_models", "nudges", "engine", "evaluation")
"""The packages that a pass runs: a log of it counts as long as they have not changed."""

SHIFTS: tuple[Shift | None, ...] = (None, "behaviour", "outcomes")


def plan(runs: int, learners: int, seed: int) -> SimulationPlan:
    """Two courses, half a run apart."""
    all_runs = [
        Run(course, f"run-{number:02}", START + number * APART + offset, WEEKS, learners)
        for number in range(runs)
        for course, offset in (("a", 0), ("b", APART // 2))
    ]
    return SimulationPlan(tuple(all_runs), seed)


@dataclass
class PassRecord:
    """The result of a pass: all model events, the last package's metrics, and days by course."""

    events: list[ModelEvent] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    course_days: Counter[str] = field(default_factory=Counter)

    def record_day(self, _day: int, _processors: list[PartitionProcessor], package: DayPackage) -> None:
        self.events += package.events
        self.figures = package.metrics
        self.course_days.update({course_of(run) for run in package.cohorts})

    def first_event_day(self, kinds: Sequence[str], course: str, since: int) -> int | None:
        """The first day, from ``since`` on, of an event of these kinds for a course."""
        days = [event.day for event in self.events if event.what in kinds and course_of(event.of) == course]
        return min((day for day in days if day >= since), default=None)

    def promotions(self) -> list[int]:
        """The days on which the challenger was promoted."""
        return [event.day for event in self.events if event.what == "challenger_promoted"]

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object for the log."""
        events = [event.model_dump(mode="json") for event in self.events]
        return {"events": events, "figures": self.figures, "course_days": self.course_days}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> "PassRecord":
        events = [ModelEvent.model_validate(event) for event in line["events"]]
        return cls(events, line["figures"], Counter(line["course_days"]))


@dataclass
class Pass:
    """A running backtest and its record so far."""

    record: PassRecord
    backtest: Backtest

    @classmethod
    def begin(cls) -> "Pass":
        record = PassRecord()
        return cls(
            record, Backtest(Rules(Timing(clock="replay")), Identity(b"drift"), on_day=record.record_day)
        )

    def continued(self, messages: Iterable[SourceMessage]) -> PassRecord:
        """Run a copy to its end with these messages; the pass itself stays as it is."""
        copy = deepcopy(self)
        copy.backtest.run(messages)
        return copy.record


def passes(plan: SimulationPlan) -> dict[Shift | None, PassRecord]:
    """The records of a seed's worlds, by shift.

    Raises:
        ValueError: the plan shifts after its last run.
    """
    diverges_at = (plan.shifts_on + FIRST_DAY) * DAY
    common, records = Pass.begin(), {}
    for shift in SHIFTS:
        messages = iter(stream(replace(plan, shift=shift)))
        for message in messages:
            if message.occurred_at >= diverges_at:
                break
            if shift is None:
                common.backtest.feed(message)
        else:
            raise ValueError(f"shifts_on: {plan.shifts_on}, expected a day before the last run's end")
        records[shift] = common.continued(chain([message], messages))
    return records


@dataclass
class Log:
    """Finished seeds in a file of JSON lines. Only lines with the same question count."""

    path: Path | None
    question: str
    finished: dict[int, dict[Shift | None, PassRecord]] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None, question: str) -> "Log":
        """Read the log. question: the parameters of the run, to which a digest of the code is added."""
        code = blake2b(digest_size=6)
        for folder in CODE:
            for file in sorted((Path(__file__).parents[1] / folder).rglob("*.py")):
                code.update(file.read_bytes())
        log = cls(path, f"{question}, code {code.hexdigest()}")
        if path is not None and path.exists():
            for line in map(orjson.loads, path.read_bytes().splitlines()):
                if line["question"] == log.question:
                    worlds = zip(SHIFTS, line["worlds"], strict=True)
                    log.finished[line["seed"]] = {
                        shift: PassRecord.from_json(world) for shift, world in worlds
                    }
        return log

    def get_or_run(
        self, seed: int, work: Callable[[], dict[Shift | None, PassRecord]]
    ) -> dict[Shift | None, PassRecord]:
        """The records of a seed; runs and logs it where it is not finished."""
        if seed not in self.finished:
            self.finished[seed] = records = work()
            if self.path is not None:
                worlds = [records[shift].to_json() for shift in SHIFTS]
                line = {"question": self.question, "seed": seed, "worlds": worlds}
                with self.path.open("ab") as file:
                    file.write(orjson.dumps(line) + b"\n")
        return self.finished[seed]


@dataclass
class WorldResults:
    """The records of one kind of world, by seed."""

    shift: Shift | None
    plan: SimulationPlan
    records: list[PassRecord] = field(default_factory=list)

    def started(self, course: str) -> int:
        """The first day of the course's first shifted run; a day after all runs where nothing shifts."""
        starts = [run.starts_on for run in self.plan.runs if run.course == course and self.plan.shift_of(run)]
        return min(starts, default=10**6)

    @property
    def courses(self) -> list[str]:
        return sorted({run.course for run in self.plan.runs})

    def detections(self, kinds: Sequence[str], later: int) -> str:
        """Number of courses with a detection, and median, least and most days after start + ``later``."""
        if self.shift is None:
            return "–"
        days = [
            day - self.started(course) - later
            for record in self.records
            for course in self.courses
            if (day := record.first_event_day(kinds, course, self.started(course))) is not None
        ]
        of = f"{len(days)}/{len(self.records) * len(self.courses)}"
        return f"{of}, {_spread(days)}" if days else of

    def false_alarms(self, kinds: Sequence[str]) -> str:
        """Alarms before the shift: in all, per course and month, and the least and most of the seeds."""
        counts = [
            sum(
                event.what in kinds and event.day < self.started(course_of(event.of))
                for event in record.events
            )
            for record in self.records
        ]
        months = self.unshifted_months()
        rates = sum(counts) / months / len(counts), min(counts) / months, max(counts) / months
        return "{} ({:.3f}; {:.3f} to {:.3f})".format(sum(counts), *rates)

    def unshifted_months(self) -> float:
        """Course months before the shift, of one seed."""
        first = min(run.starts_on for run in self.plan.runs)
        last = max(run.starts_on + run.days for run in self.plan.runs)
        days = [min(self.started(course), last) - first for course in self.courses]
        return sum(days) / MONTH

    def promoted(self) -> tuple[int, int]:
        """Number of worlds in which the challenger took over rightly, and wrongly."""
        shifted = min(self.started(course) for course in self.courses)
        days = [record.promotions() for record in self.records]
        rightly = sum(any(day >= shifted for day in promotion_days) for promotion_days in days)
        return rightly, sum(any(day < shifted for day in promotion_days) for promotion_days in days)


def simulated(seeds: int, runs: int, learners: int, shifted: int, path: Path | None) -> None:
    """Print each pass, then the table."""
    plans = [
        replace(plan(runs, learners, seed), shifts_on=START + shifted * APART) for seed in range(1, seeds + 1)
    ]
    worlds = {shift: WorldResults(shift, replace(plans[0], shift=shift)) for shift in SHIFTS}
    log = Log.open(path, f"{runs} runs of {learners} learners, shifted from run {shifted} on")
    for seed_plan in plans:
        records = log.get_or_run(seed_plan.seed, lambda seed_plan=seed_plan: passes(seed_plan))  # type: ignore[misc]
        for shift, record in records.items():
            worlds[shift].records.append(record)
            print(f"{shift or 'none':10} seed {seed_plan.seed}: {_contest(record.figures)}", flush=True)
    print(log.question)
    heads = f"{'inputs told':>20} {'loss told':>20} {'promoted':>16}"
    print(f"\n{'shift':10} {heads} {'false inputs':>26} {'false loss':>26}")
    for world in worlds.values():
        rightly, wrongly = world.promoted()
        promoted = f"{rightly}/{seeds}, {wrongly} wrongly" if world.shift else f"{wrongly} wrongly"
        print(
            f"{world.shift or 'none':10} {world.detections(INPUTS, 0):>20}"
            f" {world.detections(LOSS, 7 * WEEKS):>20} {promoted:>16}"
            f" {world.false_alarms(INPUTS):>26} {world.false_alarms(LOSS):>26}"
        )
    print("told: of how many courses, days: median (least to most)")
    print("false: in all (for a course and month; of the seeds least to most)")
    print("promoted, days after the first shifted run began:", _promoted_after(worlds.values()))


def _promoted_after(worlds: Iterable[WorldResults]) -> str:
    days = {
        world.shift: [
            min(day for day in record.promotions() if day >= world.started("a")) - world.started("a")
            for record in world.records
            if any(day >= world.started("a") for day in record.promotions())
        ]
        for world in worlds
        if world.shift
    }
    return "; ".join(
        f"{shift} {_spread(shift_days)}" if shift_days else f"{shift} never"
        for shift, shift_days in days.items()
    )


def _spread(days: Sequence[int]) -> str:
    return f"{median(days):.0f} ({min(days)} to {max(days)})"


def _contest(figures: dict[str, float]) -> str:
    gain, evidence = figures["challenger_gain"], figures["challenger_evidence"]
    text = f"challenger's gain {gain:+.4f} nats, evidence 10^{evidence:.1f}"
    return f"{text}, {figures['promotions']:.0f} promotions"


def real(folder: Path) -> None:
    """Print the model events of a pass over OULAD, and their counts."""
    record = Pass.begin().continued(OuladFolder(folder).stream())
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
