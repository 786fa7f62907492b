"""Event days: which day a moment belongs to, by the calendar of one time zone.

A day of study ends when the learners sleep, so an installation whose learners live in the Americas does not
cut its days at midnight in Greenwich. Days are numbered as epoch days are: day *d* is the date that is *d*
days after 1970-01-01, in the zone. It has 23 or 25 hours where the clocks change, and none where a zone left
a date out.
"""

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from schemas.fields import DAY_S

Ints = NDArray[np.int64]

_HOUR_S = 3600
_LAST_DAY = 52_000
"""In 2112: platforms' moments end with 2099, and some are computed from them."""


class EventDays:
    """The event days of a time zone. zone: an IANA name.

    :func:`event_days` makes them; each zone's are computed once.

    Raises:
        ValueError: there is no such zone.
    """

    def __init__(self, zone: str = "UTC") -> None:
        self.zone = zone
        self._starts: Ints | None = None if zone == "UTC" else _starts(zone)

    def day(self, moment: int) -> int:
        """The day of a moment, epoch seconds."""
        return moment // DAY_S if self._starts is None else int(self.days(np.array([moment]))[0])

    def days(self, moments: Ints) -> Ints:
        """The days of moments, epoch seconds [n]."""
        if self._starts is None:
            return moments // DAY_S
        return np.searchsorted(self._starts, moments, side="right").astype(np.int64) - 1

    def start(self, day: int) -> int:
        """The moment at which a day starts, epoch seconds."""
        return day * DAY_S if self._starts is None else int(self._starts[min(max(day, 0), _LAST_DAY)])

    def first_from(self, moment: int) -> int:
        """The first day that starts at a moment or after it."""
        if self._starts is None:
            return -(-moment // DAY_S)
        return int(np.searchsorted(self._starts, moment, side="left"))

    def utc_offset_h(self, day: int) -> int:
        """How far the zone's clocks are ahead of UTC as a day starts, whole hours."""
        return round((day * DAY_S - self.start(day)) / _HOUR_S)

    def hours(self, moments: Ints) -> Ints:
        """The hours of the day of moments, in [0, 24): the 25th of a long day counts as the 24th."""
        if self._starts is None:
            return moments % DAY_S // _HOUR_S
        hours: Ints = np.minimum((moments - self._starts[self.days(moments)]) // _HOUR_S, 23)
        return hours


@lru_cache(maxsize=8)
def event_days(zone: str = "UTC") -> EventDays:
    """The event days of a time zone, an IANA name.

    Raises:
        ValueError: there is no such zone.
    """
    return EventDays(zone)


def _starts(zone: str) -> Ints:
    """The starts of the days 0 to ``_LAST_DAY``, epoch seconds, ascending.

    A midnight that the clocks skip is the moment of the change; of one that comes twice it is the first.
    """
    try:
        tz = ZoneInfo(zone)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError("there is no such time zone; expected an IANA name such as Europe/Berlin") from error
    first = date(1970, 1, 1)
    midnights = (datetime.combine(first + timedelta(days=day), time(), tz) for day in range(_LAST_DAY + 1))
    starts = np.fromiter((int(midnight.timestamp()) for midnight in midnights), np.int64, _LAST_DAY + 1)
    starts.flags.writeable = False
    return starts
