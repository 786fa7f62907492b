"""What a sample's times say of clocks, order and repeats: pure functions of its figures."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from evaluation.event_check.counts import EventCounts
from evaluation.event_check.finding import WHOLE_SAMPLE, Finding, percent, some
from evaluation.event_check.people import QUIET_HOURS, six_hours
from schemas.fields import DAY_S

ENOUGH = 100
"""Activities below which shares say nothing."""

NOTICED = 0.01
"""Share of activities from which a fault of theirs is a finding."""

UNORDERED = 0.5
"""Share of activities behind the file's clock from which the file is not in the order of time."""

JUMPS, JUMP_SHARE = 5, 0.001
"""Activities ahead of their neighbours, and their share, from which a clock may be fast."""

NEAR_HOUR_MIN, STEADY_MIN = 5, 15
"""Minutes: how near a whole hour an offset lies that is a time zone's, and how little it varies."""

NIGHT_TO = 8
"""The hour, local time, before which the middle of a night lies, for the learners of a whole platform."""

QUIETER = 0.05
"""Share of activities by which six hours of the day must be quieter than any of the night to be a finding."""

SAME_ZONE = 0.5
"""Share of registrations that name one time zone from which the sample is held against it."""

LEAP_DAYS = 7
"""Days by which one record moves the newest event time from which it may have a wrong time."""

MIDNIGHT = 0.8
"""Share of activities in the first hour of the day, UTC, from which times are dates."""

COPIES = 0.02
"""Share of activities that are there twice under different ids from which it is a finding: two clicks in a
second may look alike."""


def times(counts: EventCounts) -> list[Finding]:
    """What is unusual about times and repeats."""
    if counts.lateness.activities < ENOUGH:
        return []
    rules: tuple[Callable[[EventCounts], Iterator[Finding]], ...] = (
        _leap,
        _order,
        _record_times,
        _jumps,
        _nights,
        _repeats,
    )
    return [finding for rule in rules for finding in rule(counts)]


def _order(counts: EventCounts) -> Iterator[Finding]:
    late = counts.lateness
    if late.late >= UNORDERED * late.activities:
        found = f"{percent(late.late, late.activities)} of the activities are older than one before them"
        means = (
            "sent in this order, days close before their events come: sort what was exported by event time"
        )
        yield Finding("look", "not_in_order", WHOLE_SAMPLE, found, means)
    elif late.after_close >= NOTICED * late.activities:
        found = (
            f"{percent(late.after_close, late.activities)} of the activities came after their day was closed"
        )
        means = (
            "estimates made meanwhile did not know them, later ones do; HOMEROOM_LATENESS_HOURS can be longer"
        )
        yield Finding("look", "late", WHOLE_SAMPLE, found, means)


def _leap(counts: EventCounts) -> Iterator[Finding]:
    """One record that leaves the others behind: a wrong time in an export of the past."""
    too_late = counts.refusals.get(("too_late", "occurred_at"))
    if too_late is None or too_late.records < NOTICED * counts.records or counts.leap_s < LEAP_DAYS * DAY_S:
        return
    found = f"one record moves the newest event time by {counts.leap_s // DAY_S:,} days"
    means = "is its time right? Days up to it close at once, and what follows it from before is too late"
    yield Finding("look", "leap", counts.leap_place, found, means)


def _record_times(counts: EventCounts) -> Iterator[Finding]:
    offsets = counts.offsets
    if offsets.records < ENOUGH:
        return
    hours = whole_hours(offsets.quantiles[0.5], offsets.quantiles[0.95])
    if hours:
        side = "ahead of" if hours > 0 else "behind"
        found = f"event times are {abs(hours)} h {side} their records', steadily"
        means = "is local time sent as UTC? occurred_at must carry the offset of its clock, such as +01:00"
        yield Finding("look", "whole_hours", WHOLE_SAMPLE, found, means)
    elif offsets.ahead >= NOTICED * offsets.records:
        share = percent(offsets.ahead, offsets.records)
        found = f"{share} of the activities are 5 min or more ahead of their records"
        means = "a source's clock is fast: the event is counted in a day that may not have begun"
        yield Finding("look", "ahead", WHOLE_SAMPLE, found, means)


def whole_hours(middle: int, upper: int) -> int:
    """Whole hours by which event times are off their records', 0 where it is no time zone's offset.

    middle, upper: the 50th and 95th of 100 offsets, minutes. The upper ones are of records sent at once.
    """
    hours = round(upper / 60)
    is_steady = upper - middle <= STEADY_MIN and abs(upper - 60 * hours) <= NEAR_HOUR_MIN
    return hours if is_steady and abs(hours) <= 14 else 0


def _jumps(counts: EventCounts) -> Iterator[Finding]:
    late, jumps = counts.lateness, sum(counts.jumps.values())
    if late.late < UNORDERED * late.activities and jumps >= max(JUMPS, JUMP_SHARE * late.activities):
        share = percent(jumps, late.activities)
        found = f"{share} of the activities are 5 min or more ahead of the records around them"
        means = (
            "is the clock of these sources fast? An event ahead can close a day before its last ones are in"
        )
        yield Finding("look", "fast_clock", some(counts.jumps), found, means)


def _nights(counts: EventCounts) -> Iterator[Finding]:
    total = sum(counts.hours)
    if total < ENOUGH:
        return
    if counts.hours[0] >= MIDNIGHT * total:
        found = f"{percent(counts.hours[0], total)} of the activities are within the hour after midnight, UTC"
        means = (
            "are these dates without a time? The hour is used for nudges, and the order within a day is lost"
        )
        yield Finding("look", "dates_only", WHOLE_SAMPLE, found, means)
        return
    zone, named = next(iter(counts.timezones.most_common(1)), ("", 0))
    if named < SAME_ZONE * sum(counts.timezones.values()):
        zone = ""
    offset = offset_hours(zone, counts.last or 0) if zone else 0
    sums = six_hours(counts.hours)
    by_day = [sum_ for first, sum_ in enumerate(sums) if not _is_night(first + offset)]
    by_night = [sum_ for first, sum_ in enumerate(sums) if _is_night(first + offset)]
    if min(by_night) - min(by_day) < QUIETER * total:
        return
    first = min(range(24), key=sums.__getitem__)
    quiet = f"{(first + offset) % 24:02}:00 to {(first + offset + QUIET_HOURS) % 24:02}:00"
    where = f"in {zone}, which most registrations name" if zone else "UTC"
    means = (
        "is that the learners' night? If not, local times are sent as UTC, and days begin at the wrong hour"
    )
    yield Finding("look", "nights", WHOLE_SAMPLE, f"the quietest six hours are {quiet} {where}", means)


def _is_night(first: int) -> bool:
    """Whether six hours in a row that begin at this one, local time, can be a platform's night."""
    return (first + QUIET_HOURS // 2) % 24 <= NIGHT_TO


def offset_hours(zone: str, moment: int) -> int:
    """Whole hours by which a time zone is ahead of UTC at a moment, epoch seconds; 0 for an unknown one."""
    try:
        offset = datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return 0
    return round(offset.total_seconds() / 3600) if offset is not None else 0


def _repeats(counts: EventCounts) -> Iterator[Finding]:
    repeats = counts.repeat_counts
    if repeats.reused:
        found = f"{percent(repeats.reused, repeats.events)} of the activities have another's event_id"
        means = "an id names one event: what comes with a known one is dropped as a repeat, and lost"
        yield Finding("look", "ids_reused", WHOLE_SAMPLE, found, means)
    if repeats.repeated and repeats.repeated >= NOTICED * repeats.events:
        share = percent(repeats.repeated, repeats.events)
        found = f"{share} of the activities come again, with the same event_id"
        means = "dropped while the id is remembered; counted again after that"
        yield Finding("look", "repeated", WHOLE_SAMPLE, found, means)
    if repeats.copies and repeats.copies >= COPIES * repeats.contents:
        share = percent(repeats.copies, repeats.contents)
        found = f"{share} of the activities come again, under another event_id"
        means = (
            "counted again: an event_id must come from the event (its row, its hash), not from the sending"
        )
        yield Finding("look", "copies", WHOLE_SAMPLE, found, means)
