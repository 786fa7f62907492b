"""Breaks trackers in the simulator and counts what came of it: ``python -m benchmarks.data_quality``.

Every scenario is the same term, seen by two trackers or by one, through the whole pipeline, from the moment
on at which something breaks. Its line says

- *hours*: from the break to the close of the day at which it was told; *told*: what was said of it;
- *false rises* and *false nudges*: of how many enrolments that will complete (the simulator knows) a rise
  or a nudge was said that is not said in the same weeks of the term that was well, from the break on until
  two weeks after it. Nudges apart by whether they were decided on the broken days or afterwards. *Ours* is
  as it is, *unwatched* the same with every verdict taken out of the day packages;
- *later*: of how many that will be lost and got a nudge in these weeks of the term that was well it is not
  sent in them: the price of holding back.

Below them, alarms in terms that nothing broke; with ``--oulad DIR`` also in the real data.
"""

import argparse
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.batch.admission import Timing
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from evaluation.backtest import Backtest
from nudges.policy import Policy
from schemas.learning import DayPackage
from schemas.nudge import Nudge
from schemas.quality import DataQualityEvent, DayQuality
from sources.oulad import OuladFolder
from sources.simulation.faults import Break, Breakdown, broken
from sources.simulator import SimulationPlan, stream, truth
from sources.stream import DAY, Published

WEB, MOBILE = "web", "mobile"
AFTERWARDS = 14
"""Days after the break in which what is said may still come of it."""

LONGEST = 15
LEVELS = {"low": 0, "medium": 1, "high": 2}
RULES = Rules(Timing(clock="replay"), policy=Policy(holdout_share=0.0))
MONTH = 30.4

Said = tuple[str, str, int]
"""Learner, course run, day."""


@dataclass
class Heard:
    """What a backtest said. Not ``watched``: its partitions are given no verdicts."""

    watched: bool = True
    rises: list[Said] = field(default_factory=list)
    nudges: list[Said] = field(default_factory=list)
    events: list[DataQualityEvent] = field(default_factory=list)
    run_days: int = 0

    def hear(self, outputs: Outputs) -> None:
        for change in outputs.risk_changes:
            if LEVELS[change.level] > LEVELS[change.previous_level]:
                self.rises.append((change.learner, change.course_run, change.day))
        for nudge in outputs.nudges:
            if not isinstance(nudge, Nudge):
                continue
            day = int(nudge.decided_at.timestamp()) // DAY
            self.nudges.append((nudge.learner, nudge.course_run, day))

    def watch(self, _day: int, _processors: list[PartitionProcessor], package: DayPackage) -> None:
        self.events += package.quality.events
        self.run_days += len(package.cohorts)

    def amend(self, package: DayPackage) -> DayPackage:
        return package if self.watched else package.model_copy(update={"quality": DayQuality()})


@dataclass
class Term:
    """A backtest under way and what it has said."""

    heard: Heard
    backtest: Backtest

    @classmethod
    def begin(cls) -> "Term":
        heard = Heard()
        backtest = Backtest(
            RULES, Identity(b"data quality"), on_outputs=heard.hear, on_day=heard.watch, amend=heard.amend
        )
        return cls(heard, backtest)

    def go_on(self, messages: Iterable[Published], *, watched: bool = True) -> Heard:
        """How it ends with these messages; the term itself stays where it is."""
        other = deepcopy(self)
        other.heard.watched = watched
        other.backtest.run(messages)
        return other.heard


@dataclass(frozen=True)
class Judge:
    """Says what was false, by the simulator's truth and the term that was well."""

    well: Heard
    completes: frozenset[tuple[str, str]]
    weeks: tuple[int, int]
    """From the first broken day on until two weeks after the last: half-open."""

    def false(self, what: str, heard: Heard) -> dict[tuple[str, str], int]:
        """Who will complete and of whom something was said that is not when all is well, and the day."""
        well = self._said(what, self.well)
        return {
            who: day
            for who, day in self._said(what, heard).items()
            if who in self.completes and who not in well
        }

    def later(self, heard: Heard) -> str:
        """Of how many that will be lost and got a nudge when all was well, how many got none now."""
        well = self._said("nudges", self.well).keys() - self.completes
        return f"{len(well - self._said('nudges', heard).keys())} of {len(well)}"

    def _said(self, what: str, heard: Heard) -> dict[tuple[str, str], int]:
        since, until = self.weeks
        said: list[Said] = getattr(heard, what)
        return {(learner, run): day for learner, run, day in reversed(said) if since <= day < until}


@dataclass(frozen=True)
class Scenario:
    """What breaks, seen by which trackers."""

    name: str
    breakdown: Breakdown
    trackers: tuple[str, ...] = (WEB, MOBILE)


def scenarios(plan: SimulationPlan) -> list[Scenario]:
    """What breaks, in the middle of the present runs."""
    day = plan.runs[1].starts_on + 60
    run = plan.runs[1].course_run

    def of(what: Break, days: int, from_hour: int = 0, **more: Any) -> Breakdown:
        return Breakdown(what, day * DAY + from_hour * 3600, (day + days) * DAY, **more)

    return [
        Scenario("every source cut for 1 day", of("cut", 1)),
        Scenario("every source cut for 5 days", of("cut", 5)),
        Scenario("every source cut for 15 days", of("cut", LONGEST)),
        Scenario("mobile cut for 5 days", of("cut", 5, source=MOBILE)),
        Scenario("mobile cut for 15 days", of("cut", LONGEST, source=MOBILE)),
        Scenario("mobile cut for 5 days, from 15:00", of("cut", 5, 15, source=MOBILE)),
        Scenario("mobile cut for 5 days, from 21:00", of("cut", 5, 21, source=MOBILE)),
        Scenario("mobile cut for 5 days, one run", of("cut", 5, source=MOBILE, course_run=run)),
        Scenario("mobile loses 80 % for 5 days", of("cut", 5, source=MOBILE, share=0.8)),
        Scenario("mobile loses 50 % for 5 days", of("cut", 5, source=MOBILE, share=0.5)),
        Scenario("mobile loses 30 % for 15 days", of("cut", LONGEST, source=MOBILE, share=0.3)),
        Scenario("both lose 50 % for 5 days", of("cut", 5, share=0.5)),
        Scenario("the only one loses 80 % for 5 days", of("cut", 5, share=0.8), (WEB,)),
        Scenario("the only one loses 50 % for 5 days", of("cut", 5, share=0.5), (WEB,)),
        Scenario("the only one loses 50 % for 15 days", of("cut", LONGEST, share=0.5), (WEB,)),
        Scenario("the only one loses 30 % for 15 days", of("cut", LONGEST, share=0.3), (WEB,)),
        Scenario("web's content not tracked for 5 days", of("cut", 5, source=WEB, kind="content")),
        Scenario("web sends everything twice for 5 days", of("repeat", 5, source=WEB)),
        Scenario("mobile's clock 4 h fast for 5 days", of("skew", 5, source=MOBILE, shift_s=4 * 3600)),
        Scenario("mobile's clock 4 h slow for 5 days", of("skew", 5, source=MOBILE, shift_s=-4 * 3600)),
        Scenario("mobile's clock 10 h slow for 5 days", of("skew", 5, source=MOBILE, shift_s=-10 * 3600)),
        Scenario("mobile's clock 4 days fast for 5 days", of("skew", 5, source=MOBILE, shift_s=4 * DAY)),
        Scenario("web's kinds unknown for 5 days", of("garble", 5, source=WEB)),
        Scenario("web's events bare for 5 days", of("strip", 5, source=WEB)),
    ]


def _told(events: list[DataQualityEvent], breakdown: Breakdown) -> tuple[str, str]:
    opened = [
        event
        for event in events
        if event.alarm == "opened" and breakdown.since < (event.day + 1) * DAY <= breakdown.until + DAY
    ]
    if not opened:
        return "–", "nothing"
    lateness = RULES.timing.lateness
    hours = ((opened[0].day + 1) * DAY + lateness - breakdown.since) / 3600
    verdict = opened[0].verdict
    scope = "/".join(filter(None, (verdict.source, verdict.course_run, verdict.kind)))
    return f"{hours:.0f}", f"{verdict.problem}: {scope} ({len(opened)} in all)"


def run(learners: int, only: Sequence[str]) -> None:
    """Print the scenarios' table."""
    plan = SimulationPlan.term(learners, courses=4)
    every = scenarios(plan)
    breaks = min(one.breakdown.since for one in every) // DAY * DAY
    plan = replace(plan, until=breaks // DAY + LONGEST + AFTERWARDS + 2)
    wanted = [one for one in every if any(part in one.name for part in only)]
    print(f"{'':40} {'':5}  {'':42} {'false rises':>16} {'false nudges: on':>16} {'after':>16}")
    heads = "".join(f" {'ours':>6} {'unwatched':>9}" for _ in range(3))
    print(f"{'scenario':40} {'hours':>5}  {'told':42}{heads} {'later':>11}")
    for trackers in dict.fromkeys(one.trackers for one in wanted):
        _run_of(replace(plan, trackers=trackers), breaks, [one for one in wanted if one.trackers == trackers])


def _run_of(plan: SimulationPlan, breaks: int, wanted: list[Scenario]) -> None:
    """Scenarios that the same trackers see: one term, until something breaks."""
    term, rest = Term.begin(), []
    for message in stream(plan):
        if message.occurred_at < breaks:
            term.backtest.feed(message)
        else:
            rest.append(message)
    fates = truth(plan)
    pairs = zip(fates.learner, fates.course_run, fates.lost.tolist(), strict=True)
    completes = frozenset((learner, run) for learner, run, lost in pairs if not lost)
    well = term.go_on(rest)
    for one in wanted:
        last = -(-one.breakdown.until // DAY)
        judge = Judge(well, completes, (one.breakdown.since // DAY, last + 1 + AFTERWARDS))
        _print(one.name, one.breakdown, term, rest, judge)


def _print(name: str, breakdown: Breakdown, term: Term, rest: list[Published], judge: Judge) -> None:
    both = [term.go_on(broken(rest, [breakdown]), watched=watched) for watched in (True, False)]
    broken_until = judge.weeks[1] - AFTERWARDS
    numbers = [len(judge.false("rises", heard)) for heard in both]
    nudges = [judge.false("nudges", heard) for heard in both]
    numbers += [sum(day < broken_until for day in found.values()) for found in nudges]
    numbers += [sum(day >= broken_until for day in found.values()) for found in nudges]
    hours, told = _told(both[0].events, breakdown)
    cells = "".join(
        f" {ours:6} {unwatched:9}" for ours, unwatched in zip(numbers[::2], numbers[1::2], strict=True)
    )
    print(f"{name:40} {hours:>5}  {told:42}{cells} {judge.later(both[0]):>11}", flush=True)


def _well(learners: int, seed: int) -> Heard:
    """A term that nothing breaks."""
    term = Term.begin()
    plan = SimulationPlan.term(learners, courses=4, seed=seed)
    return term.go_on(stream(replace(plan, trackers=(WEB, MOBILE))))


def _false_alarms(name: str, heard: list[Heard]) -> None:
    opened = [event for one in heard for event in one.events if event.alarm == "opened"]
    months = sum(one.run_days for one in heard) / MONTH
    print(f"{name}: {len(opened)} alarms in {months:,.0f} months of course runs that nothing broke")
    for event in opened:
        print(
            "  ",
            event.occurred_at.date(),
            event.verdict.problem,
            event.verdict.source,
            event.verdict.course_runs,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learners", type=int, default=2_000)
    parser.add_argument("--seeds", type=int, default=3, help="terms that are well, for false alarms")
    parser.add_argument(
        "--only",
        action="append",
        help="scenarios whose name has this in it; again for more of them; none: all",
    )
    parser.add_argument("--oulad", type=Path)
    chosen = parser.parse_args()
    run(chosen.learners, chosen.only or [""])
    if chosen.seeds:
        _false_alarms("simulator", [_well(chosen.learners, seed) for seed in range(1, chosen.seeds + 1)])
    if chosen.oulad is not None:
        _false_alarms("OULAD", [Term.begin().go_on(OuladFolder(chosen.oulad).stream())])


if __name__ == "__main__":
    main()
