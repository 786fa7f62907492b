"""A day's transitions between items, for the recommender: from the trails of a partition's enrolments."""

from collections import Counter

from engine.state.partition_state import PartitionState
from online_models.recommender import Transitions
from schemas.roles import LEARNER

MOST_A_DAY = 10_000
"""Different transitions of one partition that a day's report holds, the most frequent first. They are as many
as learners who came back that day, at most."""


def close_trails(state: PartitionState, day: int) -> Transitions:
    """End an epoch day for all trails; returns its transitions, counted by course run, start and end.

    The day's close calls it, once a day, in order.
    """
    made = state.trails.close(day)
    runs = [state.runs[index].name for index in state.run_of[made.slots].tolist()]
    learners = (state.rows["role"][made.slots] == LEARNER).tolist()
    found = Counter(
        step
        for step, is_learner in zip(zip(runs, made.starts, made.to, strict=True), learners, strict=True)
        if is_learner
    )
    if len(found) <= MOST_A_DAY:
        return found
    return Counter(dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MOST_A_DAY]))
