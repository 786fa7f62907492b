"""Training snapshots: features and estimate of an enrolment, kept until its label matures.

Which days are kept is a reservoir sample of the enrolment's weekly turns (:mod:`online_models.labels`).
"""

import numpy as np

from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.state.partition_state import PartitionState
from online_models.labels import is_due, reservoir_slots


def offer_snapshots(state: PartitionState, scored: ScoredCohort, day: ScoringDay) -> None:
    """Offer this day's features to the reservoirs of those whose weekly turn it is.

    Scoring calls it once a day and cohort.
    """
    rows, run = state.rows, scored.cohort.run
    if not run.ends or run.name in day.suspect:
        return  # nobody will ever say who stayed; or what was seen is not what happened
    hashes = rows["hash"][scored.cohort.slots]
    due = np.flatnonzero(is_due(hashes, day.day, run.start, run.end))
    slots = scored.cohort.slots[due]
    cells = reservoir_slots(rows["taken"][slots], hashes[due])
    rows["taken"][slots] = np.minimum(rows["taken"][slots].astype(np.int64) + 1, 255)
    kept = np.flatnonzero(cells >= 0)
    slots, cells, due = slots[kept], cells[kept], due[kept]
    rows["snap_day"][slots, cells] = day.day
    rows["snap_probability"][slots, cells] = scored.probability[due]
    rows["snap_served"][slots, cells] = day.model_state != "warming_up"
    rows["snap_codes"][slots, cells] = scored.cohort.codes[:, due].T
    rows["snap_ranks"][slots, cells] = scored.ranks[:, due].T
