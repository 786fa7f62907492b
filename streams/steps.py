"""Feeds the recommender with a partition's events: learners' steps in, a day's transitions out."""

from collections import Counter
from collections.abc import Iterable

from online_models.recommender import Trail, Transitions
from schemas.fields import DAY_S
from streams.state import PartitionState

MOST_A_DAY = 10_000
"""Different transitions of one partition that a day's report tells, the most frequent first: a report must
stay below the broker's record limit. They are as many as learners who came back that day, at most."""


class Steps:
    """The trails of one partition's enrolments."""

    def __init__(self, state: PartitionState) -> None:
        self._state = state

    def take(self, slots: Iterable[int], times: Iterable[int], items: Iterable[str | None]) -> None:
        """Enrolments did something, at a moment, with an item where one is named; all of one length."""
        trails, changed, today = self._state.trails, self._state.changed_trails, self._state.clock.today
        for slot, time, item in zip(slots, times, items, strict=True):
            if not item:
                continue
            trail = trails.get(slot)
            if trail is None:
                trail = trails[slot] = Trail()
            day = time // DAY_S
            if today is not None and day < today:
                trail.take_late(today, item)
            else:
                trail.take(day, time, item)
            changed.add(slot)

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
