"""The enrolments in force at a day's close, run by run, with everything that scoring them needs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.day.aggregates import learners_of
from engine.state.partition_state import PartitionState
from features.bins import Codes
from features.catalogue import INDEX
from features.compute import Work, features
from features.coursework import Run
from features.dates import dates_of
from features.doubt import Doubt, doubt
from features.ring import NEVER, RING, Ints
from features.yardsticks import Counts
from features.yardsticks import count as count_deadlines
from online_models.labels import OPEN, WITHDRAWN
from schemas.roles import LEARNER


@dataclass(frozen=True, slots=True)
class Cohort:
    """Enrolments of one run that are in force, and their features: uint8 [features, enrolments].

    engagement: what the store is told of the closed day, column by column. hours: uint8 [enrolments, ring,
    3], their active hours as of the close. deadlines: what they did with each, [counted, deadlines]. doubt:
    where days of the windows were not seen, what else they may be.
    """

    run: Run
    slots: Ints
    codes: Codes
    engagement: dict[str, int]
    hours: NDArray[np.uint8]
    deadlines: Counts
    doubt: Doubt | None = None


def cohorts_in_force(state: PartitionState, day: int) -> list[Cohort]:
    """The cohorts to score, as of the start of ``day`` (an epoch day), ordered by the run's name.

    The processor calls it at the close of the day before, so that events applied later change nothing.
    Runs without an enrolment in force are left out.
    """
    cohorts = []
    for index in sorted(range(len(state.runs)), key=lambda index: state.runs[index].name):
        slots = state.of_run(index)
        slots = slots[_in_force(state, state.runs[index], slots, day)]
        if len(slots):
            cohorts.append(_cohort(state, index, slots, day))
    return cohorts


def _cohort(state: PartitionState, index: int, slots: Ints, day: int) -> Cohort:
    """A run's cohort. index: the run's. slots: its enrolments in force, [n]."""
    run = state.runs[index]
    unseen, measure = state.unseen.of(run.name), state.measures.of(run)
    work = work_of(state, index, slots)
    codes = features(state.rows, slots, run, day, unseen, measure, work)
    return Cohort(
        run=run,
        slots=slots,
        codes=codes,
        engagement=engagement(state, index, slots, codes, day - 1),
        hours=state.rows["hours"][slots],
        deadlines=count_deadlines(run, work.cells, work.dates, codes),
        doubt=doubt(state.rows, slots, run, day, unseen, measure, work),
    )


def work_of(state: PartitionState, index: int, slots: Ints) -> Work:
    """What enrolments of a run handed in, and by when it was due of each. index: the run's."""
    run = state.runs[index]
    own = [state.attributes.get(slot, {}) for slot in slots.tolist()] if state.attributes else []
    dates = dates_of(
        run,
        state.rows["enrolled"][slots],
        learners=[state.key(slot)[0] for slot in slots.tolist()] if run.other_dates else [],
        sections=[attributes.get("section", "") for attributes in own],
        personal=[
            {name: day for name, (day, _) in attributes.get("dates", {}).items()} for attributes in own
        ],
    )
    return Work(state.gradebook.of(index, slots, len(run.assessments)), dates)


def _in_force(state: PartitionState, run: Run, slots: Ints, day: int) -> NDArray[np.bool_]:
    """Which enrolments to score, [n]: begun before ``day``, not ended, in a run that is on."""
    rows = state.rows
    if run.known and not run.start < day <= run.end:
        return np.zeros(len(slots), bool)
    enrolled, seen = rows["enrolled"][slots], rows["seen"][slots]
    begun = ((enrolled != NEVER) & (enrolled < day)) | ((seen != NEVER) & (seen < day))
    in_force: NDArray[np.bool_] = begun & (rows["outcome"][slots] == OPEN) & (rows["role"][slots] == LEARNER)
    return in_force


def engagement(state: PartitionState, run: int, slots: Ints, codes: Codes, day: int) -> dict[str, int]:
    """A day's engagement of a run: who is enrolled, active, new and gone; as of its close.

    run: the run's index. slots: its enrolments in force, and codes their features after the day.
    """
    rows, everybody, place = state.rows, learners_of(state, run), day % RING
    left = (rows["outcome"][everybody] == WITHDRAWN) & (rows["outcome_day"][everybody] == day)
    active = {window: int((codes[INDEX[f"clicks_{window}"]] > 0).sum()) for window in (1, 7, 28)}
    return {
        "enrolled": len(slots),
        "active": active[1],
        "active_7": active[7],
        "active_28": active[28],
        "clicks": int(rows["clicks"][slots, place].sum(dtype=np.int64)),
        "minutes": int(rows["seconds"][slots, place].sum(dtype=np.int64)) // 60,
        "new": int((rows["enrolled"][everybody] == day).sum()),
        "withdrawn": int(left.sum()),
    }
