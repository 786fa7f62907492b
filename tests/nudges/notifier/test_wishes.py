"""The newest wish of a learner is the one that counts."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from nudges.notifier.wishes import Wishes
from schemas.learner import Preferences

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def preferences(hour: int, **wishes: Any) -> Preferences:
    said = {"type": "preferences", "event_id": f"p{hour}", "learner": "ann", **wishes}
    said["occurred_at"] = NOW.replace(hour=hour)
    return cast(Preferences, said)


def test_an_unsubscription_closes_its_channel_until_it_is_opened_again() -> None:
    wishes = Wishes()
    wishes.take(
        {
            "type": "feedback",
            "event_id": "e",
            "learner": "ann",
            "kind": "unsubscribed",
            "occurred_at": NOW,
            "channel": "sms",
        }
    )
    assert wishes.against("ann", "sms", NOW) == "opted_out"
    assert wishes.against("ann", "email", NOW) is None
    assert wishes.against("bob", "sms", NOW) is None
    wishes.take(preferences(13, opted_out=[]))
    assert wishes.against("ann", "sms", NOW) is None


def test_older_preferences_change_nothing_and_what_they_leave_out_stays() -> None:
    wishes = Wishes()
    wishes.take(preferences(10, opted_out=["email"], paused_until=NOW + timedelta(hours=1)))
    wishes.take(preferences(9, opted_out=[], paused_until=None))
    assert wishes.against("ann", "email", NOW) == "opted_out"
    assert wishes.against("ann", "sms", NOW) == "paused"
    assert wishes.against("ann", "sms", NOW + timedelta(hours=1)) is None
    wishes.take(preferences(11, paused_until=None))
    assert wishes.against("ann", "sms", NOW) is None
    assert wishes.against("ann", "email", NOW) == "opted_out"
