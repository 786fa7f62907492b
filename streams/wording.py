"""What a proposed nudge would say, for the console, which may not import policies."""

from collections.abc import Iterable

from console.ports import Proposed
from nudges.policy import Policy
from schemas.risk import Reason


class PolicyWording:
    """See :class:`console.ports.Wording`. ``policies``: all that may have proposed something."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = {policy.version: policy for policy in policies}

    def text(self, proposed: Proposed) -> str | None:
        """See :meth:`console.ports.Wording.text`."""
        policy = self._policies.get(proposed.policy_version)
        campaigns = policy.campaigns if policy else ()
        campaign = next((one for one in campaigns if one.name == proposed.campaign), None)
        if campaign is None:
            return None
        raising = [one for one in proposed.reasons if one[2] > 0]
        heaviest = max(raising, key=lambda one: one[2], default=None)
        main = heaviest and Reason(feature=heaviest[0], text=heaviest[1], contribution=heaviest[2])
        suggestion = campaign.variant(proposed.variant).suggestion(main)
        return suggestion.words(campaign.variables(proposed.course_run, main))
