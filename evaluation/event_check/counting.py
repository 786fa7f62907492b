"""Adds up the verdicts on a sample to ``EventCounts``, in memory that does not grow with the file.

Learners, event ids and contents are counted in samples of at most ``MAX_LEARNERS`` and ``MAX_EVENTS``, runs
and names up to a number; that is some 120 MB. Beside it lie, as in a worker, the ids of the events of two
days by the watermark, about 150 bytes each, and eight bytes of each one of the days before.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import cast

import numpy as np

from engine.batch.activities import Activity
from engine.batch.admission import FAST_S
from engine.batch.decoding import Message
from engine.batch.unknown_fields import OTHERS, count_names
from engine.rules import Rules
from evaluation.event_check.counts import (
    MAX_EXAMPLES,
    CalendarFacts,
    EventCounts,
    LearnerCounts,
    RefusalGroup,
    RunCounts,
)
from evaluation.event_check.samples import KeySample, MinuteHistogram
from evaluation.event_check.verdicts import LogReader, Verdicts
from features.ring import NEVER, Ints
from schemas.dead_letter import DeadLetter
from schemas.fields import DAY_S, is_never
from sources.formats import SourceRecord

MAX_LEARNERS, MAX_EVENTS = 50_000, 100_000
MAX_RUNS, MAX_GROUPS, MAX_NAMES, MAX_OBJECTS, MAX_OTHERS = 2_000, 64, 1_000, 500, 200_000
"""Runs; kinds of refusals; sources and time zones; works of a run; enrolments of other roles."""

LATE_DAYS, BEHIND_DAYS, AHEAD_DAYS = 60, 60, 3
"""What the histograms of minutes tell apart."""

QUANTILES = (0.1, 0.5, 0.9, 0.95, 0.99)

_INDEX = re.compile(r"\.\d+(?=\.|$)")


class EventCounter:
    """Counts the records of one sample, in order. rules, now: as in ``LogReader``."""

    def __init__(self, rules: Rules, now: int) -> None:
        self._reader = LogReader(rules, now)
        self._counts = EventCounts(clock=rules.timing.clock)
        self._learners: KeySample[LearnerCounts] = KeySample(MAX_LEARNERS)
        self._ids: KeySample[int] = KeySample(MAX_EVENTS)
        self._contents: KeySample[str] = KeySample(MAX_EVENTS)
        self._others: set[tuple[str, str]] = set()
        self._late = MinuteHistogram(0, LATE_DAYS * 1440)
        self._offsets = MinuteHistogram(-BEHIND_DAYS * 1440, AHEAD_DAYS * 1440)

    def add(self, name: str, records: Sequence[SourceRecord]) -> None:
        """Count successive records of a file."""
        verdicts, counts = self._reader.read(records), self._counts
        counts.records += len(records)
        for index, letter in verdicts.letters:
            self._add_letter(letter, f"{name}:{records[index].line}")
        for names in verdicts.unknown.values():
            count_names(counts.unknown, names)
        counts.repeats += int(verdicts.repeats.sum())
        applied = np.flatnonzero(~verdicts.repeats & ~verdicts.late).tolist()
        counts.applied += len(applied) + len(verdicts.feedback)
        counts.feedback += len(verdicts.feedback)
        counts.types.update(message["type"] for message in verdicts.feedback)
        times = verdicts.times.tolist()
        for position in applied:
            message = verdicts.messages[position]
            if isinstance(message, Activity):
                self._add_activity(message, times[position])
            else:
                self._add_fact(message, times[position])
        self._add_times(verdicts, records)
        self._add_leap(verdicts, name, records)

    def counts(self) -> EventCounts:
        """The figures of all records so far."""
        counts = self._counts
        for learner, run in self._others:  # whose registration says that they are no learners
            if (one := self._learners.values.get(learner)) is not None:
                one.active.discard(run)
        counts.learners = {
            name: one for name, one in self._learners.values.items() if one.active or one.enrolled
        }
        counts.learners_one_in = self._learners.one_in
        counts.learner_number = len(counts.learners) * self._learners.one_in
        late, offsets = counts.lateness, counts.offsets
        late.late = self._late.above(1)
        for share in QUANTILES:
            if (minutes := self._late.quantile(share, above=1)) is not None:
                late.quantiles[share] = minutes
            if (minutes := self._offsets.quantile(share)) is not None:
                offsets.quantiles[share] = minutes
        offsets.records, offsets.ahead = self._offsets.total, self._offsets.above(FAST_S // 60)
        return counts

    def _add_letter(self, letter: DeadLetter, place: str) -> None:
        groups = self._counts.refused_fields if letter.is_about_a_field else self._counts.refusals
        self._counts.refused += not letter.is_about_a_field
        key = letter.reason, _INDEX.sub(".*", letter.field)
        if key not in groups and len(groups) >= MAX_GROUPS:
            key = letter.reason, OTHERS
        group = groups.setdefault(key, RefusalGroup())
        group.records += 1
        if len(group.examples) < MAX_EXAMPLES:
            group.examples.append((place, letter.detail))

    def _run(self, name: str) -> RunCounts:
        runs = self._counts.runs
        key = name if name in runs or len(runs) < MAX_RUNS else OTHERS
        return runs.setdefault(key, RunCounts())

    def _add_activity(self, activity: Activity, time: int) -> None:
        counts = self._counts
        counts.types["activity"] += 1
        _count(counts.sources, activity.source)
        if activity.actor == "system" or activity.role not in (None, "learner"):
            counts.roles["system" if activity.actor == "system" else str(activity.role)] += 1
            return
        counts.kinds[activity.kind] += 1
        hour = time % DAY_S // 3600
        counts.hours[hour] += 1
        counts.first, counts.last = _span(counts.first, counts.last, time)
        run = self._run(activity.course_run)
        run.activities += 1
        run.first, run.last = _span(run.first, run.last, time)
        learner = self._learners.get(activity.learner, LearnerCounts)
        if learner is not None:
            learner.hours[hour] += 1
            learner.active.add(activity.course_run)
            learner.submissions += activity.kind == "submission"
        if activity.kind == "submission":
            run.submissions += 1
            run.scored += activity.score is not None
            run.without_object += activity.object is None
            if activity.object is not None and len(run.objects) < MAX_OBJECTS:
                run.objects.add(activity.object)

    def _add_fact(self, message: Message, time: int) -> None:
        counts, kind = self._counts, message["type"]
        counts.types[kind] += 1
        _count(counts.sources, message.get("source", ""))
        if kind in ("tick", "merged"):  # of no run
            return
        run = self._run(message["course_run"])
        run.facts[kind] += 1
        if kind == "calendar":
            _take_calendar(run, message, time)
        elif kind == "enrolled":
            self._add_enrolment(message)

    def _add_enrolment(self, message: Message) -> None:
        role, enrolment = message.get("role"), (message["learner"], message["course_run"])
        if role not in (None, "learner"):
            self._counts.roles[role] += 1
            if len(self._others) < MAX_OTHERS:
                self._others.add(enrolment)
            return
        if message.get("timezone"):
            _count(self._counts.timezones, message["timezone"])
        learner = self._learners.get(message["learner"], LearnerCounts)
        if learner is not None:
            learner.enrolled.add(message["course_run"])

    def _add_times(self, verdicts: Verdicts, records: Sequence[SourceRecord]) -> None:
        """Lateness, clocks and repeats of the activities, by the order of the file."""
        positions = [
            position for position, message in enumerate(verdicts.messages) if isinstance(message, Activity)
        ]
        if not positions:
            return
        activities = [cast(Activity, verdicts.messages[position]) for position in positions]
        self._add_jumps(activities, verdicts.times[positions], verdicts.newest[positions])
        for activity in activities:
            self._add_repeat(activity)
        once = np.array([position for position in positions if not verdicts.repeats[position]], np.int64)
        timed = once[verdicts.newest[once] != NEVER]
        self._late.add(np.maximum(verdicts.newest[timed] - verdicts.times[timed], 0))
        self._counts.lateness.activities += len(once)
        self._counts.lateness.after_close += int(verdicts.after_close[once].sum())
        stamps = {position: records[verdicts.records[position]].timestamp for position in once.tolist()}
        stamped = [(position, stamp // 1000) for position, stamp in stamps.items() if stamp is not None]
        if stamped:
            indices, seconds = np.array(stamped, np.int64).T
            self._offsets.add(verdicts.times[indices] - seconds)

    def _add_leap(self, verdicts: Verdicts, name: str, records: Sequence[SourceRecord]) -> None:
        """Keep the largest leap of the newest event time, and the record that made it."""
        if not len(verdicts.leaps):
            return
        position = int(verdicts.leaps.argmax())
        if (leap := int(verdicts.leaps[position])) > self._counts.leap_s:
            place = f"{name}:{records[verdicts.records[position]].line}"
            self._counts.leap_s, self._counts.leap_place = leap, place

    def _add_jumps(self, activities: Sequence[Activity], times: Ints, newest: Ints) -> None:
        """Count activities ahead of all before them and of the next one: as if their clock were fast.

        The next one must be no older than those before, since else it is that one which is late.
        """
        this, following, before = times[:-1], times[1:], newest[:-1]
        is_ahead = (this > before + FAST_S) & (this > following + FAST_S) & (following >= before - FAST_S)
        for index in np.flatnonzero(is_ahead & (before != NEVER)).tolist():
            _count(self._counts.jumps, activities[index].source)

    def _add_repeat(self, activity: Activity) -> None:
        repeats, event_id, content = self._counts.repeat_counts, activity.event_id, _content(activity)
        is_known = event_id in self._ids.values
        known_hash = self._ids.get(event_id, lambda: hash(content))
        if known_hash is not None:
            repeats.events += 1
            repeats.repeated += is_known and known_hash == hash(content)
            repeats.reused += is_known and known_hash != hash(content)
        known_id = self._contents.get(content, lambda: event_id)
        if known_id is not None:
            repeats.contents += 1
            repeats.copies += known_id != event_id


def _content(activity: Activity) -> str:
    """All that an activity says but its id."""
    parts = (activity.learner, activity.course_run, activity.kind, activity.occurred_at.timestamp())
    more = (activity.object, activity.duration_s, activity.score, activity.progress, activity.session)
    return "\0".join(map(str, (*parts, *more, activity.count)))


def _count(counts: "Counter[str]", name: str) -> None:
    """Count a name; beyond the first ``MAX_NAMES`` under ``others``."""
    counts[name if name in counts or len(counts) < MAX_NAMES else OTHERS] += 1


def _span(first: int | None, last: int | None, time: int) -> tuple[int, int]:
    return time if first is None else min(first, time), time if last is None else max(last, time)


def _take_calendar(run: RunCounts, message: Message, time: int) -> None:
    """Keep a calendar if it is the newest of its run."""
    if run.calendar is not None and time < run.calendar.said_at:
        return
    ends: datetime | None = message.get("ends_at")
    dated = [one for one in message["deadlines"] if one.get("due_at") is None or not is_never(one["due_at"])]
    run.calendar = CalendarFacts(
        time,
        int(message["starts_at"].timestamp()),
        None if ends is None or is_never(ends) else int(ends.timestamp()),
        frozenset(one["assessment"] for one in dated),
    )
