"""Nudge decisions of one partition: on level changes, on feedback, and when an enrolment ends.

The rules are pure functions in :mod:`nudges`. This module passes them the state, and stores and emits their
decisions.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.batch.decoding import Message
from engine.day.cohorts import Cohort
from engine.day.nudge_outcomes import ExposureFollowUp
from engine.day.pauses import is_over, is_paused
from engine.outputs import Outputs
from engine.rules import Rules
from engine.scoring.learner_facts import Fact, enrolment_fact, feedback_fact
from engine.scoring.level_changes import LevelChange
from engine.scoring.scoring_day import ScoringDay
from engine.scoring.store_rows import StoreRows
from engine.state.partition_state import PartitionState
from features.catalogue import FEATURES, INDEX
from features.coursework import Run
from features.event_days import EventDays
from features.packed_arrays import unpack
from features.ring import habits
from nudges.cancelling import cancel_all, cancel_for_course_run
from nudges.choosing import Situation
from nudges.decisions import decide
from nudges.experiments.bandit import context_of
from nudges.experiments.outcome_chooser import outcome_chooser
from nudges.learners import Learner, update_learner
from nudges.ledger import DecisionResult
from nudges.messages import apply_message
from nudges.policy import Phase, Policy, main_reason, phase_of
from nudges.timing import Habit
from online_models.labels import OPEN
from schemas.learning import DayPackage
from schemas.nudge import DecisionReason
from schemas.risk import RiskChange


class Nudging:
    """Decides on the nudges of one partition's learners, by the policy of the newest day package."""

    def __init__(
        self, rules: Rules, state: PartitionState, follow_up: ExposureFollowUp, rows: StoreRows
    ) -> None:
        self._rules = rules
        self._state = state
        self._follow_up = follow_up
        self._rows = rows
        self._close_outputs = Outputs()
        self._policy = _policy_of(state.policy, rules)

    def apply_feedback(self, message: Message, outputs: Outputs) -> None:
        """Apply a message of the feedback topic: preferences, or what became of a nudge.

        message: decoded and validated. Decisions and cancellations that follow go into ``outputs``.
        """
        learner = message["learner"]
        before, now = self._learner(learner), self._state.clock.newest

        def situation_of(run: str, item: str | None) -> Situation:
            slot = self._state.slots.get((learner, run))
            trail = self._state.trails.trail(slot) if slot is not None else None
            is_done = item is not None and trail is not None and trail.has_done(item)
            return replace(self._situation(learner, run), next_item=None if is_done else item)

        timing = self._rules.timing  # live, admission has refused what is too far ahead
        ahead_s = timing.tolerance if timing.clock == "replay" else None
        decided = apply_message(message, before, self._policy, now, situation_of, ahead_s)
        self._record(learner, before, decided, outputs)
        self._rows.write_fact(feedback_fact(message), outputs)

    def apply_enrolment_fact(self, fact: Message) -> None:
        """Apply an enrolment, a withdrawal, a result or a pause of the day that is being closed.

        An enrolment that has ended or pauses gets no more nudges of its course. Outputs are emitted when the
        day is scored.
        """
        learner, outputs = fact["learner"], self._close_outputs
        before = self._learner(learner)
        decided = DecisionResult(update_learner(before, fact))
        if fact["type"] != "enrolled":
            days = self._state.days
            ends_on = days.day(fact["time"]) + 1
            closed_at = self._rules.timing.lateness + days.start(ends_on)
            is_pause = fact["type"] == "pause"
            if not is_pause or not is_over(fact, ends_on):
                reason: DecisionReason = "paused" if is_pause else "run_over"
                decided = cancel_for_course_run(
                    learner, fact["course_run"], before, self._policy, closed_at, reason
                )
        self._record(learner, before, decided, outputs)
        self._rows.write_fact(enrolment_fact(fact), outputs)

    def cancel_account(self, learner: str, today: int) -> None:
        """Cancel all that is planned for an account that is merged into another one."""
        before = self._learner(learner)
        closed_at = self._rules.timing.lateness + self._state.days.start(today + 1)
        decided = cancel_all(learner, before, self._policy, closed_at, "merged")
        self._record(learner, before, decided, self._close_outputs)

    def note_fact(self, fact: Fact) -> None:
        """Write a fact with the outputs of the close."""
        self._rows.write_fact(fact, self._close_outputs)

    def pop_outputs_of_close(self) -> Outputs:
        """The outputs of the closed day's enrolment facts; they are returned once."""
        outputs, self._close_outputs = self._close_outputs, Outputs()
        return outputs

    def adopt_policy(self, package: DayPackage) -> None:
        """Use the package's policy from now on."""
        if package.policy != self._state.policy:
            self._state.set_policy(package.policy)
            self._policy = _policy_of(package.policy, self._rules)

    def decide(
        self, changes: Sequence[LevelChange], cohort: Cohort, day: ScoringDay, outputs: Outputs
    ) -> None:
        """Decide on the level changes of a cohort, in their order."""
        if not changes:
            return
        usual = _habits(cohort, [change.index for change in changes], day, self._state.days)
        for moved, habit in zip(changes, usual, strict=True):
            self._decide(moved.change, moved.slot, habit, day, outputs)

    def _decide(self, change: RiskChange, slot: int, habit: Habit, day: ScoringDay, outputs: Outputs) -> None:
        """Decide on one risk change. habit: the learner's, as of the close."""
        # The change is known once the day has closed, so no send time may be before that.
        decided_at = int(change.occurred_at.timestamp()) + self._rules.timing.lateness
        before = self._learner(change.learner)
        situation = replace(
            self._situation(change.learner, change.course_run, habit),
            next_item=day.recommender.next_item(change.course_run, self._state.trails.trail(slot)),
        )
        context = context_of(_group(change), change.previous_level)
        choose = outcome_chooser(self._policy.holdout_key, change.risk_change_id, context, day.learned)
        decided = decide(change, before, self._policy, decided_at, situation, choose)
        for decision in decided.decisions:
            self._follow_up.follow(decision, context)
        self._record(change.learner, before, decided, outputs)

    def _situation(self, learner: str, course_run: str, habit: Habit | None = None) -> Situation:
        """The situation of an enrolment today; an unknown enrolment is not in force.

        habit: as of the close; None uses the current one.
        """
        slot = self._state.slots.get((learner, course_run))
        if slot is None:
            return Situation(in_force=False)
        run, today = self._state.runs[self._state.run_of[slot]], self._state.clock.today or 0
        in_force = self._state.rows["outcome"][slot] == OPEN and (not run.is_known or today <= run.end)
        in_force &= not is_paused(self._state, np.array([slot]), today)[0]
        if habit is None:
            hours = habits(self._state.rows["hours"][[slot]], today)
            habit = Habit(_in_utc(hours, self._state.days, today)[0].tolist())
        return Situation(in_force, _phase(run, today), habit)

    def _record(self, learner: str, before: Learner, decided: DecisionResult, outputs: Outputs) -> None:
        """Store the learner's record, and emit the decisions and messages."""
        if decided.learner != before:
            self._state.set_learner(learner, decided.learner.to_record())
        outputs.decisions += decided.decisions
        outputs.nudges += decided.messages
        for message in decided.messages:
            self._state.add_to_outbox(
                f"{message.type}:{message.nudge_id}", learner, message.model_dump_json()
            )
        for decision in decided.decisions:
            self._rows.write_decision(decision, outputs)

    def _learner(self, learner: str) -> Learner:
        return Learner.from_record(self._state.learners.get(learner, {}))


def _policy_of(stored: Message | None, rules: Rules) -> Policy:
    """The policy of a package; the worker's own where it has none."""
    return rules.policy if stored is None else Policy.model_validate(stored)


def _group(change: RiskChange) -> str | None:
    """The feature group of the main reason; None if it is not about the learner."""
    main = main_reason(change)
    return FEATURES[INDEX[main.feature]].group if main is not None and main.feature in INDEX else None


def _habits(cohort: Cohort, indices: list[int], day: ScoringDay, days: EventDays) -> list[Habit]:
    """Usual active hours, in UTC, of some of a cohort's enrolments, and of the whole cohort."""
    profile = day.package.hours.get(cohort.run.name)
    cohort_hours = [] if profile is None else _in_utc(unpack(profile), days, day.day).tolist()
    own = _in_utc(habits(cohort.hours[indices], day.day), days, day.day)
    return [Habit(hours, cohort_hours) for hours in own.tolist()]


def _in_utc(hours: NDArray[Any], days: EventDays, day: int) -> NDArray[Any]:
    """Counts by hour of the week, [..., 168], of the zone's hours as those of UTC's."""
    return np.roll(hours, -days.utc_offset_h(day), axis=-1)


def _phase(run: Run, day: int) -> Phase | None:
    """The phase of a run on a day; None if its end is unknown."""
    if not run.has_end:
        return None
    return phase_of(min(max((day - run.start) / run.length, 0.0), 1.0))
