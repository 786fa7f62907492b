"""Nudges to deliver."""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.learner import Channel
from schemas.nudge import Nudge, NudgeCancelled


def nudge(
    name: str,
    *,
    learner: str = "ann",
    channel: Channel = "email",
    due_in_s: float = -1.0,
    lasts_s: float = 3600.0,
    text: str = "Open the week you stopped at and read one page.",
    suggestion: str | None = None,
    **more: Any,
) -> Nudge:
    """A nudge that is due in so many seconds, and expires so many after."""
    send_at = datetime.now(UTC) + timedelta(seconds=due_in_s)
    made = Nudge(
        nudge_id=name,
        risk_change_id="change",
        learner=learner,
        course_run="BBB/2014B",
        campaign="reach-out",
        channel=channel,
        decided_at=send_at,
        send_at=send_at,
        expires_at=send_at + timedelta(seconds=lasts_s),
        goal="active again in the course within 7 days",
        text=text,
        suggestion=suggestion,
        reasons=["no activity for 9 days (was active on 4 of 7 days before)"],
    )
    return made.model_copy(update=more)


def cancelled(one: Nudge) -> NudgeCancelled:
    """What takes a nudge back."""
    return NudgeCancelled(
        nudge_id=one.nudge_id,
        learner=one.learner,
        course_run=one.course_run,
        cancelled_at=one.decided_at,
        reason="recovered",
    )
