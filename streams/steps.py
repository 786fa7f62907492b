"""Feeds the recommender with a partition's events: learners' steps in, a day's transitions out."""

from collections import Counter

from online_models.recommender import Trail, Transitions
from streams.state import PartitionState

MOST_A_DAY = 10_000
"""Different transitions of one partition that a day's report tells, the most frequent first: a report must
stay below the broker's record limit. They are as many as learners who came back that day, at most."""


class Steps:
    """The trails of one partition's enrolments."""

    def __init__(self, state: PartitionState) -> None:
        self._state = state

    def take(self, slot: int, day: int, time: int, item: str) -> None:
        """An enrolment did something with an item, at a moment of a day."""
        state = self._state
        trail = state.trails.get(slot)
        if trail is None:
            trail = state.trails[slot] = Trail()
        today = state.clock.today
        if today is not None and day < today:
            trail.take_late(today, item)
        else:
            trail.take(day, time, item)
        state.changed_trails.add(slot)

    def close(self, day: int) -> Transitions:
        """End a day: its transitions."""
        state, found = self._state, Counter[tuple[str, str, str]]()
        for slot, trail in state.trails.items():
            if day not in trail.days:
                continue
            made = trail.close(day)
            state.changed_trails.add(slot)
            if made is not None:
                found[state.runs[state.run_of[slot]].name, *made] += 1
        if len(found) <= MOST_A_DAY:
            return found
        return Counter(dict(sorted(found.items(), key=lambda one: (-one[1], one[0]))[:MOST_A_DAY]))
