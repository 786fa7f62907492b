"""Training snapshots: features and estimate of an enrolment, stored until its label matures.

The days are a reservoir sample of the enrolment's weekly turns (:mod:`online_models.labels`).
"""

import numpy as np

from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.state.partition_state import PartitionState
from online_models.labels import is_due, reservoir_slots


def offer_snapshots(state: PartitionState, scored: ScoredCohort, day: ScoringDay) -> None:
    """Offer this day's features to the reservoirs of those whose weekly turn it is.

    Called once a day and cohort.
    """
    rows, run = state.rows, scored.cohort.run
    if not run.has_end or run.name in day.suspect:
        return  # the label would never mature; or the features are not reliable
    hashes = rows["hash"][scored.cohort.slots]
    due = np.flatnonzero(is_due(hashes, day.day, run.start, run.end))
    slots = scored.cohort.slots[due]
    cells = reservoir_slots(rows["offered"][slots], hashes[due])
    rows["offered"][slots] = np.minimum(rows["offered"][slots].astype(np.int64) + 1, 255)
    accepted = np.flatnonzero(cells >= 0)
    slots, cells, due = slots[accepted], cells[accepted], due[accepted]
    rows["snap_day"][slots, cells] = day.day
    rows["snap_probability"][slots, cells] = scored.probability[due]
    rows["snap_served"][slots, cells] = day.model_state != "warming_up"
    rows["snap_codes"][slots, cells] = scored.cohort.codes[:, due].T
    rows["snap_ranks"][slots, cells] = scored.ranks[:, due].T
