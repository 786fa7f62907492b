"""Checks and prints the reasons of every risk change of a backtest: ``python -m benchmarks.reasons``.

The parts of each change must add up to its change in log-odds. Printed are, by course run, their largest
error, the shares of reasons that compare with the learner's own past or with the cohort, the share of rises
with a hint at what would lower the risk, and the share of changes in which something *not new* about the
learner (the model learned, or earlier days still count) contributed more than any other reason; and a sample
of the changes as an instructor reads them. ``--oulad DIR`` does the same for the real data, ``--module``
for some of its modules alone.
"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.batch.admission import Timing
from engine.outputs import Outputs
from engine.pseudonyms import Identity
from engine.rules import Rules
from evaluation.backtest import Backtest
from online_models.explanations import NON_FEATURE_PARTS
from online_models.scoring import log_odds_of
from schemas.risk import RISK_LEVELS, RiskChange
from sources.oulad import OuladFolder
from sources.simulator import SimulationPlan, stream
from sources.stream import SourceMessage


@dataclass
class ReplayedChanges:
    """All risk changes of a pass."""

    changes: list[RiskChange] = field(default_factory=list)

    @classmethod
    def of(cls, messages: Iterable[SourceMessage]) -> "ReplayedChanges":
        replayed = cls()
        Backtest(Rules(Timing(clock="replay")), Identity(b"reasons"), on_outputs=replayed.record).run(
            messages
        )
        return replayed

    def record(self, outputs: Outputs) -> None:
        self.changes += outputs.risk_changes


def parts_error(change: RiskChange) -> float:
    """The absolute difference of the parts' sum and the change in log-odds."""
    moved = _log_odds(change.probability) - _log_odds(change.previous_probability)
    return abs(sum(change.parts.values()) - moved)


def is_rise(change: RiskChange) -> bool:
    return RISK_LEVELS.index(change.level) > RISK_LEVELS.index(change.previous_level)


def _log_odds(probability: float) -> float:
    return float(log_odds_of(np.array(probability)))


def report(changes: list[RiskChange], shown: int) -> None:
    """Print the table, and the first ``shown`` changes by id."""
    heads = f"{'parts off':>10} {'with a reason':>14} {'own past':>9} {'cohort':>7} {'rises':>7}"
    print(f"{'course run':22} {'changes':>8} {heads} {'would help':>11} {'not new':>7}")
    runs = sorted({change.course_run for change in changes})
    for name, subset in [
        *((run, [change for change in changes if change.course_run == run]) for run in runs),
        ("all", changes),
    ]:
        _line(name, subset)
    for change in sorted(changes, key=lambda change: change.risk_change_id)[:shown]:
        levels = f"{change.previous_level} → {change.level}"
        estimates = f"{change.previous_probability:.2f} → {change.probability:.2f}"
        print(f"\n{change.course_run}, {levels}, {estimates} ({change.model_state})")
        for reason in change.reasons:
            print(f"  {reason.contribution:+.2f}  {reason.text}")
            if reason.relief:
                print(f"         would help: {reason.relief}")


def _line(name: str, changes: list[RiskChange]) -> None:
    texts = [reason.text for change in changes for reason in change.reasons]
    rises = [change for change in changes if is_rise(change)]
    reasoned = sum(bool(change.reasons) for change in changes)
    cohort = sum("than for" in text for text in texts)
    not_new = sum(any(reason.feature in NON_FEATURE_PARTS for reason in change.reasons) for change in changes)
    relieved = sum(any(reason.relief for reason in change.reasons) for change in rises)
    print(
        f"{name:22} {len(changes):8,} {max(map(parts_error, changes), default=0):10.1e} {reasoned:14,}"
        f" {_share(sum('(before: ' in text for text in texts), len(texts)):>9}"
        f" {_share(cohort, len(texts)):>7}"
        f" {len(rises):7,} {_share(relieved, len(rises)):>11}"
        f" {_share(not_new, len(changes)):>7}"
    )


def _share(part: int, total: int) -> str:
    return f"{part / total:.0%}" if total else "–"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--learners", type=int, default=1_000)
    parser.add_argument("--shown", type=int, default=30)
    parser.add_argument("--oulad", type=Path)
    parser.add_argument("--module", action="append", help="of OULAD; again for more of them; none: all")
    options = parser.parse_args()
    if options.oulad is None:
        messages = stream(SimulationPlan.term(options.learners))
    else:
        folder = OuladFolder(options.oulad)
        presentations = [
            presentation
            for presentation in folder.presentations
            if presentation.module in (options.module or [presentation.module])
        ]
        messages = folder.stream(presentations)
    report(ReplayedChanges.of(messages).changes, options.shown)


if __name__ == "__main__":
    main()
