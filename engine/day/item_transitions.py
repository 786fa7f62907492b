"""A day's transitions between items, for the recommender: from the trails of a partition's enrolments."""

from collections import Counter
from itertools import compress

from engine.state.partition_state import PartitionState
from online_models.recommender import Transitions
from schemas.roles import LEARNER

MAX_TRANSITIONS = 10_000
"""Most different transitions in the day report of one partition; the most frequent ones are kept. There is at
most one per learner who came back that day."""


def close_trails(state: PartitionState, day: int) -> Transitions:
    """End an epoch day for all trails; returns its transitions, counted by course run, start and end.

    Only learners count.

    Called by the day's close, once a day, in order.
    """
    transitions = state.trails.close(day)
    runs = [state.runs[index].name for index in state.run_of[transitions.slots].tolist()]
    is_learner = (state.rows["role"][transitions.slots] == LEARNER).tolist()
    steps = zip(runs, transitions.starts, transitions.to, strict=True)
    counts = Counter(compress(steps, is_learner))
    if len(counts) <= MAX_TRANSITIONS:
        return counts
    return Counter(dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_TRANSITIONS]))
