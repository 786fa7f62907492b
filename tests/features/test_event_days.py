"""Event days of every time zone: each moment has one, as the zone's calendar says."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.event_days import EventDays
from schemas.fields import DAY_S, EARLIEST, LATEST

MOMENTS = st.integers(int(EARLIEST.timestamp()), int(LATEST.timestamp()))
ZONES = st.sampled_from(sorted(available_timezones()))
EPOCH = date(1970, 1, 1)


def moment(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@given(MOMENTS)
def test_days_in_utc_are_epoch_days(at: int) -> None:
    days = EventDays()
    assert days.day(at) == at // DAY_S
    assert days.hours(np.array([at])).tolist() == [datetime.fromtimestamp(at, UTC).hour]


@settings(deadline=None, max_examples=40)
@given(ZONES, MOMENTS)
def test_a_moment_lies_in_its_day(zone: str, at: int) -> None:
    days = EventDays(zone)
    day = days.day(at)
    assert days.start(day) <= at < days.start(day + 1)
    assert days.first_from(days.start(day) + 1) >= day
    assert 0 <= int(days.hours(np.array([at]))[0]) < 24


@settings(deadline=None, max_examples=40)
@given(ZONES, MOMENTS)
def test_a_day_is_the_date_of_the_zone(zone: str, at: int) -> None:
    """But for the minutes of a date that comes back after midnight, when clocks are set back across it."""
    local = datetime.fromtimestamp(at, ZoneInfo(zone))
    day, by_date = EventDays(zone).day(at), (local.date() - EPOCH).days
    assert day == by_date or (day == by_date + 1 and local.fold == 1)


@pytest.mark.parametrize(
    ("zone", "dates", "hours"),
    [
        ("Europe/Berlin", ("2026-03-29", "2026-03-30"), 23),
        ("Europe/Berlin", ("2026-10-25", "2026-10-26"), 25),
        ("America/Sao_Paulo", ("2018-11-04", "2018-11-05"), 23),  # the clocks change at midnight
        ("Australia/Lord_Howe", ("2026-04-05", "2026-04-06"), 24.5),
        ("Pacific/Apia", ("2011-12-30", "2011-12-31"), 0),  # a date that Samoa left out
        ("Asia/Kathmandu", ("2026-01-01", "2026-01-02"), 24),
    ],
)
def test_days_are_as_long_as_the_clocks_make_them(zone: str, dates: tuple[str, str], hours: float) -> None:
    first, second = ((date.fromisoformat(text) - EPOCH).days for text in dates)
    days = EventDays(zone)
    assert days.start(second) - days.start(first) == hours * 3600


def test_an_evening_in_the_americas_is_one_day() -> None:
    days = EventDays("America/Lima")
    evening = [moment(f"2026-02-01T{hour}:30", "America/Lima") for hour in (18, 20, 23)]
    assert len({days.day(at) for at in evening}) == 1
    assert len({EventDays().day(at) for at in evening}) == 2
    assert days.hours(np.array(evening)).tolist() == [18, 20, 23]


def test_what_is_due_at_the_end_of_a_day_is_due_before_the_next() -> None:
    days = EventDays("America/Lima")
    due = moment("2026-02-01T23:59", "America/Lima")
    assert days.first_from(due) == days.day(due) + 1
    midnight = moment("2026-02-02T00:00", "America/Lima")
    assert days.first_from(midnight) == days.day(midnight)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe/Berlin\0"])
def test_a_zone_that_does_not_exist_is_named(zone: str) -> None:
    with pytest.raises(ValueError, match="expected an IANA name"):
        EventDays(zone)
