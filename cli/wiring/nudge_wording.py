"""The text of a proposed nudge, for the console, which may not import policies."""

import logging
from pathlib import Path

from console.ports import ProposedNudge
from nudges.policy import Policy
from schemas.risk import Reason
from streams.policy_files import PolicyFileError, read_policies

log = logging.getLogger(__name__)


class PolicyWording:
    """Implements :class:`console.ports.Wording` with the default policy and those of a file or folder."""

    def __init__(self, default: Policy, path: Path | None) -> None:
        """Read the policies.

        Raises:
            PolicyFileError: a policy is invalid.
        """
        self._path = path
        self._policies = {policy.version: policy for policy in (default, *self._read_policies())}

    def text(self, proposed: ProposedNudge) -> str | None:
        """See :meth:`console.ports.Wording.text`."""
        policy = self._policy(proposed.policy_version)
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
        raising = [reason for reason in proposed.reasons if reason[2] > 0]
        heaviest = max(raising, key=lambda reason: reason[2], default=None)
        main = heaviest and Reason(feature=heaviest[0], text=heaviest[1], contribution=heaviest[2])
        return variant.suggestion(main).render(campaign.variables(proposed.course_run, main))

    def _policy(self, version: str) -> Policy | None:
        """The policy of a version; reads the files again for a version that is new."""
        if version not in self._policies:
            try:
                self._policies |= {policy.version: policy for policy in self._read_policies()}
            except PolicyFileError as error:
                log.warning("what a proposal would say cannot be told: %s", error)
        return self._policies.get(version)

    def _read_policies(self) -> list[Policy]:
        return read_policies(self._path) if self._path else []
