"""The probabilities with which a policy would take each action at the draws that were recorded.

An *action* is a variant of a campaign, or no nudge. At a recorded draw the policies of that time gave each
variant of the draw's campaign, and no nudge, a chance; other campaigns had none there. So another policy can
be judged only where it keeps to those actions; elsewhere its effect is *not yet known*, and such a row is
left out of the comparison and counted (:func:`supported`). Whether it is left out depends on nothing that
happened after the draw, so those that are left still compare.

The estimates themselves are :mod:`nudges.experiments.off_policy`'s.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from nudges.choosing import variant_shares
from nudges.experiments.exposure import arm_of
from nudges.experiments.off_policy import Bools, Floats
from nudges.policy import Policy
from schemas.nudge import NudgeDecision

NO_NUDGE = "no nudge"


def action(campaign: str, variant: str) -> str:
    """The name of an action; a variant is empty where there was no nudge."""
    return f"{campaign}/{variant}" if variant else NO_NUDGE


def shares(policy: Policy, decision: NudgeDecision | None) -> dict[str, float]:
    """The probability of each action over the draws, given the policy's decision.

    ``None``, for a change on which the policy did not decide, is no nudge, like any refusal of a guard.
    """
    if decision is None or arm_of(decision) is None:
        return {NO_NUDGE: 1.0}
    (campaign,) = (campaign for campaign in policy.campaigns if campaign.name == decision.campaign)
    nudged = 1.0 - policy.holdout_share
    nudge_shares = {
        action(campaign.name, variant.name): nudged * share
        for variant, share in zip(campaign.variants, variant_shares(campaign), strict=True)
    }
    return {NO_NUDGE: policy.holdout_share} | nudge_shares


def share_columns(rows: Sequence[Mapping[str, float]], actions: Sequence[str]) -> tuple[Floats, Floats]:
    """Shares as columns: float64 [n, actions], and [n], each row's share for actions that are not listed."""
    columns = {name: column for column, name in enumerate(actions)}
    shares, beyond = np.zeros((len(rows), len(actions))), np.zeros(len(rows))
    for row, row_shares in enumerate(rows):
        for name, share in row_shares.items():
            if name in columns:
                shares[row, columns[name]] = share
            else:
                beyond[row] += share
    return shares, beyond


def supported(shares: Floats, beyond: Floats, actions: Sequence[str], campaigns: Sequence[str]) -> Bools:
    """Whether every action that a policy may take at a draw had a chance there, bool [n].

    ``shares``, ``beyond``: of :func:`share_columns`; ``campaigns``: of the n draws.
    """
    own = np.array(
        [[action == NO_NUDGE or action.startswith(f"{name}/") for action in actions] for name in campaigns]
    )
    has_chances: Bools = (beyond == 0.0) & ~((shares > 0.0) & ~own).any(axis=1)
    return has_chances
