"""What was said after the decision is heard, in whatever order it was said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from notifier.withdrawals import Withdrawals
from tests.notifier.nudging import cancelled, nudge

NOW = datetime.now(UTC)


def feedback(**fields: Any) -> bytes:
    return orjson.dumps({"event_id": "e", "learner": "ann", "occurred_at": NOW, **fields})


def test_a_cancelled_nudge_does_not_go_and_others_do() -> None:
    withdrawals = Withdrawals()
    withdrawals.apply_nudge_record(nudge("n").model_dump_json().encode())
    assert withdrawals.reason_against(nudge("n"), NOW) is None
    withdrawals.apply_nudge_record(cancelled(nudge("n")).model_dump_json().encode())
    withdrawals.apply_nudge_record(b'{"type": "nudge_cancelled"}')
    assert withdrawals.reason_against(nudge("n"), NOW) == "recovered"
    assert withdrawals.reason_against(nudge("m"), NOW) is None
    withdrawals.forget(NOW - timedelta(days=1))
    assert withdrawals.reason_against(nudge("n"), NOW) == "recovered"
    withdrawals.forget(NOW + timedelta(days=1))
    assert withdrawals.reason_against(nudge("n"), NOW) is None


def test_a_closed_channel_a_pause_and_the_suppression_list_hold_back() -> None:
    withdrawals = Withdrawals()
    withdrawals.apply_feedback_record(feedback(type="feedback", kind="unsubscribed", channel="sms"))
    withdrawals.apply_feedback_record(b"{}")
    assert withdrawals.reason_against(nudge("n", channel="sms"), NOW) == "opted_out"
    assert withdrawals.reason_against(nudge("n"), NOW) is None
    assert withdrawals.reason_against(nudge("n", learner="bob", channel="sms"), NOW) is None
    later = NOW + timedelta(hours=1)
    withdrawals.apply_feedback_record(
        feedback(type="preferences", occurred_at=later, opted_out=[], paused_until=later, said_by="learner")
    )
    assert withdrawals.reason_against(nudge("n", channel="sms"), NOW) == "paused"
    assert withdrawals.reason_against(nudge("n", channel="sms"), later) is None
    withdrawals.apply_feedback_record(
        feedback(type="preferences", occurred_at=later, event_id="f", suppressed=True)
    )
    assert withdrawals.reason_against(nudge("n"), later) == "suppressed"


def test_a_wish_of_next_year_wins_over_nothing() -> None:
    withdrawals = Withdrawals()
    withdrawals.apply_feedback_record(
        feedback(type="preferences", occurred_at=NOW + timedelta(days=400), suppressed=True)
    )
    assert withdrawals.reason_against(nudge("n"), NOW) is None
    withdrawals.apply_feedback_record(feedback(type="preferences", event_id="f", opted_out=["email"]))
    withdrawals.apply_feedback_record(
        feedback(type="preferences", occurred_at=NOW + timedelta(days=400), opted_out=[])
    )
    assert withdrawals.reason_against(nudge("n"), NOW) == "opted_out"


def test_a_no_is_taken_back_by_the_learner_or_by_an_admin_who_says_why() -> None:
    for who, open_again in (
        ({}, False),
        ({"said_by": "instructor", "reason": "a mistake"}, False),
        ({"said_by": "admin"}, False),
        ({"said_by": "admin", "reason": "asked by telephone"}, True),
        ({"said_by": "learner"}, True),
    ):
        withdrawals = Withdrawals()
        later = feedback(
            type="preferences", event_id="f", occurred_at=NOW + timedelta(minutes=1), opted_out=[], **who
        )
        for message in (later, feedback(type="feedback", kind="unsubscribed", channel="email"), later):
            withdrawals.apply_feedback_record(message)
        assert (withdrawals.reason_against(nudge("n"), NOW) is None) == open_again, who
