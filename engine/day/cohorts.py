"""The enrolments in force at a day's close, run by run, with everything that scoring them needs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.day.aggregates import learner_slots
from engine.day.pauses import is_paused, paused_days, pauses_of, unobserved_between
from engine.state.partition_state import PartitionState
from features.bins import Codes
from features.case_bounds import CaseBounds, case_bounds
from features.catalogue import INDEX
from features.compute import features
from features.compute_coursework import Work, first_days
from features.coursework import Run
from features.dates import dates_of, own_starts
from features.ring import NEVER, RING, Ints, last_active
from features.yardsticks import Counts, deadline_sums
from online_models.labels import OPEN, WITHDRAWN


@dataclass(frozen=True, slots=True)
class Cohort:
    """Enrolments of one run that are in force, and their features: uint8 [features, enrolments].

    engagement: columns of ``engagement_daily`` for the closed day. hours: uint8 [enrolments, ring, 3], their
    active hours as of the close. deadlines: cohort sums of each deadline, [counted, deadlines]. case_bounds:
    best and worst case of the features, if days of their windows were not observed.
    """

    run: Run
    slots: Ints
    codes: Codes
    engagement: dict[str, int]
    hours: NDArray[np.uint8]
    deadlines: Counts
    case_bounds: CaseBounds | None = None


def cohorts_in_force(state: PartitionState, day: int) -> list[Cohort]:
    """The cohorts to score, as of the start of ``day`` (an epoch day), ordered by the run's name.

    Called at the close of the day before, so that events applied later change nothing.
    Runs without an enrolment in force are left out.
    """
    cohorts = []
    for index in sorted(range(len(state.runs)), key=lambda index: state.runs[index].name):
        slots = learner_slots(state, index)
        slots = slots[_in_force(state, state.runs[index], slots, day)]
        if len(slots):
            cohorts.append(_cohort(state, index, slots, day))
    return cohorts


def _cohort(state: PartitionState, index: int, slots: Ints, day: int) -> Cohort:
    """The cohort of the run at an index. slots: its enrolments in force, [n]."""
    run = state.runs[index]
    gaps, yardstick = state.unobserved_days.of_run(run.name), state.yardsticks.of_run(run)
    work = work_of(state, index, slots)
    paused = paused_days(state, slots, day)
    codes = features(state.rows, slots, run, day, gaps, yardstick, work, paused)
    return Cohort(
        run=run,
        slots=slots,
        codes=codes,
        engagement=engagement(state, index, slots, codes, day - 1),
        hours=state.rows["hours"][slots],
        deadlines=deadline_sums(run, work.cells, work.dates, codes, day),
        case_bounds=case_bounds(state.rows, slots, run, day, gaps, yardstick, work, paused),
    )


def work_of(state: PartitionState, index: int, slots: Ints) -> Work:
    """The work of enrolments of the run at an index."""
    run = state.runs[index]
    own = [state.attributes.get(slot, {}) for slot in slots.tolist()] if state.attributes else []
    enrolled, first_active = state.rows["enrolled"][slots], state.rows["first_active"][slots]
    dates = dates_of(
        run,
        enrolled,
        learners=[state.key(slot)[0] for slot in slots.tolist()] if run.has_other_dates else [],
        sections=[attributes.get("section", "") for attributes in own],
        personal=[
            {name: day for name, (day, _) in attributes.get("dates", {}).items()} for attributes in own
        ],
        starts=own_starts(run, enrolled, first_active),
        pauses=[pauses_of(attributes) for attributes in own],
    )
    return Work(state.gradebook.cells(index, slots, len(run.assessments)), dates)


def _in_force(state: PartitionState, run: Run, slots: Ints, day: int) -> NDArray[np.bool_]:
    """Which enrolments to score, [n]: begun before ``day``, not ended or paused, in a run that is under way.

    In a run without an end, who has been silent for its horizon is gone until they come back.
    """
    rows = state.rows
    if run.is_known and not run.start < day <= run.end:
        return np.zeros(len(slots), bool)
    enrolled, first_active = rows["enrolled"][slots], rows["first_active"][slots]
    begun = ((enrolled != NEVER) & (enrolled < day)) | ((first_active != NEVER) & (first_active < day))
    in_force: NDArray[np.bool_] = begun & (rows["outcome"][slots] == OPEN) & ~is_paused(state, slots, day)
    return in_force if run.has_end else in_force & ~_is_gone(state, run, slots, day)


def _is_gone(state: PartitionState, run: Run, slots: Ints, day: int) -> NDArray[np.bool_]:
    """Who has been silent on all observed days of the run's horizon, as of the start of ``day``, [n]."""
    began = first_days(state.rows[slots], run, day)
    since = np.maximum(last_active(state.rows, slots, day) + 1, began)
    silent = day - since - unobserved_between(state, run, slots, since, day)
    gone: NDArray[np.bool_] = silent >= run.inactive_after
    return gone


def engagement(state: PartitionState, run: int, slots: Ints, codes: Codes, day: int) -> dict[str, int]:
    """A day's engagement of a run as of its close, by the columns of ``engagement_daily``.

    run: the run's index. slots: its enrolments in force; codes: their features after the day.
    """
    rows, all_slots, bucket = state.rows, learner_slots(state, run), day % RING
    left = (rows["outcome"][all_slots] == WITHDRAWN) & (rows["outcome_day"][all_slots] == day)
    active = {window: int((codes[INDEX[f"clicks_{window}"]] > 0).sum()) for window in (1, 7, 28)}
    return {
        "enrolled": len(slots),
        "active": active[1],
        "active_7": active[7],
        "active_28": active[28],
        "clicks": int(rows["clicks"][slots, bucket].sum(dtype=np.int64)),
        "minutes": int(rows["seconds"][slots, bucket].sum(dtype=np.int64)) // 60,
        "new": int((rows["enrolled"][all_slots] == day).sum()),
        "withdrawn": int(left.sum()),
    }
