"""Which decisions compare, and when what became of them is known."""

from datetime import UTC, datetime
from typing import Any

import pytest

from nudges.experiments.exposure import DAY_S, exposure_of
from nudges.experiments.outcomes import (
    OUTCOMES,
    Ending,
    Outcome,
    ended,
    returned,
    windows_closing,
    windows_open,
)
from schemas.nudge import NudgeDecision

DAY = 16_000


def decision(**changes: Any) -> NudgeDecision:
    at = datetime.fromtimestamp(DAY * DAY_S + 6 * 3600, UTC)
    row = {
        "decision_id": "d1",
        "risk_change_id": "c1",
        "nudge_id": "n1",
        "learner": "ann",
        "course_run": "BBB/2014B",
        "decided_at": at,
        "send_at": at,
        "decision": "send",
        "reason": "sent",
        "campaign": "reach-out",
        "policy_version": "first-1",
        "propensity": 0.9,
    }
    return NudgeDecision.model_validate(row | changes)


def test_chance_made_these_two() -> None:
    sent = exposure_of(decision(), "short", first=True)
    held = exposure_of(decision(decision="hold", reason="holdout", propensity=0.1), "short", first=False)
    assert sent is not None
    assert held is not None
    assert (sent.arm, sent.variant, sent.day, sent.propensity, sent.first) == (
        "nudged",
        "short",
        DAY,
        0.9,
        True,
    )
    assert (held.arm, held.variant, held.propensity, held.first) == ("holdout", "", 0.1, False)
    postponed = exposure_of(decision(reason="quiet_hours"), "short", first=True)
    assert postponed is not None
    assert postponed.arm == "nudged"


@pytest.mark.parametrize("reason", ["cap_reached", "level_not_nudged", "opted_out", "warming_up", "run_over"])
def test_a_guards_no_is_in_neither_arm(reason: str) -> None:
    assert exposure_of(decision(decision="hold", reason=reason, propensity=1.0), "", first=True) is None


def test_each_window_closes_once() -> None:
    closings = {day - DAY: windows_closing(DAY, day) for day in range(DAY - 2, DAY + 30)}
    assert {day: names for day, names in closings.items() if names} == {6: ("active_7",), 13: ("active_14",)}
    assert [day - DAY for day in range(DAY, DAY + 20) if windows_open(DAY, day)] == list(range(13))


def test_activity_counts_from_the_day_of_the_decision() -> None:
    assert returned("active_7", DAY, DAY - 1, DAY + 6) == Outcome("active_7", False, DAY + 6)
    assert returned("active_7", DAY, DAY, DAY + 6).happened
    assert returned("active_7", DAY, DAY + 6, DAY + 6).happened


def test_the_runs_end_decides_exit_and_completion() -> None:
    found = ended(Ending(passed=False, left=True), 500)
    assert [(one.name, one.happened, one.known) for one in found] == [
        ("exit", True, 500),
        ("completion", False, 500),
    ]
    assert {one.name for one in found} | {"active_7", "active_14"} == set(OUTCOMES)
