"""Takes an enrolment out of a partition's state as data, and puts it into an enrolment of another name."""

import numpy as np

from engine.accounts.combining import combine_attributes, combine_rows, combine_trails
from engine.day.nudge_outcomes import ExposureFollowUp
from engine.state.partition_state import PartitionState
from engine.state.row_layout import ROW
from features.bins import Codes
from online_models.recommender import Trail
from schemas.learning import CarriedEnrolment


def pack_enrolment(state: PartitionState, slot: int, codes: Codes | None = None) -> CarriedEnrolment:
    """An enrolment as data. codes: bins of its features, uint8 [features]; None if it is not in force."""
    key = state.key(slot)
    index = int(state.run_of[slot])
    ((_, trail),) = state.trails.export([slot])
    return CarriedEnrolment.model_construct(  # valid by construction; the trainer validates it
        course_run=key[1],
        row=state.rows[slot].tobytes(),
        work=state.gradebook.work_by_name(index, state.runs[index], slot),
        attributes=state.attributes.get(slot, {}),
        trail=None if trail == Trail() else trail.to_record(),
        exposures=state.exposures.get(key, []),
        codes=None if codes is None else codes.tobytes(),
    )


def unpack_enrolment(
    state: PartitionState, slot: int, packed: CarriedEnrolment, follow_up: ExposureFollowUp
) -> None:
    """Add a packed enrolment to the one in a slot, of the same run."""
    index = int(state.run_of[slot])
    combine_rows(state.rows[slot], np.frombuffer(packed.row, ROW)[0], state.days)
    state.gradebook.add_work(index, state.runs[index], slot, packed.work)
    attributes = combine_attributes(state.attributes.get(slot, {}), packed.attributes)
    if attributes:
        state.set_attributes(slot, attributes)
    if packed.trail is not None:
        ((_, own),) = state.trails.export([slot])
        state.trails.forget(np.array([slot]))
        state.trails.restore(slot, combine_trails(own, Trail.from_record(packed.trail)))
    follow_up.take_over(state.key(slot), packed.exposures)
    state.mark_changed(np.array([slot]))
