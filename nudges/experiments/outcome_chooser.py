"""The policy's chooser that learns: chooses variants by the outcomes of those who got them.

Joins the bandit to the policy: a campaign whose ``choosing`` is *outcomes* has its variants chosen by
:mod:`nudges.experiments.bandit`, anew for each decision; all other campaigns choose by weight, once an
enrolment.
"""

from collections.abc import Mapping

import numpy as np

from nudges.assignment import pick, position
from nudges.choosing import Choice, Chooser, Situation, by_weight
from nudges.experiments.bandit import INPUTS, Bandit, Ints, probabilities
from nudges.experiments.outcomes import STAGES
from nudges.policy import Campaign


def outcome_chooser(
    key: str, risk_change_id: str, context: tuple[int, ...], learned: Mapping[str, Ints]
) -> Chooser:
    """A chooser for one decision.

    ``key`` names the draws; ``context``: of :func:`nudges.experiments.bandit.context_of`; ``learned``: sums
    by campaign and variant, joined by a slash, int64 [STAGES, inputs, inputs + 1]. A variant without sums has
    not been tried yet.
    """
    choose_by_weight = by_weight(key)

    def choose(campaign: Campaign, enrolment: tuple[str, str], situation: Situation) -> Choice:
        if campaign.choosing == "weights":
            return choose_by_weight(campaign, enrolment, situation)
        shares = probabilities(Bandit.from_sums(_sums(campaign, learned)), context)
        index = pick(position(key, *enrolment, f"variant/{campaign.name}/{risk_change_id}"), shares)
        return Choice(campaign.variants[index].name, shares[index])

    return choose


def stage_sums(early: Mapping[str, Ints], choices: Mapping[str, Ints]) -> dict[str, Ints]:
    """A day package's sums, as :func:`outcome_chooser` takes them; those of another shape are left out."""
    last_shape = len(INPUTS), len(INPUTS) + 1
    early_shape = STAGES - 1, *last_shape
    learned: dict[str, Ints] = {}
    for name in sorted({*early, *choices}):
        learned[name] = np.zeros((STAGES, *last_shape), np.int64)
        for sums, shape, stage in ((early, early_shape, slice(-1)), (choices, last_shape, -1)):
            if name in sums and sums[name].shape == shape:
                learned[name][stage] = sums[name]
    return learned


def _sums(campaign: Campaign, learned: Mapping[str, Ints]) -> Ints:
    untried = np.zeros((STAGES, len(INPUTS), len(INPUTS) + 1), np.int64)
    by_variant = [learned.get(f"{campaign.name}/{variant.name}", untried) for variant in campaign.variants]
    return np.stack(by_variant, axis=1)
