"""What the engine makes of a self-paced run: ``python -m benchmarks.self_paced``.

A simulated course without an end, in which learners begin on any day, goes through the engine in one pass.
Every estimate is compared with what the stream shows afterwards: lost is who is not active on any of the days
of the horizon, that day included, or withdraws on one of them; who passes is not. Printed are AUC, mean
estimate and share lost by four weeks, with the state of the model; the share lost by level, and how many
learners changed level, those active in the week before the change apart.
"""

import argparse
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np
import orjson

from engine.batch.admission import Timing
from engine.outputs import Outputs
from engine.processor import PartitionProcessor
from engine.pseudonyms import Identity
from engine.rules import Rules
from evaluation.backtest import Backtest
from online_models.auc import auc
from schemas.enrolment import INACTIVE_AFTER_DAYS
from schemas.fields import DAY_S
from schemas.learning import DayPackage
from schemas.risk import RISK_LEVELS, RiskChange
from sources.simulator import SimulationPlan, stream

BLOCK, WEEK = 28, 7


@dataclass
class Replay:
    """Estimates and changes of a pass, and what happened on which day: learner → epoch days.

    estimates: (day, learner, probability, level). states: of the model, by day.
    """

    estimates: list[tuple[int, str, float, int]] = field(default_factory=list)
    changes: list[RiskChange] = field(default_factory=list)
    states: dict[int, str] = field(default_factory=dict)
    active: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    withdrawn: dict[str, int] = field(default_factory=dict)
    passed: dict[str, int] = field(default_factory=dict)
    last: int = 0

    @classmethod
    def of(cls, plan: SimulationPlan) -> "Replay":
        """Replay a plan."""
        replay = cls()
        rules = Rules(Timing(clock="replay"))
        backtest = Backtest(rules, Identity(b"self-paced"), on_outputs=replay._note, on_day=replay._add_day)
        for message in stream(plan):
            replay._observe(orjson.loads(message.value), message.occurred_at // DAY_S)
            backtest.feed(message)
        backtest.finish()
        return replay

    def _observe(self, message: dict[str, str], day: int) -> None:
        kind = message["type"]
        if kind == "activity":
            self.active[message["learner"]].add(day)
        elif kind in ("withdrawn", "completed"):
            (self.withdrawn if kind == "withdrawn" else self.passed)[message["learner"]] = day
        self.last = max(self.last, day)

    def _note(self, outputs: Outputs) -> None:
        self.changes += outputs.risk_changes
        for day, state in zip(
            outputs.rows.get("risk_daily", {}).get("day", []),
            outputs.rows.get("risk_daily", {}).get("model_state", []),
            strict=True,
        ):
            self.states[day.toordinal() - EPOCH] = state

    def _add_day(self, day: int, processors: list[PartitionProcessor], _: DayPackage) -> None:
        for processor in processors:
            for scored in processor.scored:
                slots = scored.cohort.slots
                levels = processor.state.rows["level"][slots].tolist()
                for slot, probability, level in zip(
                    slots.tolist(), scored.probability.tolist(), levels, strict=True
                ):
                    self.estimates.append((day, processor.state.key(slot)[0], probability, level))

    def is_lost(self, learner: str, day: int) -> bool:
        """Whether a learner is lost, as of the start of a day."""
        horizon = range(day, day + INACTIVE_AFTER_DAYS)
        if self.withdrawn.get(learner, -1) in horizon:
            return True
        return self.passed.get(learner, -1) not in horizon and not self.active[learner].intersection(horizon)

    def was_active(self, learner: str, day: int) -> bool:
        """Whether a learner was active in the week before a day."""
        return bool(self.active[learner].intersection(range(day - WEEK, day)))


EPOCH = np.datetime64("1970-01-01").astype(object).toordinal()


def report(replay: Replay) -> None:
    """Print the tables. Estimates whose horizon is not over when the stream ends are left out."""
    known = [row for row in replay.estimates if row[0] + INACTIVE_AFTER_DAYS <= replay.last]
    lost = np.array([replay.is_lost(learner, day) for day, learner, _, _ in known])
    days, risk, levels = (np.array([row[column] for row in known]) for column in (0, 2, 3))
    print("| weeks | model | estimates | lost | mean estimate | AUC |\n|---|---|---|---|---|---|")
    blocks = (days - days.min()) // BLOCK
    for block in np.unique(blocks).tolist():
        rows = blocks == block
        states = Counter(replay.states.get(day, "") for day in days[rows].tolist())
        weeks = f"{4 * block + 1}–{4 * block + 4}"
        figures = f"{lost[rows].mean():.3f} | {risk[rows].mean():.3f} | {auc(lost[rows], risk[rows]):.3f}"
        print(f"| {weeks} | {states.most_common(1)[0][0]} | {rows.sum():,} | {figures} |")
    served = np.array([replay.states.get(day) == "serving" for day in days.tolist()])
    print("\n| level, while the model serves | estimates | lost |\n|---|---|---|")
    for number, name in enumerate(RISK_LEVELS):
        rows = (levels == number) & served
        print(f"| {name} | {rows.sum():,} | {lost[rows].mean() if rows.any() else float('nan'):.3f} |")
    print("\n| change to | changes | learners | of them active in the week before |\n|---|---|---|---|")
    for name in RISK_LEVELS[1:]:
        changes = [change for change in replay.changes if change.level == name]
        awake = sum(replay.was_active(change.learner, change.day) for change in changes)
        print(f"| {name} | {len(changes)} | {len({change.learner for change in changes})} | {awake} |")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learners", type=int, default=1_000)
    parser.add_argument("--weeks", type=int, default=52)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report(Replay.of(SimulationPlan.self_paced(options.learners, weeks=options.weeks, seed=options.seed)))


if __name__ == "__main__":
    main()
