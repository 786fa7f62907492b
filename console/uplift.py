"""Converts a difference between nudged and held out into the API's model."""

from console.models import Uplift
from console.ports import Difference


def uplift(difference: Difference) -> Uplift:
    """The difference as a response; values that are not known yet are null."""
    both = bool(difference.nudged and difference.held_out)
    return Uplift(
        campaign=difference.campaign,
        variant=difference.variant,
        outcome=difference.outcome,
        nudged=difference.nudged,
        nudged_share=difference.nudged_share if difference.nudged else None,
        held_out=difference.held_out,
        held_out_share=difference.held_out_share if difference.held_out else None,
        difference=difference.nudged_share - difference.held_out_share if both else None,
        low=difference.low,
        high=difference.high,
        judgement=difference.judgement,
    )
