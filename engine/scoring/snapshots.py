"""Training snapshots: features and estimate of an enrolment, stored until its label matures.

The days are a reservoir sample of the enrolment's weekly turns; in a run without an end all of its turns, as
they make room (:mod:`online_models.labels`).
"""

import numpy as np

from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.state.partition_state import PartitionState
from features.ring import NEVER, Ints
from online_models.labels import SNAPSHOT_INTERVAL_DAYS, is_due, reservoir_slots, snapshot_interval


def offer_snapshots(state: PartitionState, scored: ScoredCohort, day: ScoringDay) -> None:
    """Offer this day's features to the reservoirs of those whose weekly turn it is.

    Called once a day and cohort.
    """
    rows, run = state.rows, scored.cohort.run
    if not run.is_known or run.name in day.suspect:
        return  # the label would never mature; or the features are not reliable
    hashes = rows["hash"][scored.cohort.slots]
    interval = SNAPSHOT_INTERVAL_DAYS if run.has_end else snapshot_interval(run.inactive_after)
    due = np.flatnonzero(is_due(hashes, day.day, run.start, run.end, interval))
    slots = scored.cohort.slots[due]
    if run.has_end:
        cells = reservoir_slots(rows["offered"][slots], hashes[due]).astype(np.int64)
        rows["offered"][slots] = np.minimum(rows["offered"][slots].astype(np.int64) + 1, 255)
    else:
        cells = _free_cells(rows["snap_day"][slots])
    accepted = np.flatnonzero(cells >= 0)
    slots, cells, due = slots[accepted], cells[accepted], due[accepted]
    rows["snap_day"][slots, cells] = day.day
    rows["snap_probability"][slots, cells] = scored.probability[due]
    rows["snap_served"][slots, cells] = day.state_of(run) != "warming_up"
    rows["snap_codes"][slots, cells] = scored.cohort.codes[:, due].T
    rows["snap_ranks"][slots, cells] = scored.ranks[:, due].T


def _free_cells(snapshot_days: Ints) -> Ints:
    """The first free cell of each reservoir, −1 where there is none: [n, cells] → [n]."""
    free = snapshot_days == NEVER
    return np.where(free.any(axis=1), free.argmax(axis=1), -1).astype(np.int64)
