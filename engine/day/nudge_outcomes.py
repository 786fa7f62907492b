"""Follows randomised nudge decisions (exposures) until their outcomes are known.

An exposure (:mod:`nudges.experiments.exposure`) is stored with its enrolment from the decision to the end of
the run. At the close of a day, new outcomes are written once, as rows of ``nudge_outcomes``; rewards of the
variants go into the day's report, as sums for the bandit; and until the end, exposures tell which training
snapshots are of untreated learners. All of it is derived from the partition's own events, in event time, so
a replay gives the same results.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.day.aggregates import as_date
from engine.day.pauses import last_active_adjusted
from engine.outputs import Columns
from engine.state.partition_state import PartitionState
from features.coursework import Run
from features.ring import NEVER, Ints, last_active
from nudges.experiments import bandit, training
from nudges.experiments.exposure import Exposure, exposure_of
from nudges.experiments.outcomes import (
    REWARD,
    STAGES,
    WINDOWS,
    EnrolmentResult,
    Outcome,
    activity_outcome,
    run_end_outcomes,
    stage_of,
    windows_closing,
)
from nudges.experiments.training import NOT_NUDGED, NudgeHistory
from online_models.labels import CENSORED, NO_EXIT, PASSED, PENDING, exit_days, label_statuses
from schemas.nudge import NudgeDecision

Enrolment = tuple[str, str]


@dataclass(slots=True)
class DayOutcomes:
    """Outcomes that became known at a day's close.

    rows: columns of ``nudge_outcomes``. learned: "campaign/variant" → sums of rewards, int64 [inputs,
    inputs + 1] (:func:`nudges.experiments.bandit.sums`). early: the same of decisions whose reward is still
    open, as far as it is known, by stage, int64 [STAGES - 1, inputs, inputs + 1].
    """

    rows: Columns = field(default_factory=dict)
    learned: dict[str, Ints] = field(default_factory=dict)
    early: dict[str, Ints] = field(default_factory=dict)


class ExposureFollowUp:
    """The exposures of one partition. The state stores them; this has only the days when they are due."""

    def __init__(self, partition: int, state: PartitionState, *, delivered: bool) -> None:
        """delivered: whether nudges reach learners."""
        self._delivered = delivered
        self._partition = partition
        self._state = state
        self._due: defaultdict[int, set[Enrolment]] = defaultdict(set)
        self._by_run: defaultdict[str, set[Enrolment]] = defaultdict(set)
        for enrolment in state.exposures:
            for exposure in self._exposures(enrolment):
                self._schedule(enrolment, exposure)

    def follow(self, decision: NudgeDecision, context: tuple[int, ...]) -> None:
        """Follow a decision if it was randomised. context: input of the bandit."""
        enrolment = decision.learner, decision.course_run
        earlier = self._exposures(enrolment)
        day = self._state.days.day(int(decision.decided_at.timestamp()))
        exposure = exposure_of(decision, day, earlier, context)
        if exposure is not None:
            self._set_exposures(enrolment, [*earlier, exposure])
            self._schedule(enrolment, exposure)

    def take_over(self, enrolment: Enrolment, stored: list[list[Any]]) -> None:
        """Follow the exposures of another account of the same learner, as the state stores them."""
        exposures = [Exposure.from_row(data) for data in stored]
        if exposures:
            self._set_exposures(enrolment, [*self._exposures(enrolment), *exposures])
            for exposure in exposures:
                self._schedule(enrolment, exposure)

    def forget(self, enrolment: Enrolment) -> None:
        """Remove the exposures of an enrolment that is carried over."""
        if enrolment in self._state.exposures:
            self._set_exposures(enrolment, [])
            self._by_run[enrolment[1]].discard(enrolment)

    def treatment_of(self, slot: int) -> NudgeHistory:
        """The nudges sent and withheld so far of the enrolment in a slot, as training needs them."""
        enrolment = self._state.keys[slot]
        if not self._delivered or enrolment is None:
            return NOT_NUDGED
        exposures = self._exposures(enrolment)
        sent = [exposure.day for exposure in exposures if exposure.arm == "nudged"]
        withheld = [exposure for exposure in exposures if exposure.arm == "holdout"]
        return NudgeHistory(
            sent=max(sent, default=training.NEVER),
            withheld=max((exposure.day for exposure in withheld), default=training.NEVER),
            holdout_share=min((exposure.propensity for exposure in withheld), default=1.0),
        )

    def close(self, today: int) -> DayOutcomes:
        """The outcomes that became known at the end of ``today``. Called once a day, in order."""
        day_outcomes = DayOutcomes()
        self._close_windows(today, day_outcomes)
        self._count_early_returns(today, day_outcomes)
        for run in sorted(self._state.runs, key=lambda run: run.name):
            if run.is_known and run.end <= today and run.name in self._by_run:
                self._close_run(run, today, day_outcomes)
            elif not run.has_end and run.name in self._by_run:
                self._forget_old(run, today)
        return day_outcomes

    # -- outcomes at the end of a window, and at the end of the run -------------------------------------

    def _close_windows(self, today: int, day_outcomes: DayOutcomes) -> None:
        due = [enrolment for enrolment in sorted(self._due.pop(today, ())) if enrolment in self._state.slots]
        slots = np.array([self._state.slots[enrolment] for enrolment in due], np.int64)
        active = last_active(self._state.rows, slots, today + 1).tolist()
        for enrolment, last in zip(due, active, strict=True):
            for exposure in self._exposures(enrolment):
                for name in windows_closing(exposure.day, today):
                    outcome = activity_outcome(name, exposure.day, last, today)
                    self._add_row(enrolment, exposure, outcome, day_outcomes)
                    if name == REWARD:
                        _add_reward(exposure, outcome, day_outcomes)

    def _count_early_returns(self, today: int, day_outcomes: DayOutcomes) -> None:
        """Count who has come back so far, of the decisions whose reward is still open."""
        due_soon = set[Enrolment]().union(*(self._due.get(today + days, ()) for days in range(1, STAGES)))
        present = [enrolment for enrolment in sorted(due_soon) if enrolment in self._state.slots]
        slots = np.array([self._state.slots[enrolment] for enrolment in present], np.int64)
        active = last_active(self._state.rows, slots, today + 1).tolist()
        returns: defaultdict[tuple[str, int], list[tuple[Exposure, bool]]] = defaultdict(list)
        for enrolment, last in zip(present, active, strict=True):
            for exposure in self._exposures(enrolment):
                stage = stage_of(exposure.day, today)
                if 0 <= stage < STAGES - 1 and _is_bandit_input(exposure):
                    returns[_variant_name(exposure), stage].append((exposure, last >= exposure.day))
        for (name, stage), pairs in returns.items():
            contexts = np.array([exposure.context for exposure, _ in pairs], np.int64)
            learned = bandit.outcome_sums(contexts, np.array([came_back for _, came_back in pairs], np.int64))
            by_stage = np.zeros((STAGES - 1, *learned.shape), np.int64)
            day_outcomes.early.setdefault(name, by_stage)[stage] = learned

    def _close_run(self, run: Run, today: int, day_outcomes: DayOutcomes) -> None:
        """Add exit and completion of enrolments whose outcome is certain, and remove their exposures."""
        enrolments = sorted(self._by_run[run.name])
        finished = [enrolment for enrolment in enrolments if enrolment not in self._state.slots]
        present = [enrolment for enrolment in enrolments if enrolment in self._state.slots]
        slots = np.array([self._state.slots[enrolment] for enrolment in present], np.int64)
        outcomes = self._state.rows["outcome"][slots]
        last = last_active_adjusted(self._state, run, slots, run.end, today)
        ends = np.full(len(slots), run.end, np.int64)
        certain = label_statuses(outcomes, ends, last, today)
        happened = self._state.rows["outcome_day"][slots].astype(np.int64)
        left = exit_days(outcomes, happened, ends, last) != NO_EXIT
        for index, enrolment in enumerate(present):
            if certain[index] == PENDING:
                continue
            passed = bool(outcomes[index] == PASSED)
            if certain[index] != CENSORED:
                ending = EnrolmentResult(passed=passed, left=bool(left[index]) and not passed)
                for exposure in self._exposures(enrolment):
                    for outcome in run_end_outcomes(ending, today):
                        self._add_row(enrolment, exposure, outcome, day_outcomes)
            finished.append(enrolment)
        for enrolment in finished:
            self._set_exposures(enrolment, [])
            self._by_run[run.name].discard(enrolment)
        if not self._by_run[run.name]:
            del self._by_run[run.name]

    def _forget_old(self, run: Run, today: int) -> None:
        """Remove what nobody needs any more of a run without an end: there is no close of it that would.

        Outcomes need the exposures of two weeks, examples those since their day. The first stays, so that no
        other one counts as the first.
        """
        for enrolment in sorted(self._by_run[run.name]):
            slot, exposures = self._state.slots.get(enrolment), self._exposures(enrolment)
            if slot is None:
                self._set_exposures(enrolment, [])
                self._by_run[run.name].discard(enrolment)
            elif run.is_known:
                waiting = self._state.rows["snap_day"][slot]
                oldest = min([today - max(WINDOWS.values()), *waiting[waiting != NEVER].tolist()])
                kept = [exposure for exposure in exposures if exposure.first or exposure.day >= oldest]
                if len(kept) < len(exposures):
                    self._set_exposures(enrolment, kept)

    def _add_row(
        self, enrolment: Enrolment, exposure: Exposure, outcome: Outcome, day_outcomes: DayOutcomes
    ) -> None:
        learner, _ = self._state.pseudonyms[self._state.slots[enrolment]]
        row: dict[str, Any] = {
            "decision_id": exposure.decision_id,
            "outcome": outcome.name,
            "learner": learner,
            "course_run": enrolment[1],
            "campaign": exposure.campaign,
            "variant": exposure.variant,
            "arm": exposure.arm,
            "first": exposure.first,
            "propensity": exposure.propensity,
            "decided": as_date(exposure.day),
            "known": as_date(outcome.known_on),
            "happened": outcome.happened,
            "partition": self._partition,
        }
        for name, value in row.items():
            day_outcomes.rows.setdefault(name, []).append(value)

    # -- state ------------------------------------------------------------------------------------------

    def _exposures(self, enrolment: Enrolment) -> list[Exposure]:
        return [Exposure.from_row(data) for data in self._state.exposures.get(enrolment, ())]

    def _set_exposures(self, enrolment: Enrolment, exposures: list[Exposure]) -> None:
        self._state.set_exposures(enrolment, [exposure.to_row() for exposure in exposures])

    def _schedule(self, enrolment: Enrolment, exposure: Exposure) -> None:
        for days in WINDOWS.values():
            self._due[exposure.day + days - 1].add(enrolment)
        self._by_run[enrolment[1]].add(enrolment)


def _add_reward(exposure: Exposure, outcome: Outcome, day_outcomes: DayOutcomes) -> None:
    if _is_bandit_input(exposure):
        name = _variant_name(exposure)
        sums = bandit.outcome_sums(
            np.array([exposure.context], np.int64), np.array([outcome.happened], np.int64)
        )
        day_outcomes.learned[name] = day_outcomes.learned.get(name, np.zeros_like(sums)) + sums


def _is_bandit_input(exposure: Exposure) -> bool:
    """Whether an exposure is an observation of its variant: the holdout has none."""
    return exposure.arm == "nudged" and bool(exposure.context)


def _variant_name(exposure: Exposure) -> str:
    return f"{exposure.campaign}/{exposure.variant}"
