"""The experiments' effects for the console, which may not import them."""

from collections.abc import Sequence
from typing import cast

from console.ports import Difference, OutcomeCount
from nudges.experiments import report
from nudges.experiments.exposure import Arm
from nudges.experiments.outcomes import OutcomeName


class HoldoutEffects:
    """Implements :class:`console.ports.Effects`; intervals stay valid however often they are looked at."""

    def differences(self, counts: Sequence[OutcomeCount]) -> list[Difference]:
        """See :meth:`console.ports.Effects.differences`."""
        lines = report.effect_lines(
            report.OutcomeCount(
                count.campaign,
                count.variant,
                cast(Arm, count.arm),
                cast(OutcomeName, count.outcome),
                count.known,
                count.happened,
            )
            for count in counts
        )
        return [_difference(line) for line in lines]


def _difference(line: report.EffectLine) -> Difference:
    effect = line.effect
    return Difference(
        campaign=line.campaign,
        variant=line.variant,
        outcome=line.outcome,
        nudged=effect.nudged.known,
        nudged_share=effect.nudged.share if effect.nudged.known else 0.0,
        held_out=effect.holdout.known,
        held_out_share=effect.holdout.share if effect.holdout.known else 0.0,
        low=effect.interval.low,
        high=effect.interval.high,
        judgement=line.judgement,
    )
