"""When to send: at the hour at which this learner usually studies, outside of the night, and in time.

A *profile* counts active hours by hour of the week in UTC, Monday 00:00 first. The learner's own profile
and the cohort's are added, the cohort's as if it were ``PRIOR`` hours of the learner's: who has no habit
yet gets the cohort's, who has one keeps it. Of the hours that may be waited for, the busiest is taken, of
equal ones the first. People keep to their own clock, so after a change of it the hours of a profile are read
by the clock of the profile's middle: seven in the evening stays seven in the evening.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from nudges.policy import WEEKDAYS, Digest
from nudges.quiet_hours import QuietHours, allowed, next_allowed

HOUR_S = 3600
WEEK_H = 7 * 24
FIRST_MONDAY_H = 4 * 24
"""1970-01-01 was a Thursday."""

PRIOR = 4.0
"""Hours of activity of one's own that weigh as much as the whole cohort's habit."""

PROFILE_AGE_S = 14 * 86_400
"""How long ago the middle of a profile lies, which covers four weeks."""

USUAL = time(9)
"""A digest's time by the learner's clock, where it is to be at the hour of study and none is known."""

DAYS_AHEAD = 16
"""Days to look for a digest: two weeks and some, since one day of a zone may not exist."""

Profile = Sequence[int]


@dataclass(frozen=True, slots=True)
class Habit:
    """Active hours by hour of the week in UTC, 168 counts each, or none: the learner's and the cohort's."""

    own: Profile = ()
    cohort: Profile = ()

    def weights(self) -> list[float]:
        """How likely the learner is to study at each hour of the week, up to a factor; all 0 if unknown."""
        own, cohort = self.own or [0] * WEEK_H, self.cohort or [0] * WEEK_H
        scale = PRIOR / max(sum(cohort), 1)
        return [mine + scale * theirs for mine, theirs in zip(own, cohort, strict=True)]


def study_hour(at: int, latest: int, where: ZoneInfo, quiet: QuietHours | None, habit: Habit) -> int | None:
    """The best moment in [at, latest] outside of the quiet hours, or None where no hour is known to be good.

    It is ``at`` itself, where this hour is the best, or the beginning of an hour.
    """
    if not (habit.own or habit.cohort):
        return None
    weights, usual = habit.weights(), _clock(at - PROFILE_AGE_S, where)
    moved = {clock - usual for clock in (_clock(at, where), _clock(latest, where))}
    best, found = 0.0, None
    for hour in range(at // HOUR_S, latest // HOUR_S + 1):
        moment = max(hour * HOUR_S, at)
        shift = min(moved) if len(moved) == 1 else _clock(moment, where) - usual
        weight = weights[((moment + shift) // HOUR_S - FIRST_MONDAY_H) % WEEK_H]
        if weight > best and allowed(moment, where, quiet):
            best, found = weight, moment
    return found


def _clock(at: int, where: ZoneInfo) -> int:
    """By how many seconds a zone's clock is ahead of UTC at a moment."""
    ahead = datetime.fromtimestamp(at, where).utcoffset()
    return 0 if ahead is None else int(ahead.total_seconds())


def next_digest(at: int, where: ZoneInfo, digest: Digest, quiet: QuietHours | None, habit: Habit) -> int:
    """The first digest at or after a moment, outside of the quiet hours.

    Of a whole day the best hour is taken, whatever part of it is over: what is decided at noon and what is
    decided at night must not make two digests of one day. Where the clock jumps over a time, it is as before
    the jump.
    """
    today = datetime.fromtimestamp(at, UTC).astimezone(where).date()
    days = (today + timedelta(ahead) for ahead in range(-1, DAYS_AHEAD))
    moments = (
        _digest_of(day, where, digest, quiet, habit)
        for day in days
        if digest.weekday in (None, WEEKDAYS[day.weekday()])
    )
    return next(moment for moment in moments if moment >= at)


def _digest_of(day: date, where: ZoneInfo, digest: Digest, quiet: QuietHours | None, habit: Habit) -> int:
    if digest.at is None:
        start, end = (
            int(datetime.combine(day + timedelta(more), time(), where).timestamp()) for more in (0, 1)
        )
        best = study_hour(start, end - 1, where, quiet, habit)
        if best is not None:
            return best
    moment = datetime.combine(day, digest.at or USUAL, where)
    return next_allowed(int(moment.timestamp()), where, quiet)
