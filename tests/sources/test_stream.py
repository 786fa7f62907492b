"""Ticks and pacing: what every replaying source relies on."""

from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.inbound import event_adapter
from sources.stream import CLOSING_DAYS, DAY, SourceMessage, paced, tick, with_ticks


def event(timestamp: int) -> SourceMessage:
    return SourceMessage("learner", b"{}", False, timestamp)


def is_tick(message: SourceMessage) -> bool:
    return message.broadcast


@given(st.lists(st.integers(DAY * 15_000, DAY * 15_040), min_size=1))
def test_every_day_has_its_tick_before_its_events(times: list[int]) -> None:
    out = list(with_ticks([event(timestamp) for timestamp in sorted(times)], "test"))
    ticks = [message.occurred_at for message in out if is_tick(message)]
    first, last = min(times) // DAY, max(times) // DAY
    assert ticks == [day * DAY for day in range(first, last + CLOSING_DAYS + 1)]
    assert [message.occurred_at for message in out if not is_tick(message)] == sorted(times)
    assert all(earlier.occurred_at <= later.occurred_at for earlier, later in pairwise(out))
    for earlier, later in pairwise(out):
        # At midnight itself, the tick comes first: a day's events are those at or after its start.
        assert not (earlier.occurred_at == later.occurred_at and is_tick(later) and not is_tick(earlier))


def test_the_last_tick_passes_the_last_day_by_a_day_of_lateness() -> None:
    *_, last = with_ticks([event(DAY * 100 + 5)], "test")
    assert last.occurred_at - DAY >= DAY * 101


def test_no_events_no_ticks() -> None:
    assert list(with_ticks([], "test")) == []


def test_an_event_before_its_days_tick_is_refused() -> None:
    with pytest.raises(ValueError, match="occurred_at: 1970-01-01T23:59:59Z follows the tick of 1970-01-02"):
        list(with_ticks([event(DAY), event(DAY - 1)], "test"))


def test_a_tick_keeps_the_contract() -> None:
    body = event_adapter.validate_json(tick(16_000, "test").value)
    assert body["type"] == "tick"
    assert orjson.loads(tick(16_000, "test").value)["occurred_at"] == "2013-10-22T00:00:00Z"


class Clock:
    """A clock that moves only when slept on, or by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_pace_is_event_time_by_speed_up() -> None:
    clock = Clock()
    stream = [event(timestamp) for timestamp in (1_000, 1_000, 1_600, 4_600)]
    times = [(message.occurred_at, clock.now) for message in paced(stream, 60, clock.sleep, clock.time)]
    assert times == [(1_000, 0.0), (1_000, 0.0), (1_600, 10.0), (4_600, 60.0)]


def test_a_stalled_reader_does_not_get_a_burst() -> None:
    clock = Clock()
    times = []
    for message in paced([event(timestamp) for timestamp in range(0, 600, 60)], 60, clock.sleep, clock.time):
        times.append(clock.now)
        if message.occurred_at == 120:
            clock.now += 100
    assert times[:3] == [0, 1, 2]
    assert times[3:6] == [102, 102, 103]


def test_without_speed_up_nothing_waits() -> None:
    clock = Clock()
    assert len(list(paced([event(0), event(DAY)], None, clock.sleep, clock.time))) == 2
    assert clock.now == 0


@pytest.mark.parametrize("speed_up", [0, -1, float("nan")])
def test_a_speed_up_must_be_positive(speed_up: float) -> None:
    with pytest.raises(ValueError, match=r"speed_up: .*, expected a number above 0"):
        list(paced([event(0)], speed_up))
