"""Quiet hours: the part of a learner's local night in which nothing is sent, clock changes included.

Time zones are IANA names and come from learners and platforms, so a name that does not exist is no
error here: such a learner is served in the default zone. Names that mean another thing on another
machine (``localtime``) count as not existing. The zone rules are those of the tz database at hand.
"""

from datetime import datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.zones import is_zone_name

MAX_DAYS = 4
"""A night may end on the next day; one of its ends may fall into a gap, and one day may not exist."""


class QuietHours(BaseModel):
    """Local wall-clock times, half-open [start, end); over midnight where start is after end."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: time = Field(time(21), description="from this time by the learner's clock")
    end: time = Field(time(8), description="to this time, which is no longer quiet")

    @model_validator(mode="after")
    def _is_a_span(self) -> Self:
        for name, value in (("start", self.start), ("end", self.end)):
            if value.tzinfo is not None:
                raise ValueError(f"{name} is {value}; expected a local time without a zone")
            if value.microsecond:
                raise ValueError(f"{name} is {value}; expected whole seconds")
        if self.start == self.end:
            raise ValueError(f"start and end are both {self.start}; expected a span (or no quiet hours)")
        return self

    def contains(self, moment: time) -> bool:
        """Whether a local wall-clock time lies in the quiet hours."""
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


def zone(name: str | None, default: str) -> ZoneInfo:
    """The learner's zone, or the default one where there is none or its name does not exist."""
    return ZoneInfo(name if name is not None and is_zone_name(name) else default)


def allowed(moment: int, tz: ZoneInfo, quiet: QuietHours | None) -> bool:
    """Whether a moment (epoch seconds) lies outside the quiet hours of a zone."""
    return quiet is None or not quiet.contains(datetime.fromtimestamp(moment, tz).time())


def next_allowed(moment: int, tz: ZoneInfo, quiet: QuietHours | None) -> int:
    """``moment`` itself (epoch seconds) outside the quiet hours of a zone, else the moment they end.

    Where the clock skips that time, it is converted with the offset before the jump: up to the jump's length
    later, never earlier. Where the clock shows it twice, the next one counts.
    """
    if quiet is None or allowed(moment, tz, quiet):
        return moment
    today = datetime.fromtimestamp(moment, tz).date()
    for days in range(MAX_DAYS):
        end = datetime.combine(today + timedelta(days), quiet.end, tz)
        ends = {int(end.timestamp()), int(end.replace(fold=1).timestamp())}
        if later_ends := [end_s for end_s in ends if end_s > moment and allowed(end_s, tz, quiet)]:
            return min(later_ends)
    raise AssertionError(f"no end of the quiet hours {quiet} within {MAX_DAYS} days in {tz}")
