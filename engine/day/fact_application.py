"""Applies a day's facts at its close, in event time: registrations, hand-ins, calendars and results.

A fact that cannot be applied becomes a dead letter and changes nothing. A calendar is first tried on a state
without learners, because it affects every later close of its run.
"""

import logging
from collections.abc import Callable
from typing import cast

import numpy as np

from engine import failed_records
from engine.batch.decoding import Message
from engine.batch.pending_facts import calendar_age
from engine.pseudonyms import Identity
from engine.state.partition_state import PartitionState
from engine.state.row_layout import NOT_ESTIMATED
from features.coursework import SCORE_STEPS, move_to_calendar, record_hand_in
from features.ring import NEVER, RING
from online_models.labels import OPEN, WITHDRAWN, outcome_of
from schemas.dead_letter import DeadLetter
from schemas.enrolment import Completed
from schemas.fields import DAY_S
from schemas.topics import EVENTS

log = logging.getLogger(__name__)


class FactApplication:
    """Applies the facts of one partition.

    on_enrolment_fact: called with each registration, withdrawal and result that was applied to an open
    enrolment. close_trial: closes the day that is due in a state, as the processor would.
    """

    def __init__(
        self,
        partition: int,
        state: PartitionState,
        *,
        on_enrolment_fact: Callable[[Message], None],
        close_trial: Callable[[PartitionState], object],
    ) -> None:
        self._partition = partition
        self._state = state
        self._on_enrolment_fact = on_enrolment_fact
        self._close_trial = close_trial

    def apply_before(self, moment: int) -> tuple[list[int], list[DeadLetter]]:
        """Apply the facts that occurred before a moment, epoch seconds. Called by the day's close.

        Returns the slots of the enrolments that ended, and dead letters of the facts that failed.
        """
        state = self._state
        ended: list[int] = []
        letters: list[DeadLetter] = []
        for fact in state.pop_facts_before(moment):
            try:
                if fact["type"] == "calendar":
                    self._apply_calendar(fact)
                elif (slot := self._apply_to_enrolment(fact)) is not None:
                    ended.append(slot)
            except Exception as error:
                log.exception("partition %d: a fact could not be applied", self._partition)
                topic = next(name for name in state.clock.applied if name.endswith(EVENTS.name))
                letters.append(failed_records.dead_letter_of_fact(topic, self._partition, fact, error))
        state.clock.events -= len(letters)  # they were counted as applied when they came
        state.clock.dead_letters += len(letters)
        return ended, letters

    def _apply_to_enrolment(self, fact: Message) -> int | None:
        """Apply a fact to its enrolment; returns the slot if the enrolment has ended, else None."""
        state = self._state
        slot = state.slot(fact["learner"], fact["course_run"])
        state.mark_changed(np.array([slot]))
        with failed_records.restore_on_error(state, fact["learner"], slot):
            if fact["type"] == "activity":
                self._apply_work(slot, fact)
            elif self._apply_enrolment_fact(slot, fact):
                return slot
        return None

    def _apply_enrolment_fact(self, slot: int, fact: Message) -> bool:
        """Apply a registration, a withdrawal or a result; returns whether the enrolment has ended."""
        rows, day = self._state.rows, fact["time"] // DAY_S
        if fact["type"] == "enrolled":
            first = rows["enrolled"][slot]
            rows["enrolled"][slot] = day if first == NEVER else min(day, first)
        elif rows["outcome"][slot] != OPEN:
            return False
        else:
            self._end(slot, fact, day)
        self._on_enrolment_fact(fact)
        return bool(rows["outcome"][slot] != OPEN)

    def _end(self, slot: int, fact: Message, day: int) -> None:
        """Set an enrolment's outcome on an epoch day: withdrawn, or a result."""
        state, rows = self._state, self._state.rows
        withdrawn = fact["type"] == "withdrawn"
        rows["outcome"][slot] = WITHDRAWN if withdrawn else outcome_of(cast(Completed, fact))
        rows["outcome_day"][slot] = day
        if withdrawn and rows["probability"][slot] != NOT_ESTIMATED:
            state.withdrawal_counts.count_withdrawal(state.runs[state.run_of[slot]].name)

    def _apply_work(self, slot: int, fact: Message) -> None:
        """Apply a hand-in, or the progress that an activity reports."""
        state, rows = self._state, self._state.rows
        if fact["kind"] == "submission" and fact.get("object"):
            run = state.runs[state.run_of[slot]]
            record_hand_in(
                rows, slot, run, fact["object"], fact["time"] // DAY_S, fact.get("score"), state.unplaced
            )
        if fact.get("progress") is not None:
            rows["progress"][slot] = max(rows["progress"][slot], round(fact["progress"] * SCORE_STEPS))

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
        move_to_calendar(state.rows, slots, old, new, state.unplaced)
        state.mark_changed(slots)
        if new.assessments != old.assessments:
            state.yardsticks.forget(name)  # its sums are of other deadlines

    def _try_calendar(self, calendar: Message) -> None:
        """Close days of a synthetic enrolment under a calendar: today, and its first day.

        A defective calendar would otherwise fail every later close of its run.

        Raises:
            Exception: whatever a close under this calendar raises.
        """
        trial, today = PartitionState(Identity(b""), capacity=1), self._state.clock.today or 0
        trial.set_calendar(calendar)
        for enrolled in (today - 1, max(calendar["starts_at"] // DAY_S, 0)):
            slot = trial.slot("", calendar["course_run"])
            trial.rows["enrolled"][slot] = enrolled
            for day in (today, enrolled + 1):
                trial.clock.today, trial.clock.newest = day, (day + RING) * DAY_S
                self._close_trial(trial)
