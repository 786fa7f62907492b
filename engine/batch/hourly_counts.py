"""Activity by run, kind and hour, as rows of the store's ``activity_hourly``.

Counts are also keyed by the watermark's hour at counting time (the *tick*) and written once, when that hour
is over. So every replay writes the same rows with the same keys, and a sum over them includes late events.
"""

import numpy as np

from engine.batch.activities import Activities
from engine.outputs import Outputs
from engine.state.partition_state import PartitionState
from features.ring import Ints
from schemas.activity import ACTIVITY_KINDS

HOUR_S = 3600


class HourlyCounts:
    """The hourly counts of one partition; the state holds them (``hourly_counters``).

    lateness: how far the watermark is behind the newest event time, seconds.
    """

    def __init__(self, partition: int, state: PartitionState, lateness: int) -> None:
        self._partition = partition
        self._state = state
        self._lateness = lateness

    def add(self, activities: Activities, slots: Ints, newest: Ints) -> None:
        """Count activities.

        slots: of their enrolments, [n]. newest: the newest event time at each activity, epoch seconds, [n].
        """
        state, kinds = self._state, len(ACTIVITY_KINDS)
        hours, ticks = activities.times // HOUR_S, (newest - self._lateness) // HOUR_S
        runs, first = len(state.runs), min(int(hours.min()), int(ticks.min()))
        span = max(int(hours.max()), int(ticks.max())) - first + 1
        cells = ((ticks - first) * span + hours - first) * kinds + activities.kinds
        unique, inverse = np.unique(cells * runs + state.run_of[slots], return_inverse=True)
        weights = (None, activities.clicks, activities.seconds)
        totals = [np.bincount(inverse, weight) for weight in weights]
        for cell, *amounts in zip(unique.tolist(), *(total.tolist() for total in totals), strict=True):
            rest, run = divmod(cell, runs)
            rest, kind = divmod(rest, kinds)
            tick, hour = divmod(rest, span)
            key = (state.runs[run].name, ACTIVITY_KINDS[kind], hour + first, tick + first)
            cell_counts = state.hourly_counters.setdefault(key, [0, 0, 0])
            for column, amount in enumerate(amounts):
                cell_counts[column] += int(amount)

    def flush(self, outputs: Outputs) -> None:
        """Write the counts of the watermark's hours that are over, and remove them from the state."""
        counters = self._state.hourly_counters
        now = (self._state.clock.newest - self._lateness) // HOUR_S
        finished = sorted(key for key in counters if key[3] < now)
        if not finished:
            return
        amounts = [counters.pop(key) for key in finished]
        runs, kinds, hours, ticks = zip(*finished, strict=True)
        events, clicks, seconds = zip(*amounts, strict=True)
        columns = {
            "course_run": runs,
            "kind": kinds,
            "hour": [hour * HOUR_S for hour in hours],
            "partition": [self._partition] * len(finished),
            "tick": [tick * HOUR_S for tick in ticks],
            "events": events,
            "clicks": clicks,
            "seconds": seconds,
            "version": ticks,
        }
        outputs.add_rows("activity_hourly", columns)
