"""Which decisions compare, and when what became of them is known."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from nudges.experiments.exposure import Exposure, exposure_of
from nudges.experiments.outcomes import (
    OUTCOMES,
    EnrolmentResult,
    Outcome,
    activity_outcome,
    run_end_outcomes,
    windows_closing,
)
from schemas.fields import DAY_S
from schemas.nudge import NudgeDecision

DAY = 16_000


def decision(**changes: Any) -> NudgeDecision:
    decided_at = datetime.fromtimestamp(DAY * DAY_S + 6 * 3600, UTC)
    row = {
        "decision_id": "d1",
        "risk_change_id": "c1",
        "nudge_id": "n1",
        "learner": "ann",
        "course_run": "BBB/2014B",
        "decided_at": decided_at,
        "send_at": decided_at,
        "decision": "send",
        "reason": "sent",
        "campaign": "reach-out",
        "policy_version": "first-1",
        "propensity": 0.9,
    }
    return NudgeDecision.model_validate(row | changes)


def exposed(earlier: Sequence[Exposure] = (), **changes: Any) -> Exposure:
    exposure = exposure_of(decision(**changes), DAY, earlier)
    assert exposure is not None
    return exposure


def test_chance_made_these() -> None:
    sent = exposed(variant="short")
    assert (sent.arm, sent.variant, sent.day, sent.propensity, sent.first) == (
        "nudged",
        "short",
        DAY,
        0.9,
        True,
    )
    held = exposed(decision="hold", reason="holdout", propensity=0.1)
    assert (held.arm, held.variant, held.propensity) == ("holdout", "", 0.1)
    assert exposed(reason="quiet_hours").arm == "nudged"
    assert exposed(decision="hold", reason="awaiting_approval").arm == "nudged"


def test_an_exposure_survives_json() -> None:
    before = exposure_of(decision(), DAY, [], (1, 0, 1, 0))
    assert before is not None
    assert Exposure.from_row(json.loads(json.dumps(before.to_row()))) == before


def test_only_an_enrolments_first_exposure_is_its_first() -> None:
    first = exposed()
    assert not exposed([first], risk_change_id="c2", decision_id="d2").first


def test_an_instructors_yes_exposes_nobody_anew() -> None:
    proposed = exposed(decision="hold", reason="awaiting_approval")
    assert exposure_of(decision(decision_id="d2"), DAY, [proposed]) is None


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ("hold", "cap_reached"),
        ("hold", "level_not_nudged"),
        ("hold", "opted_out"),
        ("hold", "warming_up"),
        ("hold", "run_over"),
        ("hold", "declined"),
        ("cancel", "recovered"),
    ],
)
def test_a_guards_no_is_in_neither_arm(made: str, reason: str) -> None:
    assert exposure_of(decision(decision=made, reason=reason, propensity=1.0), DAY, []) is None


def test_each_window_closes_once() -> None:
    closings = {day - DAY: windows_closing(DAY, day) for day in range(DAY - 2, DAY + 30)}
    assert {day: names for day, names in closings.items() if names} == {6: ("active_7",), 13: ("active_14",)}


def test_activity_counts_from_the_day_of_the_decision() -> None:
    assert activity_outcome("active_7", DAY, DAY - 1, DAY + 6) == Outcome("active_7", False, DAY + 6)
    assert activity_outcome("active_7", DAY, DAY, DAY + 6).happened
    assert activity_outcome("active_7", DAY, DAY + 6, DAY + 6).happened


def test_the_runs_end_decides_exit_and_completion() -> None:
    outcomes = run_end_outcomes(EnrolmentResult(passed=False, left=True), 500)
    assert [(outcome.name, outcome.happened, outcome.known_on) for outcome in outcomes] == [
        ("exit", True, 500),
        ("completion", False, 500),
    ]
    assert {outcome.name for outcome in outcomes} | {"active_7", "active_14"} == set(OUTCOMES)
