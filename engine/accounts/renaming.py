"""Gives a course run another name: its calendar, its cohort's figures, and every enrolment of a partition."""

from collections.abc import Callable

import numpy as np

from engine.accounts.packing import pack_enrolment, unpack_enrolment
from engine.day.nudge_outcomes import ExposureFollowUp
from engine.state.partition_state import PartitionState
from nudges.learners import Learner


def rename_run(
    state: PartitionState,
    old: str,
    new: str,
    follow_up: ExposureFollowUp,
    note: Callable[[str], None],
) -> None:
    """Move all that a partition has of a run to another name, at the close of a day.

    Where a learner is enrolled under both names, the enrolments are combined. note: called with each learner,
    for the store.
    """
    if old in state.calendars and new not in state.calendars:
        state.set_calendar(state.calendars[old] | {"course_run": new})
    for figures in (state.yardsticks, state.unobserved_days, state.withdrawal_counts):
        figures.rename(old, new)
    for slot in state.slots_of_run(state.index_of_run(old)).tolist():
        _move(state, slot, new, follow_up)
        note(learner := state.key(slot)[0])
        state.drop(np.array([slot]))
        if learner in state.learners:
            history = Learner.from_record(state.learners[learner]).in_renamed_run(old, new)
            state.set_learner(learner, history.to_record())


def _move(state: PartitionState, slot: int, new: str, follow_up: ExposureFollowUp) -> None:
    key = state.key(slot)
    packed = pack_enrolment(state, slot)
    follow_up.forget(key)
    unpack_enrolment(state, state.slot(key[0], new), packed, follow_up)
