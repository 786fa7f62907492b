"""What a policy would have done at the draws that were recorded, as shares of the actions.

An *action* is a variant of a campaign, or no nudge. At a recorded draw the policies of that time gave each
variant of the draw's campaign, and no nudge, a chance; other campaigns had none there. So what the policy in
question does can be judged only where it keeps to those actions; elsewhere it is *not yet known*, and a row
of which that is true is left out of the comparison and counted (:func:`tried`). Whether it is left out
depends on nothing that happened after the draw, so those that are left still compare.

The estimates themselves are :mod:`nudges.experiments.off_policy`'s.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nudges.choosing import weights_of
from nudges.experiments.exposure import arm_of
from nudges.experiments.off_policy import Bools, Floats
from nudges.policy import Policy
from schemas.nudge import NudgeDecision

NO_NUDGE = "no nudge"


def action(campaign: str, variant: str) -> str:
    """The name of an action; a variant is empty where there was no nudge."""
    return f"{campaign}/{variant}" if variant else NO_NUDGE


def shares(policy: Policy, decision: NudgeDecision | None) -> dict[str, float]:
    """With what probability each action is taken where the policy decided so, over its draws.

    ``None``, for a change that the policy was not asked about, is no nudge, like any *no* of a guard.
    """
    if decision is None or arm_of(decision) is None:
        return {NO_NUDGE: 1.0}
    (campaign,) = (one for one in policy.campaigns if one.name == decision.campaign)
    nudged = 1.0 - policy.holdout_share
    found = {
        action(campaign.name, variant.name): nudged * share
        for variant, share in zip(campaign.variants, weights_of(campaign), strict=True)
    }
    return {NO_NUDGE: policy.holdout_share} | found


def wanted(rows: Sequence[Mapping[str, float]], actions: Sequence[str]) -> tuple[Floats, Floats]:
    """Shares as columns: float64 [n, actions], and [n], what each row has for actions that are not there."""
    places = {name: place for place, name in enumerate(actions)}
    found, beyond = np.zeros((len(rows), len(actions))), np.zeros(len(rows))
    for row, chosen in enumerate(rows):
        for name, share in chosen.items():
            if name in places:
                found[row, places[name]] = share
            else:
                beyond[row] += share
    return found, beyond


def tried(wanted: Floats, beyond: Floats, actions: Sequence[str], campaigns: Sequence[str]) -> Bools:
    """Whether all that a policy would do at a draw had a chance there, bool [n].

    ``wanted``, ``beyond``: of :func:`wanted`; ``campaigns``: of the n draws.
    """
    own = np.array([[one == NO_NUDGE or one.startswith(f"{name}/") for one in actions] for name in campaigns])
    found: Bools = (beyond == 0.0) & ~((wanted > 0.0) & ~own).any(axis=1)
    return found
