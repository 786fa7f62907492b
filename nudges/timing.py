"""Chooses the sending time: the hour at which the learner usually studies, outside quiet hours, and in time.

A *profile* counts active hours by hour of the week in UTC, Monday 00:00 first. The learner's own profile and
the cohort's are added, the cohort's as if it were ``COHORT_WEIGHT_H`` hours of the learner's: a learner
without a habit gets the cohort's, one with a habit keeps it. Of the hours within reach the busiest is chosen,
of equal ones the first. People keep to local time, so after a clock change the hours of a profile are read
with the UTC offset of the profile's middle: seven in the evening stays seven in the evening.
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

COHORT_WEIGHT_H = 4.0
"""Hours of the learner's own activity that weigh as much as the whole cohort's profile."""

PROFILE_AGE_S = 14 * 86_400
"""Age of the middle of a profile, which covers four weeks."""

DEFAULT_DIGEST_TIME = time(9)
"""Local time of a digest that is to be sent at the study hour, when none is known."""

DAYS_AHEAD = 16
"""Days to search for a digest: more than two weeks, since one day of a zone may not exist."""

Profile = Sequence[int]


@dataclass(frozen=True, slots=True)
class Habit:
    """Active hours by hour of the week in UTC, 168 counts or empty: the learner's and the cohort's."""

    own: Profile = ()
    cohort: Profile = ()

    def weights(self) -> list[float]:
        """How likely the learner studies at each of the week's 168 hours, up to a factor; 0 if unknown."""
        own, cohort = self.own or [0] * WEEK_H, self.cohort or [0] * WEEK_H
        scale = COHORT_WEIGHT_H / max(sum(cohort), 1)
        return [own_hours + scale * cohort_hours for own_hours, cohort_hours in zip(own, cohort, strict=True)]


def study_hour(
    earliest: int, latest: int, tz: ZoneInfo, quiet: QuietHours | None, habit: Habit
) -> int | None:
    """The best moment in [earliest, latest], epoch seconds, outside quiet hours; None without a habit.

    It is the beginning of an hour, or ``earliest`` itself where its hour is the best.
    """
    if not (habit.own or habit.cohort):
        return None
    weights, usual_offset = habit.weights(), _utc_offset_s(earliest - PROFILE_AGE_S, tz)
    shifts = {offset - usual_offset for offset in (_utc_offset_s(earliest, tz), _utc_offset_s(latest, tz))}
    best_weight, best_moment = 0.0, None
    for hour in range(earliest // HOUR_S, latest // HOUR_S + 1):
        moment = max(hour * HOUR_S, earliest)
        shift = min(shifts) if len(shifts) == 1 else _utc_offset_s(moment, tz) - usual_offset
        weight = weights[((moment + shift) // HOUR_S - FIRST_MONDAY_H) % WEEK_H]
        if weight > best_weight and allowed(moment, tz, quiet):
            best_weight, best_moment = weight, moment
    return best_moment


def _utc_offset_s(moment: int, tz: ZoneInfo) -> int:
    """A zone's UTC offset at a moment, in seconds."""
    offset = datetime.fromtimestamp(moment, tz).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


def next_digest(now: int, tz: ZoneInfo, digest: Digest, quiet: QuietHours | None, habit: Habit) -> int:
    """The time of the first digest at or after ``now`` (epoch seconds), outside quiet hours.

    The best hour is chosen from the whole day, whatever part of it is over: decisions at noon and at night
    must not make two digests of one day. Where the clock skips a time, the offset before the jump counts.
    """
    today = datetime.fromtimestamp(now, UTC).astimezone(tz).date()
    days = (today + timedelta(ahead) for ahead in range(-1, DAYS_AHEAD))
    moments = (
        _digest_moment(day, tz, digest, quiet, habit)
        for day in days
        if digest.weekday in (None, WEEKDAYS[day.weekday()])
    )
    return next(moment for moment in moments if moment >= now)


def _digest_moment(day: date, tz: ZoneInfo, digest: Digest, quiet: QuietHours | None, habit: Habit) -> int:
    if digest.at is None:
        start, end = (int(datetime.combine(day + timedelta(days), time(), tz).timestamp()) for days in (0, 1))
        best = study_hour(start, end - 1, tz, quiet, habit)
        if best is not None:
            return best
    moment = datetime.combine(day, digest.at or DEFAULT_DIGEST_TIME, tz)
    return next_allowed(int(moment.timestamp()), tz, quiet)
