"""Rows for the store that scoring gives out, table by table. Learners appear under pseudonyms alone.

Which columns mean what is declared in ``sinks.tables``.
"""

from dataclasses import fields

import numpy as np

from engine.day.aggregates import as_date, risk_row
from engine.day.cohorts import Cohort
from engine.outputs import Outputs
from engine.scoring.learner_facts import Fact
from engine.scoring.scoring_day import ScoredCohort, ScoringDay
from engine.state.partition_state import PartitionState
from features.bins import Codes
from features.ring import RING, Ints
from nudges.levels import level_name
from schemas.fields import DAY_S
from schemas.nudge import NudgeDecision
from schemas.risk import RiskChange

WRITE_MOVED = 0.05
WRITE_EVERY = 7
"""The store's history gets an estimate that moved by this much or changed its level, and one every so many
days."""


class StoreRows:
    """Writes the rows of one partition into the outputs that it is given."""

    def __init__(self, partition: int, state: PartitionState) -> None:
        self._partition = partition
        self._state = state

    def write_history(self, scored: ScoredCohort, day: ScoringDay, outputs: Outputs) -> None:
        """Estimates that moved, or whose level did, since they were last written, or were not for a week.

        Into ``risk_history``; the state notes what was written.
        """
        rows, slots = self._state.rows, scored.cohort.slots
        moved = np.abs(rows["written"][slots] - scored.probability) >= WRITE_MOVED
        places = np.flatnonzero(moved | (rows["written_day"][slots] + WRITE_EVERY <= day.day))
        slots, count = slots[places], len(places)
        rows["written"][slots] = scored.probability[places]
        rows["written_day"][slots] = day.day
        outputs.add_rows(
            "risk_history",
            {
                "learner": [self._state.pseudonyms[slot][0] for slot in slots.tolist()],
                "course_run": [scored.cohort.run.name] * count,
                "day": [as_date(day.day)] * count,
                "probability": scored.probability[places].tolist(),
                "exit_probability": scored.exit_probability[places].tolist(),
                "level": [level_name(level) for level in rows["level"][slots].tolist()],
                "model_state": [day.model_state] * count,
                "model_version": [day.package.model.model_version] * count,
                "partition": [self._partition] * count,
                "version": [day.day] * count,
                "clicks": _last_week(rows["clicks"], slots, day.day),
            },
        )

    def write_levels(
        self, scored: ScoredCohort, day: ScoringDay, changes: list[RiskChange], outputs: Outputs
    ) -> None:
        """A cohort's levels on the day, into ``risk_daily``. changes: the day's in that cohort."""
        levels = self._state.rows["level"][scored.cohort.slots]
        outputs.add_row(
            "risk_daily",
            day=as_date(day.day),
            course_run=scored.cohort.run.name,
            partition=self._partition,
            model_state=day.model_state,
            **risk_row(levels, scored.probability, changes),
            version=day.day,
        )

    def write_engagement(self, cohort: Cohort, day: int, outputs: Outputs) -> None:
        """The engagement of the day before ``day``, an epoch day, into ``engagement_daily``."""
        place = {"course_run": cohort.run.name, "day": as_date(day - 1), "partition": self._partition}
        outputs.add_row("engagement_daily", **place, **cohort.engagement, version=day)

    def write_returns(self, cohort: Cohort, day: int, outputs: Outputs) -> None:
        """Who was active on the day before ``day`` after a week or more without, into ``learner_facts``."""
        active = np.flatnonzero(cohort.hours[:, (day - 1) % RING].any(axis=1))
        week = cohort.hours[active[:, None], [past % RING for past in range(day - 8, day - 1)]]
        slots = cohort.slots[active[~week.any(axis=(1, 2))]]
        for slot in slots[self._state.rows["seen"][slots] < day - 8].tolist():
            learner, course_run = self._state.key(slot)
            name = f"{self._state.pseudonyms[slot][1]}/{day}"
            fact = Fact(learner, course_run, (day - 1) * DAY_S, "returned", name)
            self.write_fact(fact, outputs)

    def write_fact(self, fact: Fact, outputs: Outputs) -> None:
        """A fact of a learner, under pseudonyms, into ``learner_facts``."""
        pseudonym = self._state.pseudonym
        row = {one.name: getattr(fact, one.name) for one in fields(fact)}  # asdict copies its values deeply
        row |= {"learner": pseudonym(fact.learner), "fact_id": pseudonym(fact.fact_id)}
        outputs.add_row("learner_facts", **row, partition=self._partition)

    def write_change(self, slot: int, change: RiskChange, outputs: Outputs) -> None:
        """A risk change of the enrolment in a slot, into ``risk_changes``."""
        learner, _ = self._state.pseudonyms[slot]
        row = change.model_dump(exclude={"type", "learner", "reasons", "parts"})
        outputs.add_row(
            "risk_changes",
            **row | {"day": as_date(change.day), "version": change.day},
            learner=learner,
            reasons=[reason.text for reason in change.reasons],
            contributions=[reason.contribution for reason in change.reasons],
            features=[reason.feature for reason in change.reasons],
            reliefs=[reason.relief or "" for reason in change.reasons],
            partition=self._partition,
        )

    def write_decision(self, decision: NudgeDecision, outputs: Outputs) -> None:
        """A nudge decision, into ``nudge_ledger``."""
        row = decision.model_dump(exclude={"type", "version"}) | {"channel": decision.channel or ""}
        row |= {"learner": self._state.pseudonym(decision.learner), "partition": self._partition}
        outputs.add_row("nudge_ledger", **row)


def _last_week(clicks: Codes, slots: Ints, day: int) -> list[list[int]]:
    """Clicks on each of the seven days before ``day``, the newest first; from the ring, [n, days, kinds]."""
    places = [(day - back) % RING for back in range(1, WRITE_EVERY + 1)]
    days: list[list[int]] = clicks[slots[:, None], places].sum(axis=2, dtype=np.int64).tolist()
    return days
