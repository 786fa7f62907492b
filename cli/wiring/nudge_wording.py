"""What a proposed nudge would say, for the console, which may not import policies."""

import logging
from pathlib import Path

from console.ports import Proposed
from nudges.policy import Policy
from schemas.risk import Reason
from streams.policy_files import PolicyFileError, read_policies

log = logging.getLogger(__name__)


class PolicyWording:
    """See :class:`console.ports.Wording`. Knows the default policy, and those of a file or folder."""

    def __init__(self, default: Policy, path: Path | None) -> None:
        """Raises ``PolicyFileError``."""
        self._path = path
        self._policies = {policy.version: policy for policy in (default, *self._read())}

    def text(self, proposed: Proposed) -> str | None:
        """See :meth:`console.ports.Wording.text`."""
        policy = self._of(proposed.policy_version)
        campaigns = policy.campaigns if policy else ()
        variants = {
            variant.name: (campaign, variant)
            for campaign in campaigns
            if campaign.name == proposed.campaign
            for variant in campaign.variants
        }
        if proposed.variant not in variants:
            return None
        campaign, variant = variants[proposed.variant]
        raising = [one for one in proposed.reasons if one[2] > 0]
        heaviest = max(raising, key=lambda one: one[2], default=None)
        main = heaviest and Reason(feature=heaviest[0], text=heaviest[1], contribution=heaviest[2])
        return variant.suggestion(main).words(campaign.variables(proposed.course_run, main))

    def _of(self, version: str) -> Policy | None:
        """The policy of a version; one that is not known may have been written since."""
        if version not in self._policies:
            try:
                self._policies |= {policy.version: policy for policy in self._read()}
            except PolicyFileError as error:
                log.warning("what a proposal would say cannot be told: %s", error)
        return self._policies.get(version)

    def _read(self) -> list[Policy]:
        return read_policies(self._path) if self._path else []
