"""Risk changes and messages for the tests of nudging."""

from datetime import UTC, datetime
from typing import Any

from schemas.risk import Reason, RiskChange, RiskLevel

DAY = 86_400
HOUR = 3600
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())
"""A Monday."""


def instant(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def risk_change(
    previous: RiskLevel = "low",
    level: RiskLevel = "high",
    learner: str = "ann",
    course_run: str = "BBB/2014B",
    at: int = NOON,
    **other: object,
) -> RiskChange:
    content = {
        "risk_change_id": f"{learner}:{course_run}:{at}",
        "learner": learner,
        "course_run": course_run,
        "occurred_at": instant(at),
        "day": at // DAY,
        "previous_level": previous,
        "level": level,
        "probability": 0.8,
        "previous_probability": 0.3,
        "exit_probability": 0.1,
        "model_state": "serving",
        "model_version": "m1",
        "reasons": [],
        "parts": {},
    }
    return RiskChange.model_validate(content | other)


def reason(feature: str, contribution: float = 1.0, text: str = "in words") -> Reason:
    return Reason(feature=feature, text=text, contribution=contribution)


def preferences(at: int = NOON, event_id: str = "p", **wishes: Any) -> dict[str, Any]:
    common = {"type": "preferences", "learner": "ann", "event_id": event_id, "occurred_at": instant(at)}
    return common | wishes


def feedback(kind: str, at: int = NOON, event_id: str = "f", **more: Any) -> dict[str, Any]:
    common = {"type": "feedback", "learner": "ann", "event_id": event_id, "occurred_at": instant(at)}
    return common | {"kind": kind} | more
