"""Run the engine on events of your own, in ten lines: who becomes inactive, and the risk changes."""

from datetime import UTC, datetime, timedelta

from engine.api import Identity, run

START = datetime(2026, 2, 2, 9, tzinfo=UTC)
STOPS = {"ada": 120, "ben": 120, "cy": 10}  # the day after which each does nothing more


def activity(learner: str, day: int) -> dict[str, object]:
    """One event of the contract (schemas/json): these are the least fields."""
    event = {"type": "activity", "event_id": f"{learner}-{day}", "learner": learner, "kind": "content"}
    return event | {"course_run": "course-a/2026", "occurred_at": START + timedelta(days=day)}


events = [activity(name, day) for day in range(120) for name, last in STOPS.items() if day <= last]
for outputs in run(events, Identity(b"a secret of yours")):
    for change in outputs.risk_changes:
        reason = change.reasons[0].text if change.reasons else ""
        print(
            f"{change.occurred_at:%d %b} {change.learner} {change.previous_level} → {change.level}: {reason}"
        )
