"""The policy's chooser that learns: variants by what has become of those who got them.

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


def by_outcomes(
    key: str, risk_change_id: str, context: tuple[int, ...], learned: Mapping[str, Ints]
) -> Chooser:
    """A chooser for one decision.

    ``key`` names the draws; ``context``: of :func:`nudges.experiments.bandit.context_of`; ``learned``: sums
    by campaign and variant, joined by a slash, int64 [STAGES, inputs, inputs + 1]. A variant without sums has
    not been tried.
    """
    by_weights = by_weight(key)

    def choose(campaign: Campaign, enrolment: tuple[str, str], situation: Situation) -> Choice:
        if campaign.choosing == "weights":
            return by_weights(campaign, enrolment, situation)
        shares = probabilities(Bandit.of(_sums(campaign, learned)), context)
        place = pick(position(key, *enrolment, f"variant/{campaign.name}/{risk_change_id}"), shares)
        return Choice(campaign.variants[place].name, shares[place])

    return choose


def stages(early: Mapping[str, Ints], choices: Mapping[str, Ints]) -> dict[str, Ints]:
    """What a day package has learned, as :func:`by_outcomes` takes it; what has another shape is left out."""
    known, before = (len(INPUTS), len(INPUTS) + 1), (STAGES - 1, len(INPUTS), len(INPUTS) + 1)
    found: dict[str, Ints] = {}
    for name in sorted({*early, *choices}):
        found[name] = np.zeros((STAGES, *known), np.int64)
        for sums, shape, place in ((early, before, slice(-1)), (choices, known, -1)):
            if name in sums and sums[name].shape == shape:
                found[name][place] = sums[name]
    return found


def _sums(campaign: Campaign, learned: Mapping[str, Ints]) -> Ints:
    untried = np.zeros((STAGES, len(INPUTS), len(INPUTS) + 1), np.int64)
    of = [learned.get(f"{campaign.name}/{one.name}", untried) for one in campaign.variants]
    return np.stack(of, axis=1)
