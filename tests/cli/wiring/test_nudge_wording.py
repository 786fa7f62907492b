"""What a proposal would say is what the nudge will say."""

from dataclasses import replace
from pathlib import Path

import pytest

from cli.demo_page import DEMO_POLICY as SHIPPED
from cli.wiring.nudge_wording import PolicyWording
from console.ports import ProposedNudge
from nudges.policy import Policy
from streams.policy_files import PolicyFileError, read_policy

SILENCE = ("silence", "no activity for 9 days", 0.9)
POINTS = ("points", "40 % of the points due so far earned", 0.4)
RELIEF = ("forum_7", "3 clicks (forum) in the last 7 days", -2.0)
POLICY = Policy()
WORDING = PolicyWording(POLICY, None)


def text(
    *reasons: tuple[str, str, float], version: str = POLICY.version, campaign: str = "reach-out"
) -> str | None:
    return WORDING.text(ProposedNudge("AAA/2014B", campaign, "plain", version, reasons))


def test_it_is_about_the_reason_that_raises_the_risk_most() -> None:
    assert (text(SILENCE, POINTS) or "").startswith("We have not seen you in AAA/2014B for a while.")
    assert (text(POINTS, SILENCE, RELIEF) or "").startswith("We have not seen you in AAA/2014B")
    assert (text(POINTS) or "").startswith("The last results in AAA/2014B were hard going.")
    assert (text(RELIEF) or "").startswith("AAA/2014B has had less of your time lately.")


def test_a_policy_or_campaign_that_is_not_known_says_nothing() -> None:
    assert text(SILENCE, version="first-000000000000") is None
    assert text(SILENCE, campaign="another") is None
    assert WORDING.text(ProposedNudge("AAA/2014B", "reach-out", "", POLICY.version, (SILENCE,))) is None


def test_a_policy_that_was_written_since_is_read(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    wording = PolicyWording(POLICY, file)
    file.write_text(file.read_text().replace("missed-deadline", "late-work"), encoding="utf-8")
    proposed = ProposedNudge("AAA/2014B", "late-work", "offer-of-time", read_policy(file).version, (SILENCE,))
    assert (wording.text(proposed) or "").startswith("A deadline in AAA/2014B has gone by")
    file.write_text("campaigns: 7", encoding="utf-8")
    assert wording.text(replace(proposed, policy_version="nobody-knows")) is None
    with pytest.raises(PolicyFileError):
        PolicyWording(POLICY, file)
