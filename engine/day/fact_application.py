"""Applies a day's facts at its close, in event time: registrations, hand-ins, calendars and results.

A fact that cannot be applied becomes a dead letter and changes nothing. A calendar is first tried on a state
without learners, because it affects every later close of its run.
"""

import logging
from collections.abc import Callable

import numpy as np

from engine import failed_records
from engine.batch.decoding import Message
from engine.batch.pending_facts import calendar_age
from engine.day.enrolment_history import apply_registration, apply_result, apply_role, apply_withdrawal
from engine.day.pauses import apply_pause
from engine.day.work_facts import apply_extension, apply_grade, apply_hand_in, apply_progress
from engine.pseudonyms import Identity
from engine.state.partition_state import PartitionState
from engine.state.row_layout import in_cohort
from features.ring import RING
from online_models.labels import OPEN, WITHDRAWN
from schemas.dead_letter import DeadLetter
from schemas.topics import EVENTS

log = logging.getLogger(__name__)

_STATUS_FACTS = {
    "enrolled": apply_registration,
    "withdrawn": apply_withdrawal,
    "completed": apply_result,
}


class FactApplication:
    """Applies the facts of one partition.

    on_enrolment_fact: called with each registration, withdrawal and result that was applied to an open
    enrolment, and with each pause. rename_run: called with each new name of a run. close_trial: closes the
    day that is due in a state, as the processor would.
    """

    def __init__(
        self,
        partition: int,
        state: PartitionState,
        *,
        on_enrolment_fact: Callable[[Message], None],
        rename_run: Callable[[Message], None],
        close_trial: Callable[[PartitionState], object],
    ) -> None:
        self._partition = partition
        self._state = state
        self._on_enrolment_fact = on_enrolment_fact
        self._rename_run = rename_run
        self._close_trial = close_trial

    def apply_before(self, moment: int) -> tuple[list[int], list[DeadLetter]]:
        """Apply the facts that occurred before a moment, epoch seconds. Called by the day's close.

        Returns the slots of the enrolments whose outcome changed, and dead letters of the facts that failed.
        """
        state = self._state
        ended: list[int] = []
        letters: list[DeadLetter] = []
        for fact in state.pop_facts_before(moment):
            if state.renames and fact["type"] != "renamed" and "course_run" in fact:
                fact = fact | {"course_run": state.renames.newest(fact["course_run"])}  # noqa: PLW2901
            try:
                if fact["type"] == "calendar":
                    self._apply_calendar(fact)
                elif fact["type"] == "merged":
                    state.merges.apply(fact)
                elif fact["type"] == "renamed":
                    self._rename_run(fact)
                elif (slot := self._apply_to_enrolment(fact)) is not None:
                    ended.append(slot)
            except Exception as error:
                log.exception("partition %d: a fact could not be applied", self._partition)
                letters.append(self._dead_letter(fact, error))
        state.clock.events -= len(letters)  # they were counted as applied when they came
        state.clock.dead_letters += len(letters)
        return ended, letters

    def _dead_letter(self, fact: Message, error: Exception) -> DeadLetter:
        """The dead letter of a fact; that of a course fact is the same one in every partition."""
        if "topic" in fact:
            return failed_records.dead_letter_of_fact(fact["topic"], 0, fact, error)
        topic = next(name for name in self._state.clock.applied if name.endswith(EVENTS.name))
        return failed_records.dead_letter_of_fact(topic, self._partition, fact, error)

    def _apply_to_enrolment(self, fact: Message) -> int | None:
        """Apply a fact to its enrolment; returns the slot if the outcome has changed, else None."""
        state = self._state
        slot = state.slot(fact["learner"], fact["course_run"])
        state.mark_changed(np.array([slot]))
        with failed_records.restore_on_error(state, fact["learner"], slot):
            return slot if self._apply(slot, fact) else None

    def _apply(self, slot: int, fact: Message) -> bool:
        """Apply a fact; returns whether the outcome of the enrolment has changed."""
        state, kind = self._state, fact["type"]
        if kind in _STATUS_FACTS:
            return self._apply_status_fact(slot, fact)
        if kind == "graded":
            apply_grade(state, slot, fact)
        elif kind == "extension":
            apply_extension(state, slot, fact)
        elif kind == "pause":
            apply_pause(state, slot, fact)
            self._on_enrolment_fact(fact)
        elif fact.get("kind") == "submission" and fact.get("object"):
            apply_hand_in(state, slot, fact)
        if fact.get("progress") is not None:
            apply_progress(state, slot, fact)
        apply_role(state, slot, fact)
        return False

    def _apply_status_fact(self, slot: int, fact: Message) -> bool:
        """Apply a registration, a withdrawal or a result; returns whether the outcome has changed."""
        state, row = self._state, self._state.rows[slot]
        before = int(row["outcome"])
        _STATUS_FACTS[fact["type"]](state, slot, fact)
        now = int(row["outcome"])
        if now == WITHDRAWN != before and in_cohort(state.rows, slot):
            state.withdrawal_counts.count_withdrawal(state.runs[state.run_of[slot]].name)
        if now == OPEN or now != before:
            self._on_enrolment_fact(fact)
        return now != before

    def _apply_calendar(self, calendar: Message) -> None:
        """Set a run's calendar if it is newer than the current one; hand-ins move to their new columns."""
        state, name = self._state, calendar["course_run"]
        if name in state.calendars and calendar_age(calendar) < calendar_age(state.calendars[name]):
            return
        index = state.index_of_run(name)
        old, slots = state.runs[index], state.slots_of_run(index)
        self._try_calendar(calendar)
        state.set_calendar(calendar)
        new = state.runs[index]
        state.gradebook.move_to_calendar(index, slots, old, new)
        state.mark_changed(slots)
        if new.assessments != old.assessments:
            state.yardsticks.forget(name)  # its sums are of other deadlines

    def _try_calendar(self, calendar: Message) -> None:
        """Close days of a synthetic enrolment under a calendar: today, and its first day.

        A defective calendar would otherwise fail every later close of its run.

        Raises:
            Exception: whatever a close under this calendar raises.
        """
        trial, today = PartitionState(Identity(b""), 1, self._state.days), self._state.clock.today or 0
        trial.set_calendar(calendar)
        for enrolled in (today - 1, max(self._state.days.day(calendar["starts_at"]), 0)):
            slot = trial.slot("", calendar["course_run"])
            trial.rows["enrolled"][slot] = enrolled
            for day in (today, enrolled + 1):
                trial.clock.today, trial.clock.newest = day, trial.days.start(day + RING)
                self._close_trial(trial)
