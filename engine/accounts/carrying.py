"""Carries the enrolments of merged accounts to the partition of the account that stays.

At the close of a day the partition of the account that goes takes its enrolments out of the state and into
the day's report. The trainer gives them to the partition that claims them, with the package of the day, and
that one takes them over before it scores the next day. The estimates of that day rest on the features as of
the close, which are carried too, so that a merge costs a learner no day.

Both partitions, and both accounts in one, do the same; only the day package connects them. What comes under
the old name later is carried over at the close of its own day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.accounts.combining import combine_attributes
from engine.accounts.packing import pack_enrolment, unpack_enrolment
from engine.day.cohorts import Cohort
from engine.day.nudge_outcomes import ExposureFollowUp
from engine.state.partition_state import PartitionState
from engine.state.row_layout import VERSION
from features.bins import Codes
from features.catalogue import FEATURES
from nudges.learners import Learner
from schemas.learning import CarriedAccount, CarriedEnrolment, DayPackage

Enrolment = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Departure:
    """Accounts that leave a partition at a close.

    accounts: for the report. cohorts: to be scored here, without their enrolments, and without those of
    accounts into which others were merged today: what is theirs is known with the package. present:
    enrolments that accounts have into which others are merged.
    """

    accounts: list[CarriedAccount]
    cohorts: list[Cohort]
    present: frozenset[Enrolment] = frozenset()


def take_out(
    state: PartitionState,
    cohorts: Sequence[Cohort],
    today: int,
    follow_up: ExposureFollowUp,
    cancel: Callable[[str, int], None],
) -> Departure:
    """Take the merged accounts out of the state at the close of an epoch day.

    cohorts: as of the close. cancel: called with each account and the day, cancels what is planned for it.
    """
    merges = state.merges
    merges.forget(today)
    present = frozenset(
        state.key(slot)
        for learner in set(merges.claims().values())
        for slot in state.slots_of_learner(learner)
    )
    accounts: list[CarriedAccount] = []
    gone: list[int] = []
    for learner, into in merges.leaving().items():
        slots = state.slots_of_learner(learner)
        if slots or learner in state.learners:
            cancel(learner, today)
            accounts.append(_account(state, learner, into, today, slots, cohorts))
            gone += slots
    others = [*gone, *_waiting(state)]
    remaining = [_without(cohort, others) for cohort in cohorts] if others else list(cohorts)
    for slot in gone:
        follow_up.forget(state.key(slot))
    if gone:
        state.drop(np.array(gone, np.int64))
    return Departure(accounts, remaining, present)


def _waiting(state: PartitionState) -> list[int]:
    """Slots of accounts into which others were merged today."""
    learners, state.merges.new_claims = sorted(state.merges.new_claims), set()
    return [slot for learner in learners for slot in state.slots_of_learner(learner)]


def _account(
    state: PartitionState, learner: str, into: str, today: int, slots: list[int], cohorts: Sequence[Cohort]
) -> CarriedAccount:
    return CarriedAccount.model_construct(  # valid by construction; the trainer validates it
        learner=learner,
        into=into,
        day=today,
        layout=VERSION,
        partition=None,
        former=state.merges.former_names(learner),
        enrolments=[_enrolment(state, slot, cohorts) for slot in slots],
        history=state.forget_learner(learner),
    )


def _enrolment(state: PartitionState, slot: int, cohorts: Sequence[Cohort]) -> CarriedEnrolment:
    """An enrolment, with the deadlines that the calendar has for the old name as dates of its own."""
    packed = pack_enrolment(state, slot, _codes_of(slot, cohorts))
    named = state.runs[state.run_of[slot]].other_dates.get(("learner", state.key(slot)[0]), {})
    dates = {"dates": {name: [day, 0] for name, day in named.items()}} if named else {}
    return packed.model_copy(update={"attributes": combine_attributes(packed.attributes, dates)})


def _codes_of(slot: int, cohorts: Sequence[Cohort]) -> Codes | None:
    """The bins of the features of an enrolment in force; None if it cannot be scored elsewhere.

    Where a source was broken, its scoring rests on more than these.
    """
    for cohort in cohorts:
        (positions,) = np.nonzero(cohort.slots == slot)
        if len(positions):
            return None if cohort.case_bounds is not None else cohort.codes[:, positions[0]]
    return None


def _without(cohort: Cohort, gone: Sequence[int]) -> Cohort:
    """A cohort without some slots, to be scored."""
    stays = np.flatnonzero(~np.isin(cohort.slots, gone))
    if len(stays) == len(cohort.slots):
        return cohort
    bounds = cohort.case_bounds
    if bounds is not None:
        new_of = {old: new for new, old in enumerate(stays.tolist())}
        paused = {new_of[old]: days for old, days in bounds.paused.items() if old in new_of}
        bounds = replace(bounds, rows=bounds.rows[stays], work=bounds.work.select(stays), paused=paused)
    return replace(
        cohort,
        slots=cohort.slots[stays],
        codes=cohort.codes[:, stays],
        hours=cohort.hours[stays],
        case_bounds=bounds,
    )


class Arrival:
    """Takes over what a package carries to a partition, before a day is scored with it."""

    def __init__(
        self,
        partition: int,
        state: PartitionState,
        follow_up: ExposureFollowUp,
        note: Callable[[CarriedAccount, str, str], None],
    ) -> None:
        """note: called with each account, one of its names, and a course run, for the store."""
        self._partition = partition
        self._state = state
        self._follow_up = follow_up
        self._note = note

    def take_over(
        self, package: DayPackage, cohorts: Sequence[Cohort], present: frozenset[Enrolment]
    ) -> list[Cohort]:
        """Take over the package's accounts; returns the cohorts with those that are scored with this package.

        present: see :class:`Departure`; a learner with both accounts in a run is scored from the next day on.
        """
        extended = list(cohorts)
        for account in package.carried:
            is_ours = account.partition == self._partition and account.layout == VERSION
            if is_ours and self._state.merges.take(account.learner, account.day):
                # An account that is merged on goes to the next one at the next close, and is not scored here.
                is_new = account.day == package.day and account.into not in self._state.merges.leaving()
                self._take_account(account, extended, present, is_new=is_new)
        return extended

    def _take_account(
        self, account: CarriedAccount, cohorts: list[Cohort], present: frozenset[Enrolment], *, is_new: bool
    ) -> None:
        state, into = self._state, account.into
        for packed in account.enrolments:
            slot = state.slot(into, packed.course_run)
            unpack_enrolment(state, slot, packed, self._follow_up)
            if is_new and packed.codes is not None and (into, packed.course_run) not in present:
                _extend(cohorts, state, slot, packed)
        for name in (account.learner, *account.former):
            for run in [packed.course_run for packed in account.enrolments] or [""]:
                self._note(account, name, run)
        if account.history:
            own = Learner.from_record(state.learners.get(into, {}))
            joined = own.joined_with(Learner.from_record(account.history))
            state.set_learner(into, joined.to_record())


def _extend(cohorts: list[Cohort], state: PartitionState, slot: int, packed: CarriedEnrolment) -> None:
    """Add a carried enrolment to the cohort of its run, in place; a new one where the partition has none."""
    codes = np.frombuffer(packed.codes or b"", np.uint8).reshape(len(FEATURES), 1)
    hours = state.rows["hours"][[slot]]
    for index, cohort in enumerate(cohorts):
        if cohort.run.name == packed.course_run:
            if cohort.case_bounds is None:
                cohorts[index] = replace(
                    cohort,
                    slots=np.append(cohort.slots, slot),
                    codes=np.concatenate([cohort.codes, codes], axis=1),
                    hours=np.concatenate([cohort.hours, hours]),
                )
            return
    run = state.runs[state.run_of[slot]]
    none = np.zeros((0, 0), np.int64)
    cohorts.append(Cohort(run, np.array([slot]), codes, dict.fromkeys(ENGAGEMENT, 0), hours, none))
    cohorts.sort(key=lambda cohort: cohort.run.name)


ENGAGEMENT = ("enrolled", "active", "active_7", "active_28", "clicks", "minutes", "new", "withdrawn")
"""Columns of ``engagement_daily``: a carried enrolment was counted by the partition that it left."""
