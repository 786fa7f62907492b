"""Checks and shows the reasons of every risk change of a whole run: ``python -m benchmarks.reasons``.

Of each change the parts must add up to the change in log-odds. Printed are, course run by course run, how far
they are off at most, how many reasons compare with the learner's own past or with the cohort, how many rises
say what would bring the risk down, and in how many changes something *not new* about the learner (that the
model has learned, or that earlier days still count) made more than each reason that is; and some of the
changes, drawn by their id, as an instructor reads them. ``--oulad DIR`` asks the same of the real data,
``--module`` of some of its modules alone.
"""

import argparse
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from engine.batch.admission import Timing
from engine.outputs import Outputs
from engine.pseudonyms import Identity
from engine.rules import Rules
from evaluation.backtest import Backtest
from online_models.explanations import NON_FEATURE_PARTS
from online_models.scoring import MIN_PROBABILITY
from schemas.risk import RISK_LEVELS, RiskChange
from sources.oulad import OuladFolder
from sources.simulator import SimulationPlan, stream
from sources.stream import Published


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
    held = min(max(probability, MIN_PROBABILITY), 1 - MIN_PROBABILITY)
    return math.log(held / (1 - held))


def report(changes: list[RiskChange], shown: int) -> None:
    """Print it."""
    heads = f"{'parts off':>10} {'with a reason':>14} {'own past':>9} {'cohort':>7} {'rises':>7}"
    print(f"{'course run':22} {'changes':>8} {heads} {'would help':>11} {'not new':>7}")
    runs = sorted({change.course_run for change in changes})
    for name, some in [
        *((run, [one for one in changes if one.course_run == run]) for run in runs),
        ("all", changes),
    ]:
        _line(name, some)
    for change in sorted(changes, key=lambda one: one.risk_change_id)[:shown]:
        levels = f"{change.previous_level} → {change.level}"
        estimates = f"{change.previous_probability:.2f} → {change.probability:.2f}"
        print(f"\n{change.course_run}, {levels}, {estimates} ({change.model_state})")
        for reason in change.reasons:
            print(f"  {reason.contribution:+.2f}  {reason.text}")
            if reason.relief:
                print(f"         would help: {reason.relief}")


def _line(name: str, changes: list[RiskChange]) -> None:
    texts = [reason.text for change in changes for reason in change.reasons]
    rises = [change for change in changes if rose(change)]
    reasoned = sum(bool(one.reasons) for one in changes)
    cohort = sum("than for" in text for text in texts)
    not_new = sum(any(one.feature in NON_FEATURE_PARTS for one in change.reasons) for change in changes)
    relieved = sum(any(one.relief for one in change.reasons) for change in rises)
    print(
        f"{name:22} {len(changes):8,} {max(map(apart, changes), default=0):10.1e} {reasoned:14,}"
        f" {_share(sum('(before: ' in text for text in texts), len(texts)):>9}"
        f" {_share(cohort, len(texts)):>7}"
        f" {len(rises):7,} {_share(relieved, len(rises)):>11}"
        f" {_share(not_new, len(changes)):>7}"
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "–"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learners", type=int, default=1_000)
    parser.add_argument("--shown", type=int, default=30)
    parser.add_argument("--oulad", type=Path)
    parser.add_argument("--module", action="append", help="of OULAD; again for more of them; none: all")
    chosen = parser.parse_args()
    if chosen.oulad is None:
        messages = stream(SimulationPlan.term(chosen.learners))
    else:
        folder = OuladFolder(chosen.oulad)
        wanted = [one for one in folder.presentations if one.module in (chosen.module or [one.module])]
        messages = folder.stream(wanted)
    report(Heard.of(messages).changes, chosen.shown)


if __name__ == "__main__":
    main()
