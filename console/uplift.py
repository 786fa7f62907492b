"""A difference between nudged and held out, as the API answers it."""

from console.models import Uplift
from console.ports import Difference


def uplift(found: Difference) -> Uplift:
    """A difference as it is answered: what nobody can know yet is null."""
    both = bool(found.nudged and found.held_out)
    return Uplift(
        campaign=found.campaign,
        variant=found.variant,
        outcome=found.outcome,
        nudged=found.nudged,
        nudged_share=found.nudged_share if found.nudged else None,
        held_out=found.held_out,
        held_out_share=found.held_out_share if found.held_out else None,
        difference=found.nudged_share - found.held_out_share if both else None,
        low=found.low,
        high=found.high,
        judgement=found.judgement,
    )
