"""Follows decisions that chance made until it is known what became of them.

An exposure (:mod:`nudges.experiments.exposure`) is kept with its enrolment from the decision to the end of
the run. At the close of a day whatever has become known is said once, as rows of ``nudge_outcomes``; what
it teaches about variants goes into the day's report, as sums; and until the end the exposures say which
training snapshots rest on a learner left alone. All of it follows from the partition's own events, in event
time, so a replay says the same.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.day.aggregates import as_date
from engine.outputs import Columns
from engine.state.partition_state import PartitionState
from engine.state.unobserved_days import last_known
from features.ring import Ints, last_active
from nudges.experiments import bandit, training
from nudges.experiments.exposure import Exposure, exposure_of
from nudges.experiments.outcomes import (
    REWARD,
    STAGES,
    WINDOWS,
    Ending,
    Outcome,
    ended,
    returned,
    stage_of,
    windows_closing,
)
from nudges.experiments.training import NOT_NUDGED, Nudged
from online_models.labels import CENSORED, NO_EXIT, PASSED, PENDING, exit_days, label_statuses
from schemas.nudge import NudgeDecision

Enrolment = tuple[str, str]


@dataclass(slots=True)
class Known:
    """What a day's close made known.

    ``rows``: of ``nudge_outcomes``, column by column; ``learned``: sums by campaign and variant, joined by a
    slash, int64 [inputs, inputs + 1] each (:func:`nudges.experiments.bandit.sums`); ``early``: the same of
    what is seen so far of decisions whose reward is not known, by stage, int64 [STAGES - 1, …].
    """

    rows: Columns = field(default_factory=dict)
    learned: dict[str, Ints] = field(default_factory=dict)
    early: dict[str, Ints] = field(default_factory=dict)


class Following:
    """The exposures of one partition. They live in the state; here is only by when they are due."""

    def __init__(self, partition: int, state: PartitionState, *, delivered: bool) -> None:
        """``delivered``: whether nudges reach learners."""
        self._delivered = delivered
        self._partition = partition
        self._state = state
        self._due: defaultdict[int, set[Enrolment]] = defaultdict(set)
        self._of_run: defaultdict[str, set[Enrolment]] = defaultdict(set)
        for enrolment in state.exposures:
            for exposure in self._exposures(enrolment):
                self._expect(enrolment, exposure)

    def note(self, decision: NudgeDecision, context: tuple[int, ...]) -> None:
        """Follow a decision, where it is one that chance made; ``context`` is what a bandit saw."""
        enrolment = decision.learner, decision.course_run
        earlier = self._exposures(enrolment)
        exposure = exposure_of(decision, earlier, context)
        if exposure is not None:
            self._keep(enrolment, [*earlier, exposure])
            self._expect(enrolment, exposure)

    def nudged(self, slot: int) -> Nudged:
        """What the decisions so far on the enrolment of a place mean for training."""
        enrolment = self._state.keys[slot]
        if not self._delivered or enrolment is None:
            return NOT_NUDGED
        exposures = self._exposures(enrolment)
        sent = [one.day for one in exposures if one.arm == "nudged"]
        withheld = [one for one in exposures if one.arm == "holdout"]
        return Nudged(
            sent=max(sent, default=training.NEVER),
            withheld=max((one.day for one in withheld), default=training.NEVER),
            holdout_share=min((one.propensity for one in withheld), default=1.0),
        )

    def close(self, today: int) -> Known:
        """What is known at the end of ``today`` and was not before; call it once a day, in order."""
        known = Known()
        self._close_windows(today, known)
        self._look_at_the_open(today, known)
        for run in sorted(self._state.runs, key=lambda run: run.name):
            if run.known and run.end <= today and run.name in self._of_run:
                self._close_run(run.name, run.end, today, known)
        return known

    # -- the two ways of getting to know ----------------------------------------------------------------

    def _close_windows(self, today: int, known: Known) -> None:
        due = [one for one in sorted(self._due.pop(today, ())) if one in self._state.slots]
        slots = np.array([self._state.slots[one] for one in due], np.int64)
        active = last_active(self._state.rows, slots, today + 1).tolist()
        for enrolment, last in zip(due, active, strict=True):
            for exposure in self._exposures(enrolment):
                for name in windows_closing(exposure.day, today):
                    outcome = returned(name, exposure.day, last, today)
                    self._say(enrolment, exposure, outcome, known)
                    if name == REWARD:
                        _learn(exposure, outcome, known)

    def _look_at_the_open(self, today: int, known: Known) -> None:
        """Who has come back by now, of those whose reward is not known."""
        soon = set[Enrolment]().union(*(self._due.get(today + days, ()) for days in range(1, STAGES)))
        there = [one for one in sorted(soon) if one in self._state.slots]
        slots = np.array([self._state.slots[one] for one in there], np.int64)
        active = last_active(self._state.rows, slots, today + 1).tolist()
        seen: defaultdict[tuple[str, int], list[tuple[Exposure, bool]]] = defaultdict(list)
        for enrolment, last in zip(there, active, strict=True):
            for exposure in self._exposures(enrolment):
                stage = stage_of(exposure.day, today)
                if 0 <= stage < STAGES - 1 and _teaches(exposure):
                    seen[_name(exposure), stage].append((exposure, last >= exposure.day))
        for (name, stage), found in seen.items():
            contexts = np.array([exposure.context for exposure, _ in found], np.int64)
            learned = bandit.sums(contexts, np.array([back for _, back in found], np.int64))
            known.early.setdefault(name, np.zeros((STAGES - 1, *learned.shape), np.int64))[stage] = learned

    def _close_run(self, run: str, end: int, today: int, known: Known) -> None:
        """Exit and completion of all whose end is certain, which are then let go."""
        enrolments = sorted(self._of_run[run])
        gone = [one for one in enrolments if one not in self._state.slots]
        there = [one for one in enrolments if one in self._state.slots]
        slots = np.array([self._state.slots[one] for one in there], np.int64)
        outcomes = self._state.rows["outcome"][slots]
        last = last_known(self._state.rows, slots, self._state.unseen.of(run), end, today)
        ends = np.full(len(slots), end, np.int64)
        certain = label_statuses(outcomes, ends, last, today)
        happened = self._state.rows["outcome_day"][slots].astype(np.int64)
        left = exit_days(outcomes, happened, ends, last) != NO_EXIT
        for place, enrolment in enumerate(there):
            if certain[place] == PENDING:
                continue
            passed = bool(outcomes[place] == PASSED)
            if certain[place] != CENSORED:
                ending = Ending(passed=passed, left=bool(left[place]) and not passed)
                for exposure in self._exposures(enrolment):
                    for outcome in ended(ending, today):
                        self._say(enrolment, exposure, outcome, known)
            gone.append(enrolment)
        for enrolment in gone:
            self._keep(enrolment, [])
            self._of_run[run].discard(enrolment)
        if not self._of_run[run]:
            del self._of_run[run]

    def _say(self, enrolment: Enrolment, exposure: Exposure, outcome: Outcome, known: Known) -> None:
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
            "known": as_date(outcome.known),
            "happened": outcome.happened,
            "partition": self._partition,
        }
        for name, value in row.items():
            known.rows.setdefault(name, []).append(value)

    # -- keeping ----------------------------------------------------------------------------------------

    def _exposures(self, enrolment: Enrolment) -> list[Exposure]:
        return [Exposure.from_data(data) for data in self._state.exposures.get(enrolment, ())]

    def _keep(self, enrolment: Enrolment, exposures: list[Exposure]) -> None:
        self._state.set_exposures(enrolment, [one.as_data() for one in exposures])

    def _expect(self, enrolment: Enrolment, exposure: Exposure) -> None:
        for days in WINDOWS.values():
            self._due[exposure.day + days - 1].add(enrolment)
        self._of_run[enrolment[1]].add(enrolment)


def _learn(exposure: Exposure, outcome: Outcome, known: Known) -> None:
    if _teaches(exposure):
        name = _name(exposure)
        found = bandit.sums(np.array([exposure.context], np.int64), np.array([outcome.happened], np.int64))
        known.learned[name] = known.learned.get(name, np.zeros_like(found)) + found


def _teaches(exposure: Exposure) -> bool:
    """A nudged one teaches its variant; the holdout has none."""
    return exposure.arm == "nudged" and bool(exposure.context)


def _name(exposure: Exposure) -> str:
    return f"{exposure.campaign}/{exposure.variant}"
