"""The days of a time zone: what happens at the same hour of the wall clock counts the same everywhere."""

from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from engine.pseudonyms import Identity
from engine.state.errors import StateMismatchError
from engine.state.partition_state import PartitionState
from features.event_days import event_days
from tests.engine.twins.world import RUN, Message, Told, at, messages, play

MOMENTS = ("occurred_at", "graded_at", "starts_at", "ends_at", "due_at", "from_at", "until_at")


def at_the_same_hour(message: Message, zone: str) -> Message:
    """The message with its moments at the same wall-clock time in another zone."""
    moved: dict[str, Any] = {}
    for name, value in message.items():
        if name in MOMENTS and value is not None:
            wall = datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=ZoneInfo(zone))
            moved[name] = wall.astimezone(UTC).isoformat()
        elif name == "deadlines":
            moved[name] = [at_the_same_hour(deadline, zone) for deadline in value]
    return message | moved


def term() -> list[Message]:
    """The term, with a pause in it."""
    whose = {"event_id": "pause", "learner": "sim-a-now-000047", "course_run": RUN}
    pause = {"type": "pause", "occurred_at": at(9.9), "from_at": at(10), "until_at": at(12.5)}
    return [*messages(), whose | pause]


@cache
def in_utc() -> Told:
    return play(term())


@pytest.mark.parametrize("zone", ["America/Lima", "Asia/Kathmandu", "America/New_York", "Pacific/Auckland"])
def test_the_same_hours_of_another_zone_give_the_same_estimates(zone: str) -> None:
    """In New York and Auckland the clocks change during the term."""
    told = play([at_the_same_hour(message, zone) for message in term()], zone=zone)
    assert not {10, 11, 12} & told.days("sim-a-now-000047")
    assert told.estimates == in_utc().estimates
    assert [change.day for change in told.changes] == [change.day for change in in_utc().changes]
    days = event_days(zone)
    assert all(change.occurred_at.timestamp() == days.start(change.day) for change in told.changes)


def test_under_days_of_utc_an_evening_in_lima_moves_estimates() -> None:
    """Otherwise the test above would show nothing."""
    moved = [at_the_same_hour(message, "America/Lima") for message in term()]
    assert play(moved).estimates != in_utc().estimates


def test_a_state_of_another_zone_is_refused_in_one_line() -> None:
    state = PartitionState(Identity(b""), days=event_days("America/Lima"))
    rows = [(key, value) for key, value in state.checkpoint(1) if value is not None]
    assert PartitionState.restore(Identity(b""), rows, event_days("America/Lima")).days.zone == "America/Lima"
    with pytest.raises(StateMismatchError, match="set HOMEROOM_TIME_ZONE to America/Lima"):
        PartitionState.restore(Identity(b""), rows)
