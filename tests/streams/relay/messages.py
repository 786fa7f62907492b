"""Messages to deliver, and a strategy of any."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from schemas.cloud_event import OutMessage
from schemas.nudge import Nudge, NudgeCancelled
from schemas.risk import RiskChange
from tests.notifier.nudging import cancelled, nudge

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)


def change(name: str = "change", learner: str = "ann") -> RiskChange:
    """A risk change."""
    return RiskChange(
        risk_change_id=name,
        learner=learner,
        course_run="BBB/2014B",
        occurred_at=NOON,
        day=20_485,
        previous_level="low",
        level="high",
        probability=0.71,
        previous_probability=0.2,
        exit_probability=0.4,
        model_state="serving",
        model_version="7",
        reasons=[],
        parts={"activity": 1.5},
    )


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
MOMENTS = st.datetimes(
    datetime(2000, 1, 1),
    datetime(2100, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]),
)


@st.composite
def out_messages(draw: st.DrawFn) -> OutMessage:
    """Any risk change, nudge or cancellation."""
    name, learner, run, moment = draw(NAMES), draw(NAMES), draw(NAMES), draw(MOMENTS)
    common = {"learner": learner, "course_run": run}
    match draw(st.sampled_from([RiskChange, Nudge, NudgeCancelled])):
        case kind if kind is RiskChange:
            return change(name).model_copy(update=common | {"occurred_at": moment})
        case kind if kind is Nudge:
            update = common | {
                "decided_at": moment,
                "text": draw(NAMES),
                "suggestion": draw(st.none() | NAMES),
            }
            return nudge(name).model_copy(update=update)
        case _:
            return cancelled(nudge(name)).model_copy(update=common | {"cancelled_at": moment})
