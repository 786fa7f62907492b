"""Checks and shows the reasons of every risk change of a whole run: ``python -m benchmarks.reasons``.

Of each change the parts must add up to the change in log-odds. Printed are how far they are off at most, how
many reasons compare with the learner's own past (*before*) or with the cohort, how many rises say what would
bring the risk down, and some of the changes, drawn by their id, as an instructor reads them. ``--oulad DIR``
asks the same of the real data.
"""

import argparse
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.backtest import Backtest
from online_models.scoring import ABSOLUTE
from schemas.risk import RISK_LEVELS, RiskChange
from sources.oulad import OuladFolder
from sources.simulator import SimulationPlan, stream
from sources.stream import Published
from streams.identity import Identity
from streams.intake import Timing
from streams.outputs import Outputs
from streams.rules import Rules


@dataclass
class Heard:
    """Every risk change of a pass."""

    changes: list[RiskChange] = field(default_factory=list)

    @classmethod
    def of(cls, messages: Iterable[Published]) -> "Heard":
        found = cls()
        Backtest(Rules(Timing(clock="replay")), Identity(b"reasons"), say=found.hear).run(messages)
        return found

    def hear(self, outputs: Outputs) -> None:
        self.changes += outputs.risk_changes


def apart(change: RiskChange) -> float:
    """How far the parts are from the change in log-odds."""
    moved = _log_odds(change.probability) - _log_odds(change.previous_probability)
    return abs(sum(change.parts.values()) - moved)


def rose(change: RiskChange) -> bool:
    return RISK_LEVELS.index(change.level) > RISK_LEVELS.index(change.previous_level)


def _log_odds(probability: float) -> float:
    held = min(max(probability, ABSOLUTE), 1 - ABSOLUTE)
    return math.log(held / (1 - held))


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({part / max(whole, 1):.0%})"


def report(changes: list[RiskChange], shown: int) -> None:
    """Print it."""
    reasons = [reason for change in changes for reason in change.reasons]
    rises = [change for change in changes if rose(change)]
    print(f"risk changes                      {len(changes):,}")
    print(f"parts off the change at most      {max(map(apart, changes)):.1e}")
    print(f"with a reason                     {_of(sum(bool(one.reasons) for one in changes), len(changes))}")
    print(
        f"reasons with the own past         {_of(sum('before' in one.text for one in reasons), len(reasons))}"
    )
    cohort = sum("of the course" in one.text for one in reasons)
    print(f"reasons with the cohort           {_of(cohort, len(reasons))}")
    relieved = sum(any(one.relief for one in change.reasons) for change in rises)
    print(f"rises that say what would help    {_of(relieved, len(rises))}")
    for change in sorted(changes, key=lambda one: one.risk_change_id)[:shown]:
        levels = f"{change.previous_level} → {change.level}"
        estimates = f"{change.previous_probability:.2f} → {change.probability:.2f}"
        print(f"\n{levels}, {estimates} ({change.model_state})")
        for reason in change.reasons:
            print(f"  {reason.contribution:+.2f}  {reason.text}")
            if reason.relief:
                print(f"         would help: {reason.relief}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learners", type=int, default=1_000)
    parser.add_argument("--shown", type=int, default=30)
    parser.add_argument("--oulad", type=Path)
    chosen = parser.parse_args()
    plan = SimulationPlan.term(chosen.learners)
    messages = stream(plan) if chosen.oulad is None else OuladFolder(chosen.oulad).stream()
    report(Heard.of(messages).changes, chosen.shown)


if __name__ == "__main__":
    main()
