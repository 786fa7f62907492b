"""Feeds the recommender with a partition's events: learners' steps in, a day's transitions out."""

from collections import Counter
from collections.abc import Sequence

from engine.state.partition_state import PartitionState
from features.ring import Ints
from online_models.recommender import Transitions
from schemas.fields import DAY_S

MOST_A_DAY = 10_000
"""Different transitions of one partition that a day's report tells, the most frequent first. They are as many
as learners who came back that day, at most."""


class Steps:
    """The trails of one partition's enrolments."""

    def __init__(self, state: PartitionState) -> None:
        self._state = state

    def take(self, slots: Ints, times: Ints, items: Sequence[str | None]) -> None:
        """Enrolments did something, at a moment, with an item where one is named; all of one length."""
        self._state.trails.take(slots, times, times // DAY_S, items, self._state.clock.today)

    def close(self, day: int) -> Transitions:
        """End a day: its transitions."""
        state, made = self._state, self._state.trails.close(day)
        runs = [state.runs[index].name for index in state.run_of[made.slots].tolist()]
        found = Counter(zip(runs, made.starts, made.to, strict=True))
        if len(found) <= MOST_A_DAY:
            return found
        return Counter(dict(sorted(found.items(), key=lambda one: (-one[1], one[0]))[:MOST_A_DAY]))
