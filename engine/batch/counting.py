"""Applies the messages of a batch between two closes: repeats dropped, activities counted, facts kept.

Counting does not depend on order, so activities go into the rows at once, many together. What has an order
is kept as a fact until its day closes (:mod:`engine.batch.pending_facts`).
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import cast

import numpy as np

from engine.batch.activities import Activities, Activity
from engine.batch.admission import Work
from engine.batch.decoding import Message, Refusal, letter
from engine.batch.hourly_counts import HourlyCounts
from engine.batch.pending_facts import fact_of_activity, fact_of_message, fact_of_role, role_fact_id
from engine.outputs import Outputs
from engine.state.partition_state import PartitionState
from engine.state.source_counts import Hits
from features.ring import CLOSED, NEVER, count
from schemas.fields import DAY_S

SUBMISSION = "submission"


class ActivityCounting:
    """Counts the activities of one partition, and keeps its facts."""

    def __init__(self, state: PartitionState, hourly: HourlyCounts) -> None:
        self._state = state
        self._hourly = hourly

    def apply(self, work: Work, stop: int, outputs: Outputs) -> None:
        """Apply a batch's messages from its position up to ``stop``; no day may close between them.

        Appends to ``outputs`` a dead letter for each activity whose day closed too long ago.
        """
        state, clock, start = self._state, self._state.clock, work.position
        activities = work.activities.between(start, stop)
        others = work.others[bisect_left(work.others, start) : bisect_left(work.others, stop)]
        repeats = self._note_ids(work, activities, others)
        for position in others:
            message = cast(Message, work.messages[position])
            if position in repeats:
                continue
            if message["type"] != "tick":
                state.add_fact(fact_of_message(message, int(work.times[position]), work.offset(position)))
            clock.events += 1
        if repeats:
            activities = activities.but(repeats)
        activities = self._refuse_late(work, activities, outputs)
        clock.events += len(activities.ids)
        if activities.ids:
            self._keep_facts(work, activities)
            activities = self._count_others(activities)
        if activities.ids:
            self._count(work, activities)

    def _refuse_late(self, work: Work, activities: Activities, outputs: Outputs) -> Activities:
        """Those that lie in days for which the ring has a place; the others become dead letters."""
        clock = self._state.clock
        oldest = (clock.today or 0) * DAY_S - CLOSED * DAY_S
        late = activities.positions[activities.times < oldest].tolist()
        if not late:
            return activities
        clock.dead_letters += len(late)
        outputs.dead_letters += [
            letter(work.batch, work.places[position], _too_late(cast(Activity, work.messages[position])))
            for position in late
        ]
        return activities.but(late)

    def _note_ids(self, work: Work, activities: Activities, others: Sequence[int]) -> list[int]:
        """Note the event ids of some messages; returns the positions of those that are repeats.

        others: positions of the messages that are no activities.
        """
        state = self._state
        messages = {position: cast(Message, work.messages[position]) for position in others}
        ids = {at: message["event_id"] for at, message in messages.items() if message["type"] != "tick"}
        if state.ids.all_first([*activities.ids, *ids.values()]):
            return []
        ids.update(zip(activities.positions.tolist(), activities.ids, strict=True))
        repeats = [position for position in sorted(ids) if not state.ids.first_time(ids[position])]
        state.clock.duplicates += len(repeats)
        for position in repeats:
            message = work.messages[position]
            if type(message) is Activity:
                state.tallies.repeat(message.source, message.course_run, int(work.times[position]))
        return repeats

    def _keep_facts(self, work: Work, activities: Activities) -> None:
        """Keep hand-ins, and the progress and the roles that activities name, until their day closes."""
        facts = self._state.facts
        for position in activities.positions[activities.works].tolist():
            activity = cast(Activity, work.messages[position])
            at = int(work.times[position]), work.offset(position)
            if activity.kind == SUBMISSION or activity.progress is not None:
                self._state.add_fact(fact_of_activity(activity, *at))
            else:
                known = facts.get(role_fact_id(activity, at[0]))
                self._state.add_fact(fact_of_role(activity, *at, known))

    def _count_others(self, activities: Activities) -> Activities:
        """Count apart what no learner did; returns the rest."""
        others = np.flatnonzero(activities.others).tolist()
        if not others:
            return activities
        for place in others:
            run, day = activities.enrolments[place][1], int(activities.times[place]) // DAY_S
            key = (run, activities.roles[place], day)
            self._state.others[key] = self._state.others.get(key, 0) + 1
        return activities.but(activities.positions[others].tolist())

    def _count(self, work: Work, activities: Activities) -> None:
        """Count activities, each of which comes for the first time."""
        state, positions, times = self._state, activities.positions, activities.times
        days = times // DAY_S
        slots = state.slots_of(activities.enrolments)
        state.trails.take(slots, times, days, activities.items, state.clock.today)
        count(state.rows, slots, times, activities.kinds, activities.clicks, activities.seconds)
        seen = state.rows["seen"]
        seen[slots] = np.where(seen[slots] == NEVER, days, seen[slots])
        np.minimum.at(seen, slots, days)
        state.touch(slots)
        self._hourly.add(activities, slots, work.newest[positions])
        hits = Hits(
            sources=activities.sources,
            runs=state.run_of[slots],
            times=times,
            kinds=activities.kinds,
            clock=work.clock[positions],
            bare=np.array([item is None for item in activities.items]),
            untimed=activities.untimed,
        )
        state.tallies.add(hits, [run.name for run in state.runs])


def _too_late(activity: Activity) -> Refusal:
    found = activity.occurred_at.isoformat()
    return Refusal(
        "too_late", "occurred_at", f"found {found}; expected within {CLOSED} days of the watermark"
    )
