"""Applies the messages of a batch between two day closes: drops duplicates, counts activities, stores facts.

Counting does not depend on order, so activities are added to the rows at once, vectorised. Messages whose
order matters are stored as facts until their day closes (:mod:`engine.batch.pending_facts`).
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from engine.batch.activities import Activities, Activity
from engine.batch.admission import AdmittedBatch
from engine.batch.decoding import Message, Refusal, dead_letter
from engine.batch.hourly_counts import HourlyCounts
from engine.batch.pending_facts import fact_of_activity, fact_of_message, fact_of_role, role_fact_id
from engine.outputs import Outputs
from engine.state.event_ids import EventIds
from engine.state.partition_state import PartitionState
from engine.state.source_counts import SourceActivities
from features.event_days import EventDays
from features.ring import CLOSED_DAYS, NEVER, count_activities

SUBMISSION = "submission"


class ActivityCounting:
    """Counts the activities of one partition and stores its facts."""

    def __init__(self, state: PartitionState, hourly: HourlyCounts) -> None:
        self._state = state
        self._hourly = hourly

    def apply(self, admitted: AdmittedBatch, stop: int, outputs: Outputs) -> None:
        """Apply messages from the batch's position up to ``stop``; no day may close between them.

        Appends to ``outputs`` a dead letter for each activity whose day closed too long ago.
        """
        state, clock, start = self._state, self._state.clock, admitted.position
        activities = self._under_newest_names(admitted.activities.between(start, stop))
        others = admitted.others[bisect_left(admitted.others, start) : bisect_left(admitted.others, stop)]
        repeats = self._note_ids(admitted, activities, others)
        for position in others:
            message = cast(Message, admitted.messages[position])
            if position in repeats:
                continue
            if message["type"] != "tick":
                state.add_fact(
                    fact_of_message(
                        message, int(admitted.times[position]), admitted.offset(position), state.days
                    )
                )
            clock.events += 1
        if repeats:
            activities = activities.without(repeats)
        activities = self._refuse_late(admitted, activities, outputs)
        clock.events += len(activities.ids)
        if activities.ids:
            self._store_facts(admitted, activities)
            activities = self._count_others(activities)
        if activities.ids:
            self._count(admitted, activities)

    def _under_newest_names(self, activities: Activities) -> Activities:
        """The activities with the newest names of their course runs."""
        renames = self._state.renames
        if not renames:
            return activities
        enrolments = tuple((learner, renames.newest(run)) for learner, run in activities.enrolments)
        return replace(activities, enrolments=enrolments)

    def _refuse_late(self, admitted: AdmittedBatch, activities: Activities, outputs: Outputs) -> Activities:
        """The activities in days that the ring still holds; the others become dead letters."""
        clock = self._state.clock
        oldest = oldest_counted(clock.today, self._state.days)
        late = activities.positions[activities.times < oldest].tolist()
        if not late:
            return activities
        clock.dead_letters += len(late)
        outputs.dead_letters += [
            dead_letter(
                admitted.batch,
                admitted.record_indices[position],
                too_late(cast(Activity, admitted.messages[position])),
            )
            for position in late
        ]
        return activities.without(late)

    def _note_ids(self, admitted: AdmittedBatch, activities: Activities, others: Sequence[int]) -> list[int]:
        """Add the event ids of messages to the state; returns the positions of duplicates, ascending.

        others: positions of the messages that are not activities.
        """
        state = self._state
        earlier = known_earlier(state.ids, activities, state.clock.today, state.days)
        repeats = find_repeats(state.ids, admitted.messages, activities, others, earlier)
        state.clock.duplicates += len(repeats)
        for position in repeats:
            message = admitted.messages[position]
            if type(message) is Activity:
                state.source_counters.count_duplicate(
                    message.source, message.course_run, state.days.day(int(admitted.times[position]))
                )
        return repeats

    def _store_facts(self, admitted: AdmittedBatch, activities: Activities) -> None:
        """Store hand-ins, and progress and roles that activities report, until their day closes."""
        facts = self._state.facts
        for position in activities.positions[activities.is_work].tolist():
            activity = cast(Activity, admitted.messages[position])
            time, offset = int(admitted.times[position]), admitted.offset(position)
            if activity.kind == SUBMISSION or activity.progress is not None:
                self._state.add_fact(fact_of_activity(activity, time, offset))
            else:
                day = self._state.days.day(time)
                stored = facts.get(role_fact_id(activity, day))
                self._state.add_fact(fact_of_role(activity, time, day, offset, stored))

    def _count_others(self, activities: Activities) -> Activities:
        """Count activities of other roles and of machines separately; returns those of learners."""
        others = np.flatnonzero(activities.is_other).tolist()
        if not others:
            return activities
        for index in others:
            run, day = activities.enrolments[index][1], self._state.days.day(int(activities.times[index]))
            key = (run, activities.roles[index], day)
            self._state.others[key] = self._state.others.get(key, 0) + 1
        return activities.without(activities.positions[others].tolist())

    def _count(self, admitted: AdmittedBatch, activities: Activities) -> None:
        """Count activities without duplicates."""
        state, positions, times = self._state, activities.positions, activities.times
        days, hours = state.days.days(times), state.days.hours(times)
        slots = state.slots_of(activities.enrolments)
        state.trails.add_steps(slots, times, days, activities.items, state.clock.today)
        count_activities(
            state.rows, slots, days, hours, activities.kinds, activities.clicks, activities.seconds
        )
        first_active = state.rows["first_active"]
        first_active[slots] = np.where(first_active[slots] == NEVER, days, first_active[slots])
        np.minimum.at(first_active, slots, days)
        state.mark_changed(slots)
        self._hourly.add(activities, slots, admitted.newest[positions])
        source_activities = SourceActivities(
            sources=activities.sources,
            runs=state.run_of[slots],
            days=days,
            hours=hours,
            kinds=activities.kinds,
            clock=admitted.clock[positions],
            without_object=np.array([item is None for item in activities.items]),
            without_duration=activities.untimed,
        )
        state.source_counters.add(source_activities, [run.name for run in state.runs])


def find_repeats(
    ids: EventIds,
    messages: Sequence[Message | Activity],
    activities: Activities,
    others: Sequence[int],
    earlier: Collection[int] = (),
) -> list[int]:
    """Add the event ids of messages to ``ids``; returns the positions of duplicates, ascending.

    activities: those among the messages. others: positions of the messages that are not activities; a tick
    has no id. earlier: positions of those that ``known_earlier`` knows.
    """
    other_messages = {position: cast(Message, messages[position]) for position in others}
    new_ids: dict[int, str] = {
        position: message["event_id"]
        for position, message in other_messages.items()
        if message["type"] != "tick"
    }
    if not earlier and ids.add_all_if_new([*activities.ids, *new_ids.values()]):
        return []
    new_ids.update(zip(activities.positions.tolist(), activities.ids, strict=True))
    return [
        position
        for position in sorted(new_ids)
        if position in earlier or not ids.add_if_new(new_ids[position])
    ]


def known_earlier(ids: EventIds, activities: Activities, today: int | None, days: EventDays) -> set[int]:
    """Positions of the activities of closed days that came before, on an earlier day than the last two.

    today: the open epoch day. Facts need no such memory: one that comes again says what it said before.
    """
    late = np.flatnonzero(activities.times < days.start(today or 0)).tolist()
    if not late:
        return set()
    first_day = days.day(int(activities.times[late].min()))
    known = ids.earlier.known([activities.ids[index] for index in late], first_day)
    return set(activities.positions[late][known].tolist())


def oldest_counted(today: int | None, days: EventDays) -> int:
    """The earliest time of an activity that is still counted, epoch seconds. today: the open epoch day."""
    return days.start((today or 0) - CLOSED_DAYS)


def too_late(activity: Activity) -> Refusal:
    """The refusal of an activity from before ``oldest_counted``."""
    time = activity.occurred_at.isoformat()
    return Refusal(
        "too_late", "occurred_at", f"found {time}; expected within {CLOSED_DAYS} days of the watermark"
    )
