"""Measures the effect of broken trackers in the simulator: ``python -m benchmarks.data_quality``.

Every scenario is the same term, with two trackers or one, through the whole pipeline, from the time of the
fault on. Its line shows

- *hours*: from the fault to the close of the day on which it was detected; *told*: the verdict;
- *false rises* and *false nudges*: enrolments that complete (by the simulator's truth) with a rise or a
  nudge that they do not have in the same weeks of the healthy term, from the fault until two weeks after it.
  Nudges are split into those decided on the broken days and afterwards. *Ours* is the pipeline as it is,
  *unwatched* the same with all verdicts removed from the day packages;
- *later*: of the enrolments that are lost and got a nudge in these weeks of the healthy term, how many do
  not get it: the cost of holding back.

Below them, alarms in healthy terms; with ``--oulad DIR`` also in the real data.
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
from sources.simulation.faults import Breakdown, Fault, with_breakdowns
from sources.simulator import SimulationPlan, stream, truth
from sources.stream import DAY, SourceMessage

WEB, MOBILE = "web", "mobile"
AFTERMATH_DAYS = 14
"""Days after a fault in which outputs may still be affected by it."""

LONGEST = 15
LEVELS = {"low": 0, "medium": 1, "high": 2}
RULES = Rules(Timing(clock="replay"), policy=Policy(holdout_share=0.0))
MONTH = 30.4

LearnerDay = tuple[str, str, int]
"""Learner, course run, day."""


@dataclass
class TermOutputs:
    """The outputs of a backtest. Not ``watched``: its partitions get no verdicts on data quality."""

    watched: bool = True
    rises: list[LearnerDay] = field(default_factory=list)
    nudges: list[LearnerDay] = field(default_factory=list)
    events: list[DataQualityEvent] = field(default_factory=list)
    run_days: int = 0

    def record(self, outputs: Outputs) -> None:
        for change in outputs.risk_changes:
            if LEVELS[change.level] > LEVELS[change.previous_level]:
                self.rises.append((change.learner, change.course_run, change.day))
        for nudge in outputs.nudges:
            if not isinstance(nudge, Nudge):
                continue
            day = int(nudge.decided_at.timestamp()) // DAY
            self.nudges.append((nudge.learner, nudge.course_run, day))

    def record_day(self, _day: int, _processors: list[PartitionProcessor], package: DayPackage) -> None:
        self.events += package.quality.events
        self.run_days += len(package.cohorts)

    def amend(self, package: DayPackage) -> DayPackage:
        return package if self.watched else package.model_copy(update={"quality": DayQuality()})


@dataclass
class Term:
    """A running backtest and its outputs so far."""

    outputs: TermOutputs
    backtest: Backtest

    @classmethod
    def begin(cls) -> "Term":
        outputs = TermOutputs()
        backtest = Backtest(
            RULES,
            Identity(b"data quality"),
            on_outputs=outputs.record,
            on_day=outputs.record_day,
            amend=outputs.amend,
        )
        return cls(outputs, backtest)

    def continued(self, messages: Iterable[SourceMessage], *, watched: bool = True) -> TermOutputs:
        """Run a copy to its end with these messages; the term itself stays as it is."""
        copy = deepcopy(self)
        copy.outputs.watched = watched
        copy.backtest.run(messages)
        return copy.outputs


@dataclass(frozen=True)
class Comparison:
    """Finds false and withheld outputs, by the simulator's truth and the healthy term."""

    healthy: TermOutputs
    completes: frozenset[tuple[str, str]]
    weeks: tuple[int, int]
    """From the first broken day until two weeks after the last: half-open days."""

    def false_outputs(self, kind: str, outputs: TermOutputs) -> dict[tuple[str, str], int]:
        """Enrolments that complete with outputs that the healthy term does not have → the first day."""
        in_healthy = self._outputs(kind, self.healthy)
        return {
            enrolment: day
            for enrolment, day in self._outputs(kind, outputs).items()
            if enrolment in self.completes and enrolment not in in_healthy
        }

    def withheld(self, outputs: TermOutputs) -> str:
        """Of the lost enrolments that are nudged in the healthy term, how many are not, as ``n of m``."""
        healthy = self._outputs("nudges", self.healthy).keys() - self.completes
        return f"{len(healthy - self._outputs('nudges', outputs).keys())} of {len(healthy)}"

    def _outputs(self, kind: str, outputs: TermOutputs) -> dict[tuple[str, str], int]:
        since, until = self.weeks
        learner_days: list[LearnerDay] = getattr(outputs, kind)
        return {(learner, run): day for learner, run, day in reversed(learner_days) if since <= day < until}


@dataclass(frozen=True)
class Scenario:
    """A breakdown in a term with these trackers."""

    name: str
    breakdown: Breakdown
    trackers: tuple[str, ...] = (WEB, MOBILE)


def scenarios(plan: SimulationPlan) -> list[Scenario]:
    """All scenarios; faults are in the middle of the present runs."""
    day = plan.runs[1].starts_on + 60
    run = plan.runs[1].course_run

    def of(fault: Fault, days: int, from_hour: int = 0, **more: Any) -> Breakdown:
        return Breakdown(fault, day * DAY + from_hour * 3600, (day + days) * DAY, **more)

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


def _detection(events: list[DataQualityEvent], breakdown: Breakdown) -> tuple[str, str]:
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
    all_scenarios = scenarios(plan)
    breaks = min(scenario.breakdown.since for scenario in all_scenarios) // DAY * DAY
    plan = replace(plan, until=breaks // DAY + LONGEST + AFTERMATH_DAYS + 2)
    selected = [scenario for scenario in all_scenarios if any(text in scenario.name for text in only)]
    print(f"{'':40} {'':5}  {'':42} {'false rises':>16} {'false nudges: on':>16} {'after':>16}")
    heads = "".join(f" {'ours':>6} {'unwatched':>9}" for _ in range(3))
    print(f"{'scenario':40} {'hours':>5}  {'told':42}{heads} {'later':>11}")
    for trackers in dict.fromkeys(scenario.trackers for scenario in selected):
        _run_scenarios(
            replace(plan, trackers=trackers),
            breaks,
            [scenario for scenario in selected if scenario.trackers == trackers],
        )


def _run_scenarios(plan: SimulationPlan, breaks: int, selected: list[Scenario]) -> None:
    """Run scenarios with the same trackers, which share the term until the fault."""
    term, remaining = Term.begin(), []
    for message in stream(plan):
        if message.occurred_at < breaks:
            term.backtest.feed(message)
        else:
            remaining.append(message)
    fates = truth(plan)
    pairs = zip(fates.learner, fates.course_run, fates.lost.tolist(), strict=True)
    completes = frozenset((learner, run) for learner, run, lost in pairs if not lost)
    healthy = term.continued(remaining)
    for scenario in selected:
        last = -(-scenario.breakdown.until // DAY)
        comparison = Comparison(
            healthy, completes, (scenario.breakdown.since // DAY, last + 1 + AFTERMATH_DAYS)
        )
        _print(scenario.name, scenario.breakdown, term, remaining, comparison)


def _print(
    name: str, breakdown: Breakdown, term: Term, remaining: list[SourceMessage], comparison: Comparison
) -> None:
    passes = [
        term.continued(with_breakdowns(remaining, [breakdown]), watched=watched) for watched in (True, False)
    ]
    broken_until = comparison.weeks[1] - AFTERMATH_DAYS
    numbers = [len(comparison.false_outputs("rises", outputs)) for outputs in passes]
    nudges = [comparison.false_outputs("nudges", outputs) for outputs in passes]
    numbers += [sum(day < broken_until for day in enrolments.values()) for enrolments in nudges]
    numbers += [sum(day >= broken_until for day in enrolments.values()) for enrolments in nudges]
    hours, detected = _detection(passes[0].events, breakdown)
    cells = "".join(
        f" {ours:6} {unwatched:9}" for ours, unwatched in zip(numbers[::2], numbers[1::2], strict=True)
    )
    print(f"{name:40} {hours:>5}  {detected:42}{cells} {comparison.withheld(passes[0]):>11}", flush=True)


def _healthy_term(learners: int, seed: int) -> TermOutputs:
    """The outputs of a term without faults."""
    term = Term.begin()
    plan = SimulationPlan.term(learners, courses=4, seed=seed)
    return term.continued(stream(replace(plan, trackers=(WEB, MOBILE))))


def _false_alarms(name: str, passes: list[TermOutputs]) -> None:
    opened = [event for outputs in passes for event in outputs.events if event.alarm == "opened"]
    months = sum(outputs.run_days for outputs in passes) / MONTH
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
    options = parser.parse_args()
    run(options.learners, options.only or [""])
    if options.seeds:
        _false_alarms(
            "simulator", [_healthy_term(options.learners, seed) for seed in range(1, options.seeds + 1)]
        )
    if options.oulad is not None:
        _false_alarms("OULAD", [Term.begin().continued(OuladFolder(options.oulad).stream())])


if __name__ == "__main__":
    main()
